"""What intake does not start with, and what it says then."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.local.settings import toml
from tests.contract.intake.line import ROOT, START_SECONDS, Line

OWN = Path(__file__).parent / "definitions" / "test-cosigned.1.toml"


def refused(line: Line, folder: Path, **changes: Any) -> str:
    """What intake says when it does not start with its settings changed; None takes a key away."""
    given = tomllib.loads((line.folder / "intake.toml").read_text(encoding="utf-8")) | {"listen": "127.0.0.1:0"}
    settings = {key: value for key, value in (given | changes).items() if value is not None}
    config = folder / "intake.toml"
    config.write_text(toml(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "services.intake", str(config)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    return done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: f"# changed\n{text}", "definitions/test-cosigned/1"),
        (lambda text: text.replace("version = 1", "version = 2"), "must be called test-cosigned.2.toml"),
        (lambda text: f"color = 1\n{text}", "no definition has: color"),
    ],
)
def test_a_definition_that_cannot_be_offered(change: Any, said: str, line: Line, tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / OWN.name).write_text(change(OWN.read_text(encoding="utf-8")), encoding="utf-8")
    assert said in refused(line, tmp_path, definition_folders=[str(folder)])


def test_the_same_definition_twice(line: Line, tmp_path: Path) -> None:
    (tmp_path / "circular.1.toml").write_text("", encoding="utf-8")
    assert "are the same definition: remove one" in refused(line, tmp_path, definition_folders=[str(tmp_path)])


def test_what_is_missing_is_named(line: Line, tmp_path: Path) -> None:
    assert "no folder" in refused(line, tmp_path, definition_folders=[str(tmp_path / "nowhere")])
    assert "signing_roots" in refused(line, tmp_path, signing_roots=str(tmp_path / "nothing.pem"))
    assert "seal_certificate" in refused(line, tmp_path, seal_certificate=None, seal_key=None)
    assert "documents_target is missing" in refused(line, tmp_path, documents_target=None)
