"""What a command makes of what the hub gives, whatever it gives."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.cli.__main__ import main
from dabir.client import Client
from dabir.client.chains import Gap
from dabir.client.life import Life
from dabir.client.receiving import Decided
from dabir.client.trust import Trust
from dabir.intake.v1 import letter_pb2
from tests.unit.client.member import DELIVERY, HUB, IAT_SECONDS, LETTER, PaperHub, state, write_profile


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


def test_who_decides_otherwise_gets_what_every_failure_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of a fresh statement no position: the ledger gives it a moment later."""
    hub = PaperHub()
    seal = hub.seal()
    member = write_profile(hub, seal, tmp_path)
    stated = state(seal)
    stated.ClearField("position")
    withdrawn = letter_pb2.Delivery(
        envelope=letter_pb2.Envelope(delivery=DELIVERY, state=letter_pb2.DELIVERY_STATE_WITHDRAWN)
    )
    decided = Decided(withdrawn, Trust(member.trust, HUB).statement(stated), by_us=False, opened=None)
    monkeypatch.setattr(Client, "accept", lambda *_: decided)
    done = run(member.path, "accept", DELIVERY, "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["ok"], said["exit"], said["reason"]) == (1, False, 1, "DECIDED_OTHERWISE")
    assert "what was decided first stands" in said["message"]
    assert (said["statement"]["name"], said["statement"]["position"]) == (stated.name, None)


def test_a_life_with_a_gap_has_what_every_failure_has(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "delivery", lambda *_: letter_pb2.Delivery())
    monkeypatch.setattr(Client, "life", lambda *_: Life(DELIVERY, (), (), (), (Gap(DELIVERY, 2, "stands after 0"),)))
    done = run(profile, "letter", DELIVERY, "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["exit"], said["reason"], len(said["gaps"])) == (4, 4, "CHAIN_BROKEN", 1)
