"""What a command makes of what the hub gives, whatever it gives."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.cli.__main__ import main
from dabir.client import Client
from dabir.intake.v1 import letter_pb2
from tests.unit.client.member import DELIVERY, IAT_SECONDS, LETTER, PaperHub, write_profile


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    hub = PaperHub()
    return write_profile(hub, hub.seal(), tmp_path).path


def run(profile: Path, *typed: str) -> Result:
    return CliRunner().invoke(main, [*typed, "--profile", str(profile)])


@pytest.mark.parametrize("seconds", [10**15, 253_402_300_799, -(10**15)])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_an_instant_that_no_calendar_shows_does_not_verify(
    seconds: int, how: tuple[str, ...], profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_pb2.Letter(name=LETTER, registered_at=Timestamp(seconds=seconds))
    monkeypatch.setattr(Client, "letters", lambda *_: iter([letter]))
    done = run(profile, "letters", *how)
    assert (done.exit_code, "NO_INSTANT" in done.stderr) == (4, True)
    if how:
        assert json.loads(done.stdout)["reason"] == "NO_INSTANT"


@pytest.mark.parametrize("value", [0, 99])
def test_a_value_without_a_word_is_shown_as_its_number(
    value: int, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a newer hub may give it."""
    values = {"state": value, "priority": value, "classification": value}
    at = Timestamp(seconds=IAT_SECONDS)
    letter = letter_pb2.Letter(name=LETTER, registered_at=at, **values)  # type: ignore[arg-type]  # no such values
    envelope = letter_pb2.Envelope(delivery=DELIVERY, registered_at=at, reason=99, **values)  # type: ignore[arg-type]
    monkeypatch.setattr(Client, "letters", lambda *_: iter([letter]))
    monkeypatch.setattr(Client, "envelopes", lambda *_: iter([envelope]))
    for command, key in (("letters", "letters"), ("inbox", "deliveries")):
        assert run(profile, command).exit_code == 0
        (shown,) = json.loads(run(profile, command, "--json").stdout)[key]
        assert [shown["state"], shown["priority"], shown["classification"]] == [str(value)] * 3
    assert shown["reason"] == "99"
