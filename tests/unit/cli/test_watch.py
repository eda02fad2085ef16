"""`dabir watch` as the process that a person or a supervisor runs: killed, ended, alarmed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dabir.cli.__main__ import main
from tests.unit.client.feed import Feeds, Ledger, serving

DEADLINE_SECONDS = 60


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Feeds, Ledger, Path]]:
    """A feed, its ledger and the profile of who reads it."""
    with serving(tmp_path) as (feeds, ledger, _):
        feeds.statements = ledger.stated
        yield feeds, ledger, tmp_path / "member" / "profile.toml"


class Watch:
    """A running `dabir watch --json`."""

    def __init__(self, profile: Path) -> None:
        self._said = profile.parent / "stderr"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dabir.cli", "watch", "--json"],
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, "DABIR_PROFILE": str(profile)},
            )

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    def line(self) -> dict[str, Any]:
        """The next line, which the process prints by itself."""
        assert self._process.stdout is not None
        read: dict[str, Any] = json.loads(self._process.stdout.readline())
        return read

    def wait_until_it_says(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.said:
            assert self._process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def end(self, how: signal.Signals | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Sends the signal; gives the exit status and what else was printed."""
        if how is not None:
            self._process.send_signal(how)
        out, _ = self._process.communicate(timeout=DEADLINE_SECONDS)
        return self._process.returncode, [json.loads(one) for one in out.splitlines()]


def caught_up_and_interrupted(profile: Path) -> tuple[int, list[int], str]:
    """Exit status, positions and standard error of a watch that is left by Ctrl-C once it has everything."""
    watch = Watch(profile)
    watch.wait_until_it_says("up to this position")
    status, printed = watch.end(signal.SIGINT)
    return status, [one["position"] for one in printed], watch.said


def test_a_watch_that_is_killed_goes_on_where_it_was(hub: tuple[Feeds, Ledger, Path]) -> None:
    _, ledger, profile = hub
    for place in range(1, 8):
        ledger.register(place)
    watch = Watch(profile)
    first = watch.line()
    assert (first["ok"], first["position"], first["number"]) == (True, 1, "1")
    status, printed = watch.end(signal.SIGKILL)
    assert status == -signal.SIGKILL
    before = [1, *(one["position"] for one in printed)]
    assert before == list(range(1, len(before) + 1))
    status, after, said = caught_up_and_interrupted(profile)
    assert (status, "Traceback" in said) == (0, False)
    # What was printed may not have been kept as printed: then it comes once more, and nothing else does.
    assert after in (list(range(len(before), 8)), list(range(len(before) + 1, 8)))
    assert caught_up_and_interrupted(profile)[:2] == (0, [])


def test_an_alarm_has_its_own_exit_code_and_is_remembered(hub: tuple[Feeds, Ledger, Path]) -> None:
    feeds, ledger, profile = hub
    for place in (1, 2, 3):
        ledger.register(place)
    feeds.statements = [one for one in ledger.stated if one.position != 2]
    watch = Watch(profile)
    status, printed = watch.end()
    assert status == 5
    assert [one.get("position") for one in printed] == [1, None]
    assert (printed[1]["ok"], printed[1]["exit"], printed[1]["reason"]) == (False, 5, "STATEMENT_WITHHELD")
    assert "ALARM STATEMENT_WITHHELD books/interior/main/out/1405 3" in watch.said
    status, positions, said = caught_up_and_interrupted(profile)
    assert (status, positions) == (5, [3]), "it goes on behind the alarm, which stands"
    assert "ALARM" in said
    settled = CliRunner().invoke(main, ["watch", "--settle", "--json"], env={"DABIR_PROFILE": str(profile)})
    assert [one["statement"] for one in json.loads(settled.stdout)["settled"]] == [ledger.stated[2].name]
    assert caught_up_and_interrupted(profile)[:2] == (0, [])


def test_a_position_below_0_is_asked_wrongly() -> None:
    assert CliRunner().invoke(main, ["watch", "--after", "-1"], env={"DABIR_PROFILE": None}).exit_code == 2
