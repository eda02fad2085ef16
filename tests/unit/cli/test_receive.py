"""What a recipient is shown of what came to it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.cli.__main__ import main
from dabir.client import Client
from dabir.client.life import Life
from dabir.client.opening import Held, Opened
from dabir.client.receiving import Decided
from dabir.client.trust import SignedManifest
from dabir.common.v1 import manifest_pb2 as pb
from dabir.common.v1.statement_pb2 import StatementEvent
from dabir.directory.v1.directory_pb2 import Office
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from tests.unit.client.member import DELIVERY, IAT_SECONDS, LETTER, OFFICE, PaperHub, write_profile
from tests.unit.client.test_opening import opened, proven

OTHER = LETTER.replace("7", "8")
DUE = Timestamp(seconds=IAT_SECONDS)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    hub = PaperHub()
    return write_profile(hub, hub.seal(), tmp_path).path


def run(profile: Path, *typed: str) -> Result:
    return CliRunner().invoke(main, [*typed, "--profile", str(profile)])


def envelope(**given: object) -> letter_pb2.Envelope:
    made = letter_pb2.Envelope(
        delivery=DELIVERY,
        state=letter_pb2.DELIVERY_STATE_ACCEPTED,
        priority=pb.PRIORITY_NORMAL,
        classification=pb.CLASSIFICATION_NORMAL,
    )
    made.MergeFrom(letter_pb2.Envelope(**given))  # type: ignore[arg-type]  # fields of the message
    return made


def letter() -> Opened:
    """One of which everything is said, held back by another one."""
    given = opened(DELIVERY)
    manifest = pb.Manifest(subject="order", abstract="in short\nand on", sender=pb.ManifestSender(number="n/7"))
    manifest.sender.date = "2026-11-22"
    manifest.signers.add(position="minister")
    manifest.signers.add(position="head", capacity=pb.CAPACITY_DEPUTY, on_behalf_of="chief", decree="45")
    manifest.recipients.add(office=OFFICE, note="to you", answer_needed=True)
    manifest.recipients.add(office="bodies/a/offices/b", note="to another")
    manifest.relations.add(kind=pb.RELATION_KIND_REVOKES, letter=OTHER)
    manifest.relations.add(kind=pb.RELATION_KIND_CITES, body="ministry", number="12/3", date="2026-11-21")
    manifest.documents.add(index=1, file_name="letter.pdf")
    held = (Held(pb.RELATION_KIND_REVOKES, OTHER, ""),)
    return replace(given, manifest=SignedManifest(manifest, b"", ()), held=held)


def shown_in_order(done: Result, *texts: str) -> bool:
    places = [done.output.find(text) for text in texts]
    assert -1 not in places, done.output
    return places == sorted(places)


@pytest.mark.parametrize("command", ["accept", "letter"])
def test_a_recipient_is_shown_what_was_signed(command: str, profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = letter()
    came = letter_pb2.Delivery(envelope=envelope(times={"answer_due": DUE, "late_answer": True}))
    came.content.SetInParent()
    decided = Decided(came, given.consignment_acceptance, by_us=True, opened=given)
    monkeypatch.setattr(Client, "accept", lambda *_: decided)
    monkeypatch.setattr(Client, "delivery", lambda *_: came)
    monkeypatch.setattr(Client, "open", lambda *_: given)
    monkeypatch.setattr(Client, "life", lambda *_: Life(DELIVERY, (), (), (), ()))
    done = run(profile, command, DELIVERY)
    assert done.exit_code == (6 if command == "accept" else 0)
    lines = ["subject: order", "signed by: minister", "signed by: head (deputy chief 45)"]
    lines += ["sender's number and date: \u2066n/7\u2069 ۱۴۰۵/۰۹/۰۱", f"relation: revokes {OTHER}"]
    lines += ["relation: cites ministry \u206612/3\u2069 ۱۴۰۵/۰۸/۳۰ (not verified)", "abstract: in short\nand on"]
    lines += ["note: to you", "answer by: ۱۴۰۵/۰۹/۰۱", "(late)", "documents: letter.pdf"]
    assert shown_in_order(done, *lines)
    assert "to another" not in done.output
    assert f"held: the earlier letter (revokes), {OTHER}, has not come" in done.output

    said = json.loads(run(profile, command, DELIVERY, "--json").stdout)
    assert (said["subject"], said["documents"], said["note"], said["abstract"]) == (
        "order", ["letter.pdf"], "to you", "in short\nand on"
    )  # fmt: skip
    assert (said["answer_needed"], said["sender_number"], said["sender_date"]) == (True, "n/7", "2026-11-22")
    assert [(one["position"], one["capacity"]) for one in said["signers"]] == [("minister", "self"), ("head", "deputy")]
    assert [(one["kind"], one["letter"]) for one in said["relations"]] == [("revokes", OTHER), ("cites", None)]
    assert said["held"] == [{"kind": "revokes", "letter": OTHER, "delivery": None}]


def test_of_what_is_closed_nothing_is_shown(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came = letter_pb2.Delivery(envelope=envelope())
    monkeypatch.setattr(Client, "delivery", lambda *_: came)
    monkeypatch.setattr(Client, "life", lambda *_: Life(DELIVERY, (), (), (), ()))
    said = json.loads(run(profile, "letter", DELIVERY, "--json").stdout)
    assert (said["subject"], said["documents"], said["held"]) == (None, [], [])
    assert "subject" not in run(profile, "letter", DELIVERY).output


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event.WITHDRAWN, "state: withdrawn (recalled by its sender)"),
        (Event.CONSIGNMENT_REJECTION, "state: withdrawn (before, by another receipt)"),
    ],
)
def test_who_comes_second_is_told_to_whom(
    event: Event, said: str, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = letter_pb2.Delivery(envelope=envelope(state=letter_pb2.DELIVERY_STATE_WITHDRAWN))
    decided = Decided(came, proven(event, DELIVERY, StatementEvent()), by_us=False, opened=None)
    monkeypatch.setattr(Client, "accept", lambda *_: decided)
    assert said in run(profile, "accept", DELIVERY).stdout


def test_letters_of_two_books_are_told_apart(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a number 1405/1."""
    for method, kind in (("letters", letter_pb2.Letter), ("envelopes", letter_pb2.Envelope)):
        found = [
            kind(classification=one, registry_number=letter_pb2.RegistryNumber(text="1405/1"))
            for one in (pb.CLASSIFICATION_NORMAL, pb.CLASSIFICATION_CONFIDENTIAL)
        ]
        monkeypatch.setattr(Client, method, lambda *_, found=found: iter(found))
    for command in ("letters", "inbox"):
        assert not set("\u2066\u2068\u2069") & set(run(profile, command, "--json").stdout)
        heading, *rows = run(profile, command).stdout.splitlines()
        assert "classification" in heading
        assert [("normal" in row, "confidential" in row) for row in rows] == [(True, False), (False, True)]


def test_the_inbox_shows_both_dues_and_what_is_late(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"acceptance_due": DUE, "answer_due": Timestamp(seconds=IAT_SECONDS + 86_400)}
    found = [envelope(times=times), envelope(times={**times, "late_acceptance": True, "late_answer": True})]
    monkeypatch.setattr(Client, "envelopes", lambda *_: iter(found))
    heading, in_time, late = run(profile, "inbox").stdout.splitlines()
    assert heading.index("accept by") < heading.index("answer by")
    assert in_time.index("۱۴۰۵/۰۹/۰۱") < in_time.index("۱۴۰۵/۰۹/۰۲")
    assert (in_time.count("(late)"), late.count("(late)")) == (0, 2)


@pytest.mark.parametrize("command", ["inbox", "letters"])
def test_an_office_that_is_not_ours_is_said(command: str, profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("letters", "envelopes"):
        monkeypatch.setattr(Client, method, lambda *_: iter(()))
    monkeypatch.setattr(Client, "offices", lambda *_: [Office(name=OFFICE)])
    for office in ("foo/bar", "interior/other"):
        done = run(profile, command, "--office", office, "--json")
        said = json.loads(done.stdout)
        assert (done.exit_code, said["reason"]) == (2, "NO_SUCH_OFFICE")
        assert OFFICE in said["message"]
    assert run(profile, command, "--office", "interior/main").exit_code == 0


def test_who_settles_alarms_is_told_how_many(profile: Path) -> None:
    assert run(profile, "watch", "--settle").stdout == "alarms settled: 0\n"
