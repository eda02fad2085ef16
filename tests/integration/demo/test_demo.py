"""The demo's letters on the whole stack, and that its check sees what is not as planned."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from dabir.client import Client
from dabir.client.chains import Head
from dabir.common.v1.manifest_pb2 import CAPACITY_ACTING, CLASSIFICATION_CONFIDENTIAL, CLASSIFICATION_NORMAL
from dabir.formats.statement import Event
from infra.demo import check, render
from infra.demo.__main__ import figures_of, run
from infra.demo.annexes import deal
from infra.demo.cast import Cast
from infra.demo.check import Checked
from infra.demo.performance import Performance, perform
from infra.demo.plan import PLAN, Fault, Letter, Outcome, Plan
from infra.demo.show import Stage
from infra.local import control, interruption
from infra.local.stack import Stack, StackError
from tests.integration.planned import KEYS, is_planned


class Settled(Cast):
    """Clients that ask the hub each thing once: when the letters have travelled, its answers stay the same."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._settled: dict[str, Answers] = {}

    def client(self, body: str) -> Any:
        return self._settled.setdefault(body, Answers(super().client(body)))


class Answers:
    """A client whose answers are kept; where it is refused something it asks again."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        asked = functools.cache(getattr(self._client, name))
        setattr(self, name, asked)
        return asked


@dataclass
class Played:
    """The whole plan, played once: what came of it, what was said of it, and clients to read it back with."""

    performance: Performance
    said: str
    others: Settled

    def otherwise(self, number: str, **other: Any) -> Checked:
        """Checks one letter, with those that it depends on, as if the plan had said otherwise of it."""
        travelled = self.performance.travelled
        altered = next(one for one in travelled if one.planned.number == number)
        altered = dataclasses.replace(altered, planned=dataclasses.replace(altered.planned, **other))
        needed = {altered.planned.answers, altered.planned.overtakes, altered.planned.reuses}
        others = [
            one
            for one in travelled
            if one.planned.number != number and (one.planned.number in needed or one.planned.answers == number)
        ]
        checked = Checked()
        check.check_letters(self.others, checked, [altered, *others])
        return checked


@pytest.fixture(scope="module")
def played(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder, said = tmp_path_factory.mktemp("annexes"), io.StringIO()
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.7 nothing more")
    (folder / "unknown.xyz").write_bytes(b"?")
    try:
        with contextlib.redirect_stdout(said):
            performance = perform(PLAN, stack, Stage(), deal(folder, PLAN.registered))
    finally:
        print(said.getvalue())
    with Settled(stack) as others:
        yield Played(performance, said.getvalue(), others)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan never said will not come: no use in waiting for it."""
    monkeypatch.setattr(check, "MOST_WAIT_SECONDS", 0.0)


def test_everything_is_as_planned(played: Played) -> None:
    checked = played.performance.checked
    assert checked.problems == []
    assert is_planned(figures_of(checked, seconds=0.0, temporal_ui=None))


def test_a_file_that_cannot_go_along_is_told(played: Played) -> None:
    assert "damaged.pdf: DAMAGED" in played.said
    assert "unknown.xyz: MEDIA_TYPE_UNKNOWN" in played.said


class CaughtUp(Exception):
    """There is nothing more to give."""


def _end(position: int) -> None:
    raise CaughtUp


def test_every_body_may_watch_it_all_and_every_chain_holds(stack: Stack, played: Played) -> None:
    """What services, workers and sequencer state together is, to each body that sees its part, without an alarm."""
    with Cast(stack) as watchers:
        for body in watchers.members:
            client, listed = watchers.client(body), [proven.name for proven in played.others.client(body).statements()]
            watched: list[str] = []
            with contextlib.suppress(CaughtUp):
                watched.extend(proven.name for proven in client.watch(caught_up=_end))
            assert watched[: len(listed)] == listed, body
            assert client.alarms() == []


def letter(number: str) -> Letter:
    return next(letter for letter in PLAN.registered if letter.number == number)


def to(number: str, place: int = 0, **other: Any) -> dict[str, object]:
    """The letter's recipients, one of them otherwise."""
    recipients = list(letter(number).recipients)
    recipients[place] = dataclasses.replace(recipients[place], **other)
    return {"recipients": tuple(recipients)}


def signer(number: str, **other: Any) -> dict[str, object]:
    """The letter's first signer, otherwise."""
    first, *rest = letter(number).signers
    return {"signers": (dataclasses.replace(first, **other), *rest)}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("number", "other"),
    [
        ("2", to("2", outcome=Outcome.REFUSED)),
        ("12", to("12", outcome=Outcome.ACCEPTED)),
        ("1", to("1", outcome=Outcome.ACCEPTED_LATE)),
        ("18", to("18", outcome=Outcome.ACCEPTED)),
        ("7", to("7", 3, outcome=Outcome.ACCEPTED)),
        ("15", to("15", outcome=Outcome.ACCEPTED)),
        ("3", to("3", outcome=Outcome.RETURNED)),
        ("16", to("16", outcome=Outcome.REFUSED)),
        ("3", to("3", outcome=Outcome.WITHDRAWN)),
        ("17", to("17", outcome=Outcome.ACCEPTED)),
        ("3", to("3", outcome=Outcome.RECALL_REFUSED)),
        ("1", to("1", read_by="")),
        ("19", to("19", read_by="another position")),
        ("3", to("3", read_by="رئیس کل بانک مرکزی")),
        ("5", to("5", 1, note="another note")),
        ("5", to("5", 1, is_copy=False)),
        ("5", to("5", 2, without_annex=False)),
        ("5", to("5", 1, without_annex=True)),
        ("10", {"signers": letter("10").signers[:1]}),
        ("19", signer("19", capacity=CAPACITY_ACTING)),
        ("19", signer("19", decree="another decree")),
        ("19", {"classification": CLASSIFICATION_NORMAL}),
        ("1", {"classification": CLASSIFICATION_CONFIDENTIAL}),
        ("17", {"earlier": ()}),
        ("3", {"earlier": ()}),
        ("8", {"overtakes": "9"}),
        ("2", {"closes": True}),
        ("6", {"closes": False}),
        ("4", {"recipients": letter("4").recipients[:11]}),
        ("4", {"subject": "another subject"}),
        ("21", {"fault": Fault.DIGEST}),
        ("22-again", {"reuses": "17"}),
        ("6-answer", {"answers": ""}),
    ],
)
def test_another_outcome_than_planned_is_seen(played: Played, number: str, other: dict[str, Any]) -> None:
    assert played.otherwise(number, **other).troubled


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("number", ["1", "5", "6-answer", "9", "16", "19", "22-again"])
def test_what_is_as_planned_is_not_taken_for_otherwise(played: Played, number: str) -> None:
    assert played.otherwise(number).problems == []


@pytest.mark.usefixtures("impatient")
def test_a_gap_in_a_book_and_hooks_that_did_not_come_or_verify_are_seen(played: Played) -> None:
    """And nothing else, where all else is as planned."""
    performance = played.performance
    first = next(one for one in performance.travelled if one.planned.number == "1")
    (registered,) = [
        one
        for one in played.others.client(first.planned.sender).statements(first.name)
        if one.event is Event.SUBMISSION_ACCEPTANCE
    ]
    book = next(link.chain for link in registered.says.links if "/interior/main/out/" in link.chain)
    forged = {**performance.before.heads, book: Head(7, b"\1" * 32)}
    before = dataclasses.replace(performance.before, heads=forged)
    hooks = [hook for hook in performance.hooks if hook.body != "central-bank"]
    checked = check.check(played.others, before, performance.travelled, hooks, ["tax: forged"])
    assert checked.registry_gaps > 0
    gaps, rest = checked.problems[: checked.registry_gaps], checked.problems[checked.registry_gaps :]
    assert all(problem.startswith(book) for problem in gaps)
    *not_told, unverified = rest
    assert not_told == [f"letter {number}: Central Bank was not told by a hook" for number in ("1", "3", "4", "5", "6")]
    assert checked.troubled == {"1", "3", "4", "5", "6"}
    assert unverified == "a webhook did not verify: tax: forged"


SHORT = Plan(((letter("11"), letter("11-answer")),))


def test_the_demo_ends_with_one_object_and_leaves_the_stack_as_it_was(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole plan, the stack's start and its end: tests/integration/readme."""
    assert run(SHORT, stack.directory) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(figures) == KEYS
    assert figures["ok"] is True
    assert (figures["letters"], figures["answered"]) == (2, 1), "of this run only"
    assert figures["temporal_ui"].startswith("http://127.0.0.1:"), "the stack was up before, so it stays"
    assert control.is_running(stack.directory)
    assert not (stack.directory / "demo" / "endpoints.json").exists()


def test_a_demo_that_cannot_run_ends_with_one_object_that_is_not_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def up(*_: object) -> Stack:
        raise StackError("it does not come up")

    monkeypatch.setattr(control, "up", up)
    assert run(SHORT, tmp_path / "state") == 1
    out = capsys.readouterr().out
    assert "StackError: it does not come up" in out
    figures = json.loads(out.splitlines()[-1])
    assert list(figures) == KEYS
    assert (figures["ok"], figures["letters"], figures["temporal_ui"]) == (False, 0, None)


def test_ctrl_c_ends_the_demo_in_one_sentence_and_leaves_a_stack_that_was_up(stack: Stack) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "infra.demo"],
        cwd=control.CHECKOUT,
        env={**os.environ, "DABIR_STACK": str(stack.directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with demo:
        assert demo.stdout is not None
        while "ثبت شد" not in demo.stdout.readline():  # the letters travel
            assert demo.poll() is None
        os.killpg(demo.pid, signal.SIGINT)
        said = demo.communicate(timeout=60)[1]
    assert (demo.returncode, said) == (interruption.STATUS, "Interrupted: the stack stays up (make down ends it).\n")
    assert all(process["state"] == "up" for process in control.status(stack.directory).values())
    assert not (stack.directory / "demo" / "endpoints.json").exists()


def test_a_page_is_the_same_bytes_each_time_and_set_in_the_repositorys_font() -> None:
    paper = render.Paper(
        "وزارت", "دبیرخانه", "و", (("شماره:", "۱"),), ("فوری",), ("گیرنده",), "موضوع", ("متن",), "وزیر"
    )
    page = render.pdf(paper)
    assert render.pdf(paper) == page
    assert render.pdf(dataclasses.replace(paper, subject="دیگر")) != page
    with pikepdf.open(io.BytesIO(page)) as read:
        fonts = {str(font.BaseFont) for font in read.pages[0].Resources.Font.values()}
    assert fonts
    assert all("Vazirmatn" in font for font in fonts)


def test_the_plan_is_whole() -> None:
    registered, faulty = PLAN.registered, PLAN.faulty
    numbers = [letter.number for letter in (*registered, *faulty)]
    assert len(set(numbers)) == len(numbers)
    assert all(letter.fault is None for letter in registered)
    assert {letter.fault for letter in faulty} == set(Fault)
    assert {to.outcome for letter in registered for to in letter.recipients} == set(Outcome)
    assert len(letter("4").recipients) == 12
    assert set(registered) == {letter for story in PLAN.stories for letter in story}
