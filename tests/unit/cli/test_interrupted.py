"""Ctrl-C: exit code 130, and what stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dabir.cli.__main__ import main
from dabir.client import Client
from tests.unit.client.member import DELIVERY, PaperHub, write_profile


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    hub = PaperHub()
    return write_profile(hub, hub.seal(), tmp_path).path


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


def interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def run(profile: Path, *typed: str) -> tuple[Result, dict[str, Any]]:
    done = CliRunner().invoke(main, [*typed, "--profile", str(profile), "--json"])
    return done, json.loads(done.stdout)


def test_a_letter_that_is_kept_is_sent_again(profile: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "send", interrupted)
    done, said = run(profile, "send", "--to", "central-bank/main", "--subject", "x", str(page))
    (kept,) = (profile.parent / "journal" / "letters").iterdir()
    assert (done.exit_code, said["exit"], said["reason"]) == (130, 130, "INTERRUPTED")
    assert said["letter"] == f"letters/{kept.name}"
    assert "dabir send --resume" in said["message"]
    assert said["message"] in done.stderr
    done, said = run(profile, "send", "--resume")
    assert (done.exit_code, said["reason"]) == (130, "INTERRUPTED")
    assert said["waiting"] == [{"letter": f"letters/{kept.name}", "subject": "x"}]


@pytest.mark.parametrize(
    ("method", "typed"),
    [
        ("delivery", ("save", DELIVERY)),
        ("compose", ("send", "--to", "central-bank/main", "--subject", "x")),
    ],
)
def test_where_nothing_is_kept_it_is_run_again(
    method: str, typed: tuple[str, ...], profile: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, method, interrupted)
    done, said = run(profile, *typed, *([str(page)] if method == "compose" else []))
    assert (done.exit_code, said["reason"], said.get("letter")) == (130, "INTERRUPTED", None)
    assert "run it again" in said["message"]


def test_before_the_command_runs_it_ends_quietly(tmp_path: Path) -> None:
    """While the program's own code is read."""
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "dabir.cli"], env={**os.environ, "PYTHONPATH": path}, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_while_the_command_line_is_read_it_ends_quietly(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", interrupted)
    done = CliRunner().invoke(main, ["send", str(page)])
    assert (done.exit_code, done.output) == (130, "")
