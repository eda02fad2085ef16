"""Every `file.py:function` that the documents name exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_PLACE = re.compile(r"`([\w./-]+\.py):([\w.]+)`")
_DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def places() -> list[tuple[str, str, str]]:
    """(document, file, name) of every place named."""
    return [
        (document.name, file, name)
        for document in _DOCUMENTS
        for file, name in _PLACE.findall(document.read_text(encoding="utf-8"))
    ]


def defined(tree: ast.Module) -> set[str]:
    """Names at a module's top, and `Class.name` of what stands in its classes."""
    found: set[str] = set()
    for node in tree.body:
        names = _names(node)
        found |= names
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner}" for member in node.body for inner in _names(member)}
    return found


def _names(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.ImportFrom():
            return {alias.asname or alias.name for alias in node.names}
    return set()


def test_the_travel_of_a_letter_names_many_places() -> None:
    assert len([place for place in places() if place[0] == "letter.md"]) > 40


@pytest.mark.parametrize(("document", "file", "name"), places())
def test_the_place_exists(document: str, file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"{document} names {file}, which does not exist"
    assert name in defined(ast.parse(path.read_text(encoding="utf-8"))), f"{document}: {file} defines no {name}"
