"""The demo's letters on the whole stack, and that its check sees what is not as planned."""

import contextlib
import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from dabir.client.chains import Head
from dabir.common.v1.manifest_pb2 import CAPACITY_ACTING, CLASSIFICATION_CONFIDENTIAL, CLASSIFICATION_NORMAL
from infra.demo import check, render
from infra.demo.annexes import Annexes
from infra.demo.cast import Cast, Endpoints
from infra.demo.check import Before, Checked
from infra.demo.hooks import Receivers
from infra.demo.plan import FAULTY, REGISTERED, STORIES, Fault, Letter, Outcome
from infra.demo.play import Play, Travelled
from infra.demo.show import Stage
from infra.local.stack import Stack

KEYS = [
    "ok",
    "letters",
    "deliveries",
    "accepted",
    "refused_by_recipient",
    "answered",
    "returned",
    "withdrawn",
    "recall_refused",
    "read",
    "late",
    "refused_at_intake",
    "registry_gaps",
    "receipts_verified",
    "webhooks_verified",
    "statements",
    "seconds",
    "temporal_ui",
]


@dataclass
class Performance:
    """One run of the plan, to be checked as it was and otherwise."""

    others: Cast
    before: Before
    travelled: list[Travelled]
    receivers: Receivers

    def check(self, travelled: list[Travelled] | None = None, before: Before | None = None) -> Checked:
        return check.check(self.others, before or self.before, travelled or self.travelled, self.receivers.hooks(), [])

    def otherwise(self, number: str, **other: Any) -> Checked:
        """Checks one letter, with those that it depends on, as if the plan had said otherwise of it."""
        altered = next(one for one in self.travelled if one.planned.number == number)
        altered = dataclasses.replace(altered, planned=dataclasses.replace(altered.planned, **other))
        needed = {altered.planned.answers, altered.planned.overtakes, altered.planned.reuses}
        others = [
            one
            for one in self.travelled
            if one.planned.number != number and (one.planned.number in needed or one.planned.answers == number)
        ]
        checked = Checked()
        check.check_letters(self.others, checked, [altered, *others])
        return checked


@pytest.fixture(scope="module")
def performance(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    stage = Stage()
    with Cast(stack) as cast, Cast(stack) as others:
        stage.introduce(cast.members)
        before = check.look_before(others)
        with Receivers(cast.members) as receivers, Endpoints(cast, receivers, stack.directory / "demo"):
            folder = tmp_path_factory.mktemp("pages")
            travelled = Play(cast, receivers, stage, Annexes(), folder).perform()
            yield Performance(others, before, travelled, receivers)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan never said will not come: no use in waiting for it."""
    monkeypatch.setattr(check, "MOST_WAIT_SECONDS", 0.0)


def test_everything_is_as_planned(performance: Performance) -> None:
    checked = performance.check()
    assert checked.problems == []
    figures = dataclasses.asdict(checked)
    wanted = {
        "letters": 23,
        "deliveries": 39,
        "accepted": 37,
        "refused_by_recipient": 1,
        "answered": 5,
        "returned": 1,
        "withdrawn": 1,
        "recall_refused": 1,
        "read": 5,
        "late": 2,
        "refused_at_intake": 6,
        "registry_gaps": 0,
        "receipts_verified": 40,
    }
    assert {name: figures[name] for name in wanted} == wanted
    assert checked.webhooks_verified >= 39


class CaughtUp(Exception):
    """There is nothing more to give."""


def _end(position: int) -> None:
    raise CaughtUp


def test_every_body_may_watch_it_all_and_every_chain_holds(performance: Performance) -> None:
    """What services, workers and sequencer state together is, to each body that sees its part, without an alarm."""
    for body in performance.others.members:
        client = performance.others.client(body)
        watched: list[str] = []
        listed = [proven.name for proven in client.statements()]
        with contextlib.suppress(CaughtUp):
            watched.extend(proven.name for proven in client.watch(caught_up=_end))
        assert watched[: len(listed)] == listed, body
        assert client.alarms() == []


def letter(number: str) -> Letter:
    return next(letter for letter in REGISTERED if letter.number == number)


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
def test_another_outcome_than_planned_is_seen(performance: Performance, number: str, other: dict[str, Any]) -> None:
    assert performance.otherwise(number, **other).troubled


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("number", ["1", "5", "6-answer", "9", "16", "19", "22-again"])
def test_what_is_as_planned_is_not_taken_for_otherwise(performance: Performance, number: str) -> None:
    assert performance.otherwise(number).problems == []


@pytest.mark.usefixtures("impatient")
def test_a_gap_in_a_book_is_seen(performance: Performance) -> None:
    stated = check.all_statements(performance.others)
    book = next(link.chain for one in stated for link in one.says.links if "/interior/main/out/" in link.chain)
    forged = {**performance.before.heads, book: Head(7, b"\1" * 32)}
    checked = performance.check(before=dataclasses.replace(performance.before, heads=forged))
    assert checked.registry_gaps > 0
    assert checked.problems


def test_a_hook_that_did_not_come_is_seen(performance: Performance) -> None:
    hooks = [hook for hook in performance.receivers.hooks() if hook.body != "central-bank"]
    checked = check.check(performance.others, performance.before, performance.travelled, hooks, [])
    assert checked.troubled == {"1", "3", "4", "5", "6"}


def test_a_hook_that_did_not_verify_is_seen(performance: Performance) -> None:
    hooks = performance.receivers.hooks()
    checked = check.check(performance.others, performance.before, performance.travelled, hooks, ["tax: forged"])
    assert checked.problems == ["a webhook did not verify: tax: forged"]


def test_the_command_ends_with_one_object_and_leaves_the_stack_as_it_was(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "damaged.pdf").write_bytes(b"%PDF-1.7 nothing more")
    (tmp_path / "unknown.xyz").write_bytes(b"?")
    done = subprocess.run(
        [sys.executable, "-m", "infra.demo", "--input", str(tmp_path)],
        env={"DABIR_STACK": str(stack.directory), "PATH": "/usr/bin:/bin", "PYTHONPATH": ".:protos/gen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert list(figures) == KEYS
    assert figures["ok"] is True
    assert figures["letters"] == 23, "of this run only"
    assert figures["temporal_ui"].startswith("http://127.0.0.1:"), "the stack was up before, so it stays"
    assert "damaged.pdf: DAMAGED" in done.stdout
    assert "unknown.xyz: MEDIA_TYPE_UNKNOWN" in done.stdout
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
    letters: tuple[Letter, ...] = (*REGISTERED, *FAULTY)
    numbers = [letter.number for letter in letters]
    assert len(set(numbers)) == len(numbers)
    assert all(letter.fault is None for letter in REGISTERED)
    assert {letter.fault for letter in FAULTY} == set(Fault)
    assert {to.outcome for letter in REGISTERED for to in letter.recipients} == set(Outcome)
    assert len(letter("4").recipients) == 12
    assert set(REGISTERED) == {letter for story in STORIES for letter in story}
