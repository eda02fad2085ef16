"""docs/production.md says what the code does: its settings, who may call whom, and the sentences of a refused start."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dabir.formats.events import events_of
from services.runtime.access import callers_of
from services.runtime.config import ProcessConfig, ServiceConfig, StartRefused
from tests.unit.production import CONFIGS, LEAST, Folder

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
TITLES = {name: f"`{name}`" for name in CONFIGS} | {"workers": "The workers"}
NO_DEFAULT = "The configuration .* does not do: {} is missing\\."
"""What a start says that "no default" stands for, as a pattern with room for the setting."""


def rows(section: str) -> dict[str, str]:
    """By setting, what its row quotes."""
    found = re.findall(r"^\| (`.+?) \|.*\| (.*?) \|$", SECTIONS[section], flags=re.MULTILINE)
    return {setting: quoted for settings, quoted in found for setting in re.findall(r"`(\w+)`", settings)}


def pages_rows(process: str) -> dict[str, str]:
    """The rows that apply to a process, its own before the general ones."""
    general = rows("Every service") if issubclass(CONFIGS[process], ServiceConfig) else {}
    return rows("Every process") | general | rows(TITLES[process])


def quotes(text: str) -> list[re.Pattern[str]]:
    """What stands between quotation marks; … stands for anything."""
    found = re.findall("“(.+?)”", text, flags=re.DOTALL)
    return [re.compile(".*".join(map(re.escape, " ".join(quote.split()).split("…")))) for quote in found]


def written(node: ast.expr) -> str:
    """A string of the code, with … for what is filled in; "" for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(written(part) or "…" for part in parts)
    return ""


def code() -> Iterator[ast.AST]:
    for room in ("services", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("section", "config"),
    [
        ("Every process", ProcessConfig),
        ("Every service", ServiceConfig),
        *((TITLES[name], config) for name, config in CONFIGS.items()),
    ],
)
def test_every_setting_that_is_named_exists(section: str, config: type[ProcessConfig]) -> None:
    named = rows(section)
    assert named
    assert named.keys() - {field.name for field in dataclasses.fields(config)} == set()


@pytest.mark.parametrize("process", CONFIGS)
async def test_what_a_process_must_have_is_named_with_the_sentence(process: str, tmp_path: Path) -> None:
    files, page = Folder(tmp_path), pages_rows(process)
    for name in LEAST[process]:
        with pytest.raises(StartRefused) as refused:
            await files.start(process, {key: value for key, value in LEAST[process].items() if key != name})
        told = page.get(name, "")
        patterns = [re.compile(NO_DEFAULT.format(name))] if told.startswith("no default") else quotes(told)
        assert any(pattern.fullmatch(str(refused.value)) for pattern in patterns), f"{name}: {refused.value}"


def test_every_sentence_is_the_codes() -> None:
    sentences = {written(node) for node in code() if isinstance(node, ast.expr)}
    (no_default,) = (quote for quote in quotes(TEXT) if quote.pattern == NO_DEFAULT.format(".*").replace(" ", "\\ "))
    for quote in quotes(TEXT):
        assert quote is no_default or any(map(quote.fullmatch, sentences)), quote.pattern


def test_what_production_alone_refuses_is_quoted() -> None:
    refusals = {
        sentence
        for node in code()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "StartRefused"
        if "production" in (sentence := written(node.args[0]))
    }
    assert len(refusals) > 5
    assert {one for one in refusals if not any(quote.fullmatch(one) for quote in quotes(TEXT))} == set()


def test_the_table_of_certificates_is_the_codes() -> None:
    found = re.findall(r"^\| (\w+) \| `(\w+)` \|(.*)\| (\d+) \|$", SECTIONS["Certificates"], flags=re.MULTILINE)
    assert [process for process, *_ in found] == list(CONFIGS)
    for process, name, allowed, events in found:
        assert name == LEAST[process]["source"]
        assert set(re.findall(r"`(\w+)`", allowed)) == callers_of(name), process
        assert int(events) == len(events_of(name)), process
