"""`dabir` against the whole stack: a letter there and its answer back, and a client that is killed on the way."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dabir.cli.__main__ import main
from dabir.client import Client, ClientError, RefusedError
from dabir.formats.statement import Event
from infra.demo import render
from infra.local.members import members, profile_folder
from infra.local.stack import Stack

WAIT_SECONDS = 60.0
SENDER, RECIPIENT = "planning", "enforcement"

Run = tuple[int, dict[str, Any]]


class Body:
    """A body at its command line."""

    def __init__(self, stack: Stack, body: str) -> None:
        member = next(member for member in members() if member.id == body)
        self.office = member.office
        self.profile = profile_folder(stack, member) / "profile.toml"
        self.client = Client.from_profile(self.profile)

    def run(self, *typed: str) -> Run:
        """A command with `--json`: exit code and answer."""
        done = CliRunner().invoke(main, [*typed, "--json", "--profile", str(self.profile)])
        return done.exit_code, json.loads(done.stdout)

    def await_delivery(self, delivery: str) -> None:
        """Until it lies in the mailbox."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with suppress(ClientError):
                self.client.delivery(delivery)
                return
            time.sleep(0.05)
        raise AssertionError(f"{delivery} did not come")

    def is_registered(self, letter: str) -> bool:
        """Whether intake holds the letter."""
        try:
            return self.client.letter(letter).name == letter
        except RefusedError:
            return False

    def await_registrations(self, letter: str) -> int:
        """How often the letter is registered, by the ledger, once it is there: positions follow a moment later."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            stated = self.client.statements(letter)
            if found := sum(proven.event is Event.SUBMISSION_ACCEPTANCE for proven in stated):
                return found
            time.sleep(0.05)
        return 0


@pytest.fixture
def sender(stack: Stack) -> Iterator[Body]:
    body = Body(stack, SENDER)
    yield body
    body.client.close()


@pytest.fixture
def recipient(stack: Stack) -> Iterator[Body]:
    body = Body(stack, RECIPIENT)
    yield body
    body.client.close()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    paper = render.Paper("فرستنده", "دبیرخانه", "ف", (), (), ("گیرنده",), "آزمون", ("متن نامه.",), "رئیس")
    path = tmp_path / "نامه.pdf"
    path.write_bytes(render.pdf(paper))
    return path


def test_a_letter_there_and_its_answer_back(sender: Body, recipient: Body, page: Path, tmp_path: Path) -> None:
    code, sent = sender.run("send", "--to", recipient.office, "--subject", "آزمون", "--answer-needed", str(page))
    assert code == 0
    letter = sent["letter"]["name"]
    delivery = f"{letter}/deliveries/1"
    recipient.await_delivery(delivery)

    code, refused = recipient.run("reply", delivery, "--subject", "زود", str(page))
    assert (code, refused["reason"]) == (1, "ACCEPT_FIRST")
    code, closed = recipient.run("save", delivery, "--to", str(tmp_path / "early"))
    assert (code, closed["reason"]) == (1, "NOT_ACCEPTED")
    assert not (tmp_path / "early").exists()

    code, accepted = recipient.run("accept", delivery, "--incoming-number", "و/۷", "--incoming-date", "۱۴۰۵/۹/۱")
    assert (code, accepted["decided_now"], accepted["subject"]) == (0, True, "آزمون")
    code, again = recipient.run("accept", delivery)
    assert (code, again["statement"]["name"]) == (0, accepted["statement"]["name"])
    code, late = recipient.run("refuse", delivery, "--reason", "duplicate")
    assert (code, late["decided_now"], late["delivery"]["state"]) == (1, False, "accepted")

    for _ in range(2):  # the second finds everything there, and confirms it again
        code, saved = recipient.run("save", delivery, "--to", str(tmp_path / "saved"))
        assert code == 0
    assert Path(saved["files"][0]).read_bytes() == page.read_bytes()

    code, answer = recipient.run("reply", delivery, "--subject", "پاسخ آزمون", str(page))
    assert code == 0
    code, life = sender.run("letter", letter)
    assert (code, life["gaps"], len(life["receipts"])) == (0, [], 1)
    assert life["receipts"][0]["incoming_number"] == "و/۷"
    assert life["deliveries"][0]["answer"] == answer["letter"]["name"]
    code, branch = recipient.run("letter", delivery)
    assert (code, branch["gaps"], branch["in_number"]) == (0, [], accepted["delivery"]["in_number"])
    assert sender.run("letters", "--limit", "1")[1]["letters"][0]["name"] == letter


def test_a_receipt_that_the_hub_refuses_does_not_stand_in_the_way(sender: Body, recipient: Body, page: Path) -> None:
    typed = ("--to", recipient.office, "--subject", "آزمون", "--definition", "circular/1", str(page))
    delivery = sender.run("send", *typed)[1]["letter"]["name"] + "/deliveries/1"
    recipient.await_delivery(delivery)
    code, said = recipient.run("refuse", delivery, "--reason", "not-competent")
    assert (code, said["reason"]) == (1, "REFUSAL_REASON_NOT_PERMITTED")
    code, refused = recipient.run("refuse", delivery, "--reason", "duplicate")
    assert (code, refused["statement"]["reason"]) == (0, "RETURN_REASON_DUPLICATE")
    code, again = recipient.run("accept", delivery)
    assert (code, again["decided_now"], again["delivery"]["state"]) == (1, False, "refused")


def test_another_bodys_letter_does_not_exist(stack: Stack, sender: Body, recipient: Body, page: Path) -> None:
    letter = sender.run("send", "--to", recipient.office, "--subject", "آزمون", str(page))[1]["letter"]["name"]
    recipient.await_delivery(f"{letter}/deliveries/1")
    stranger = Body(stack, "tax")
    for typed in (("letter", letter), ("letter", f"{letter}/deliveries/1"), ("accept", f"{letter}/deliveries/1")):
        code, said = stranger.run(*typed)
        assert (code, said["reason"]) in {(1, "LETTER_NOT_FOUND"), (1, "DELIVERY_NOT_FOUND")}
    stranger.client.close()


# A client that dies at a chosen line: what it was about to do is replaced by SIGKILL.
KILLED = """
import os, signal, sys
from dabir.client import hub, journal
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
kind = sys.argv.pop(1)
if kind == "before the upload":
    from dabir.client import documents
    documents.upload = die
elif kind == "before the answer is read":
    called = hub.Hub.call
    def call(self, method, request, **rest):
        answer = called(self, method, request, **rest)
        die() if type(request).__name__ == "SubmitLetterRequest" else None
        return answer
    hub.Hub.call = call
else:
    journal.LetterEntry.settle_registered = die
from dabir.cli.__main__ import main
main()
"""


@pytest.mark.parametrize("kind", ["before the upload", "before the answer is read", "before the answer is kept"])
def test_a_killed_client_sends_again_and_the_letter_is_registered_once(
    kind: str, sender: Body, recipient: Body, page: Path
) -> None:
    before = {entry.letter for entry in sender.client.journal.letters()}
    typed = ["send", "--profile", str(sender.profile), "--to", recipient.office, "--subject", "آزمون", str(page)]
    done = subprocess.run([sys.executable, "-c", KILLED, kind, *typed], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    (letter,) = {entry.letter for entry in sender.client.journal.unsettled()} - before
    assert sender.is_registered(letter) is (kind != "before the upload")

    code, resumed = sender.run("send", "--resume")
    assert (code, [one["letter"]["name"] for one in resumed["sent"]]) == (0, [letter])
    digest = hashlib.sha256(sender.client.journal.letter(letter).manifest).hexdigest()  # type: ignore[union-attr]  # it is there
    assert resumed["sent"][0]["letter"]["manifest_sha256"] == digest
    assert sender.await_registrations(letter) == 1
    assert sender.run("send", "--resume")[1]["sent"] == []
