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

    def await_statements(self, letter: str, event: Event) -> list[str]:
        """The statements of an event, by the ledger, once there is one: positions follow a moment later."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if found := [proven.name for proven in self.client.statements(letter) if proven.event is event]:
                return found
            time.sleep(0.05)
        return []


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
    assert (late["exit"], late["reason"]) == (1, "DECIDED_OTHERWISE")

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


def send(sender: Body, recipient: Body, page: Path, *typed: str) -> str:
    """A letter in the recipient's mailbox; its only delivery."""
    code, sent = sender.run("send", "--to", recipient.office, "--subject", "آزمون", *typed, str(page))
    assert code == 0, sent
    delivery = f"{sent['letter']['name']}/deliveries/1"
    recipient.await_delivery(delivery)
    return delivery


def test_a_letter_is_read_and_returned(sender: Body, recipient: Body, page: Path, tmp_path: Path) -> None:
    delivery = send(sender, recipient, page)
    for early in (("read", delivery, "--position", "مدیر"), ("return", delivery, "--reason", "unreadable")):
        code, said = recipient.run(*early)
        assert (code, said["reason"]) == (1, "NOT_ACCEPTED")
    assert recipient.run("accept", delivery)[0] == 0
    assert recipient.run("save", delivery, "--to", str(tmp_path / "saved"))[0] == 0
    code, read = recipient.run("read", delivery, "--position", "مدیر اجرای احکام")
    assert (code, read["statement"]["operator"]) == (0, "مدیر اجرای احکام")
    assert recipient.run("read", delivery, "--position", "مدیر اجرای احکام")[1]["statement"] != read["statement"]

    code, returned = recipient.run("return", delivery, "--reason", "attachment-missing")
    assert (code, returned["decided_now"], returned["delivery"]["state"]) == (0, True, "returned")
    code, again = recipient.run("return", delivery, "--reason", "unreadable")
    assert (code, again["decided_now"], again["delivery"]["reason"]) == (0, False, "attachment-missing")
    kept = next(one.receipt.receipt for one in sender.client.receipts(delivery) if one.receipt.receipt.reason)
    assert [(one.index, one.sha256) for one in kept.documents] == [(1, hashlib.sha256(page.read_bytes()).digest())]
    code, life = sender.run("letter", delivery.partition("/deliveries/")[0])
    assert (code, [one["verdict"] for one in life["receipts"]]) == (0, ["VERDICT_ACCEPTED", "VERDICT_RETURNED"])
    assert life["deliveries"][0]["read"]["position"] == "مدیر اجرای احکام"
    assert life["deliveries"][0]["returned_at"]


def test_what_was_refused_cannot_be_saved_and_it_says_why(sender: Body, recipient: Body, page: Path) -> None:
    delivery = send(sender, recipient, page)
    assert recipient.run("refuse", delivery, "--reason", "duplicate")[0] == 0
    code, said = recipient.run("save", delivery)
    assert (code, said["reason"]) == (1, "NOT_ACCEPTED")
    assert "was refused" in said["message"]


def test_a_name_that_no_disk_takes_is_shortened_and_it_is_said(
    sender: Body, recipient: Body, page: Path, tmp_path: Path
) -> None:
    named = page.rename(tmp_path / f"{'ن' * 124}.pdf")
    delivery = send(sender, recipient, named)
    assert recipient.run("accept", delivery)[0] == 0
    code, saved = recipient.run("save", delivery, "--to", str(tmp_path / "saved"))
    (file,), (renamed,) = saved["files"], saved["renamed"]
    assert (code, renamed["file_name"], Path(file).name) == (0, named.name, renamed["saved_as"])
    assert Path(file).read_bytes() == named.read_bytes()


@pytest.mark.parametrize(("answer", "state"), [("--grant", "withdrawn"), ("--refuse", "accepted")])
def test_a_recall_after_acceptance_is_answered(
    answer: str, state: str, sender: Body, recipient: Body, page: Path
) -> None:
    delivery = send(sender, recipient, page)
    letter = delivery.partition("/deliveries/")[0]
    assert recipient.run("accept", delivery)[0] == 0
    code, nobody = recipient.run("answer-recall", delivery, answer)
    assert (code, nobody["reason"]) == (1, "NO_RECALL")

    code, asked = sender.run("recall", letter, "--reason", "اشتباه")
    assert (code, asked["statement"]["event"]) == (0, Event.RECALL.value)
    code, again = sender.run("recall", letter, "--reason", "اشتباه")
    assert (code, again["recall"], again["statement"]["name"]) == (0, asked["recall"], asked["statement"]["name"])
    code, other = sender.run("recall", letter, "--reason", "دلیل دیگر")
    assert (code, other["reason"]) == (1, "DELIVERY_RECALLED")
    code, seen = recipient.run("letter", delivery)
    assert (code, [one["reason"] for one in seen["recalls"]], seen["recall"]["verdict"]) == (0, ["اشتباه"], None)

    code, answered = recipient.run("answer-recall", delivery, answer)
    assert (code, answered["decided_now"], answered["delivery"]["state"]) == (0, True, state)
    code, late = recipient.run("answer-recall", delivery, {"--grant": "--refuse", "--refuse": "--grant"}[answer])
    assert (code, late["decided_now"], late["statement"]["name"]) == (1, False, answered["statement"]["name"])
    code, life = sender.run("letter", letter)
    assert (code, life["gaps"], len(life["receipts"]), len(life["recalls"])) == (0, [], 2, 1)


def test_who_accepts_what_was_recalled_is_told(sender: Body, recipient: Body, page: Path) -> None:
    delivery = send(sender, recipient, page)
    assert sender.run("recall", delivery.partition("/deliveries/")[0], "--delivery", "1", "--reason", "اشتباه")[0] == 0
    code, outcome = recipient.run("accept", delivery)
    assert (code, outcome["decided_now"], outcome["delivery"]["state"]) == (1, False, "withdrawn")
    code, said = recipient.run("save", delivery)
    assert (code, said["reason"]) == (1, "NOT_ACCEPTED")
    assert "was withdrawn" in said["message"]


def test_a_letter_that_overtakes_the_one_it_revokes_is_held(
    sender: Body, recipient: Body, page: Path, tmp_path: Path
) -> None:
    order = send(sender, recipient, page)
    letter = order.partition("/deliveries/")[0]
    overtaking = send(sender, recipient, page, "--revokes", letter)
    code, accepted = recipient.run("accept", overtaking)
    assert (code, accepted["ok"], accepted["delivery"]["state"]) == (6, True, "accepted")
    assert accepted["held"] == [{"kind": "revokes", "letter": letter, "delivery": order}]
    code, held = recipient.run("save", overtaking, "--to", str(tmp_path / "held"))
    assert (code, held["reason"]) == (6, "HELD")
    assert order in held["message"]
    assert not (tmp_path / "held").exists()
    assert recipient.run("save", overtaking, "--although-held", "--to", str(tmp_path / "although"))[0] == 0

    assert recipient.run("accept", order)[0] == 0
    code, again = recipient.run("accept", overtaking)
    assert (code, again["held"]) == (0, [])
    assert recipient.run("save", overtaking, "--to", str(tmp_path / "held"))[0] == 0


def test_a_letter_that_comes_after_the_one_it_revokes_is_not_held(
    sender: Body, recipient: Body, page: Path, tmp_path: Path
) -> None:
    order = send(sender, recipient, page)
    assert recipient.run("accept", order)[0] == 0
    after = send(sender, recipient, page, "--revokes", order.partition("/deliveries/")[0])
    code, accepted = recipient.run("accept", after)
    assert (code, accepted["held"]) == (0, [])
    assert recipient.run("save", after, "--to", str(tmp_path / "saved"))[0] == 0


def test_a_letter_to_one_that_never_came_is_held_but_not_as_a_copy(
    stack: Stack, sender: Body, recipient: Body, page: Path
) -> None:
    """Nor is what is said to a letter of the recipient's own."""
    elsewhere = Body(stack, "economy")
    letter = send(sender, elsewhere, page).partition("/deliveries/")[0]
    code, accepted = recipient.run("accept", send(sender, recipient, page, "--corrects", letter))
    assert (code, accepted["held"]) == (6, [{"kind": "corrects", "letter": letter, "delivery": None}])
    typed = ("--to", elsewhere.office, "--copy", recipient.office, "--subject", "آزمون", "--corrects", letter)
    copied = sender.run("send", *typed, str(page))[1]["letter"]["name"] + "/deliveries/2"
    recipient.await_delivery(copied)
    assert recipient.run("accept", copied)[0] == 0
    assert sender.run("accept", send(elsewhere, sender, page, "--follow-up", letter))[0] == 0
    elsewhere.client.close()


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
elif kind.startswith("request "):  # "request WHICH before" or "after" it is sent
    called = hub.Hub.call
    _, which, when = kind.split()
    def call(self, method, request, **rest):
        mine = type(request).__name__ == which
        die() if mine and when == "before" else None
        answer = called(self, method, request, **rest)
        die() if mine else None
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
    assert len(sender.await_statements(letter, Event.SUBMISSION_ACCEPTANCE)) == 1
    assert sender.run("send", "--resume")[1]["sent"] == []


def test_a_client_ended_by_ctrl_c_says_which_letter_waits(sender: Body, recipient: Body, page: Path) -> None:
    typed = ["send", "--json", "--profile", str(sender.profile), "--to", recipient.office, "--subject", "آزمون"]
    ended = KILLED.replace("SIGKILL", "SIGINT")
    kind = "before the answer is read"
    done = subprocess.run([sys.executable, "-c", ended, kind, *typed, str(page)], check=False, capture_output=True)
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit"], said["reason"]) == (130, 130, "INTERRUPTED")
    assert "dabir send --resume" in said["message"]
    code, resumed = sender.run("send", "--resume")
    assert (code, [one["letter"]["name"] for one in resumed["sent"]]) == (0, [said["letter"]])


def sealed(body: Body, letter: str) -> dict[str, bytes]:
    """Every receipt and recall of a letter in the body's journal, by file."""
    journal = body.profile.parent / "journal"
    files = [file for room in ("receipts", "recalls") for file in (journal / room).glob(f"{letter[8:]}.*/*")]
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


KILLED_LATER = [
    ("recall", "RecallLetterRequest", Event.RECALL, ("recall", "LETTER", "--reason", "اشتباه")),
    ("return", "ReturnDeliveryRequest", Event.RETURNED, ("return", "DELIVERY", "--reason", "unreadable")),
    ("read", "MarkReadRequest", Event.CONTENT_ACCESS_TRACKING, ("read", "DELIVERY", "--position", "مدیر")),
    ("answer", "AnswerRecallRequest", Event.RECALL_ANSWERED, ("answer-recall", "DELIVERY", "--refuse")),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("act", "request_name", "event", "typed"), KILLED_LATER, ids=lambda value: str(value)[:12])
def test_a_client_killed_around_a_request_sends_the_same_again(
    act: str,
    request_name: str,
    event: Event,
    typed: tuple[str, ...],
    when: str,
    sender: Body,
    recipient: Body,
    page: Path,
) -> None:
    delivery = send(sender, recipient, page)
    letter = delivery.partition("/deliveries/")[0]
    assert recipient.run("accept", delivery)[0] == 0
    if act == "answer":
        assert sender.run("recall", letter, "--reason", "اشتباه")[0] == 0
    body = sender if act == "recall" else recipient
    typed = tuple({"LETTER": letter, "DELIVERY": delivery}.get(word, word) for word in typed)
    kind = f"request {request_name} {when}"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, kind, *typed, "--profile", str(body.profile)], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = sealed(body, letter)

    code, again = body.run(*typed)
    assert code == 0, again
    if act != "read":
        assert sealed(body, letter) == kept, "the very bytes that were signed before the kill"
        assert again.get("decided_now", True)
    assert sender.await_statements(letter, event) == [again["statement"]["name"]]
