"""Lateness, reminders, closing."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import delivery as rules
from services.intake.domain import errors
from services.intake.domain.model import Delivery
from tests.unit.intake.builders import NOW, definition, delivery, letter, recall

DUE = NOW.replace(microsecond=0) + timedelta(hours=1)
LATE = DUE + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({}, True),
        ({"late_acceptance": True}, False),
        ({"acceptance_due": None}, False),
        ({"state": "ACCEPTED"}, False),
        # The hub's fault.
        ({"available_at": LATE}, False),
        ({"available_at": DUE}, True),
    ],
)
def test_acceptance_is_late_once_and_only_by_the_recipient(changes: Any, late: bool) -> None:
    waiting = delivery(**({"acceptance_due": DUE} | changes))
    assert rules.acceptance_is_late(waiting, LATE) is late
    assert rules.acceptance_is_late(waiting, DUE) is False


@pytest.mark.parametrize(
    ("changes", "late"),
    [({}, True), ({"state": "ACCEPTED"}, True), ({"state": "ANSWERED"}, False), ({"late_answer": True}, False)],
)
def test_an_answer_is_late_once(changes: Any, late: bool) -> None:
    assert rules.answer_is_late(delivery(**({"answer_due": DUE} | changes)), LATE) is late


def test_a_flag_before_the_due_is_refused() -> None:
    waiting = delivery(acceptance_due=DUE)
    with pytest.raises(errors.NotLateYet) as refused:
        rules.check_flag(waiting, "acceptance", DUE, None)
    assert refused.value.retry_after_seconds == 0
    assert rules.check_flag(waiting, "acceptance", LATE, None) is True
    with pytest.raises(errors.NoSuchClock):
        rules.check_flag(waiting, "answer", LATE, None)


def test_what_was_recalled_by_the_due_is_not_late() -> None:
    waiting = delivery(acceptance_due=DUE, answer_due=DUE)
    for clock in ("acceptance", "answer"):
        assert rules.check_flag(waiting, clock, LATE, DUE) is False
        assert rules.check_flag(waiting, clock, LATE, LATE) is True


def test_after_a_timely_acceptance_a_flag_does_nothing() -> None:
    accepted = delivery(acceptance_due=DUE, answer_due=DUE, state="ACCEPTED", decided_at=NOW)
    assert rules.check_flag(accepted, "acceptance", NOW, None) is False
    assert rules.check_flag(accepted, "acceptance", LATE, None) is False
    with pytest.raises(errors.NotLateYet):
        rules.check_flag(accepted, "answer", DUE, None)
    assert rules.check_flag(accepted, "answer", LATE, None) is True


def test_what_is_not_in_the_mailbox_is_not_late() -> None:
    created = delivery(acceptance_due=DUE, state="CREATED", available_at=None)
    assert rules.check_flag(created, "acceptance", LATE, None) is False
    assert rules.hub_is_late(delivery(acceptance_due=DUE), LATE) is True
    assert rules.hub_is_late(delivery(acceptance_due=DUE), DUE) is False
    assert rules.hub_is_late(delivery(answer_due=DUE), LATE) is True
    assert rules.hub_is_late(delivery(), LATE) is False


def test_reminders_are_those_still_to_come() -> None:
    both = delivery(acceptance_due=NOW + timedelta(hours=2), answer_due=NOW + timedelta(days=2))
    times = rules.reminders(both, definition(), NOW)
    assert times == [NOW + timedelta(hours=1), NOW + timedelta(days=1), NOW + timedelta(hours=47)]
    accepted = delivery(state="ACCEPTED", acceptance_due=both.acceptance_due, answer_due=both.answer_due)
    assert rules.reminders(accepted, definition(), NOW) == times[1:]
    assert rules.reminders(delivery(state="REFUSED", answer_due=both.answer_due), definition(), NOW) == []


OVER, RUNS = NOW - timedelta(seconds=1), NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("changes", "closes"),
    [
        ({"state": "REFUSED"}, True),
        ({"state": "RETURNED"}, True),
        ({"state": "ANSWERED"}, True),
        ({"state": "WITHDRAWN"}, True),
        ({"state": "ACCEPTED", "return_until": OVER}, True),
        ({"state": "ACCEPTED", "return_until": NOW}, True),
        ({"state": "ACCEPTED", "return_until": RUNS}, False),
        ({"state": "ACCEPTED", "return_until": OVER, "answer_needed": True}, False),
        ({"state": "AVAILABLE"}, False),
        ({"state": "CREATED"}, False),
        ({"state": "CREATED", "kind": "COPY"}, True),
    ],
)
def test_a_letter_closes_when_every_to_is_done(changes: Any, closes: bool) -> None:
    done = delivery(state="ANSWERED")
    judged = rules.closing(letter(), [done, delivery(name="second", **changes)], [], NOW)
    assert judged.closes is closes
    assert judged.unclaimed is False
    assert judged.waiting == (() if closes else ("second",))


def test_when_only_time_is_missing_it_is_said_until_when() -> None:
    windows = [delivery(state="ACCEPTED", return_until=RUNS - timedelta(days=n)) for n in range(2)]
    assert rules.closing(letter(), windows, [], NOW).next_at == RUNS
    assert rules.closing(letter(close_at=RUNS - timedelta(days=1)), windows, [], NOW).next_at == RUNS - timedelta(
        days=1
    )
    assert rules.closing(letter(), [*windows, delivery()], [], NOW).next_at is None


def test_a_letter_nobody_settles_closes_unclaimed() -> None:
    judged = rules.closing(letter(close_at=NOW), [delivery()], [], NOW)
    assert (judged.closes, judged.unclaimed) == (True, True)
    settled = rules.closing(letter(close_at=NOW), [delivery(state="REFUSED")], [], NOW)
    assert (settled.closes, settled.unclaimed) == (True, False)


@pytest.mark.parametrize(
    ("changes", "closes"),
    [
        ({"state": "AVAILABLE"}, False),
        ({"state": "CREATED", "available_at": None}, False),
        ({"state": "WITHDRAWN"}, True),
        # Its recipient may answer the recall or not: nothing waits for it.
        ({"state": "ACCEPTED", "return_until": NOW}, True),
    ],
)
@pytest.mark.parametrize("close_at", [NOW, RUNS])
def test_what_a_recall_is_to_withdraw_keeps_a_letter_open_for_ever(changes: Any, closes: bool, close_at: Any) -> None:
    copy = delivery(name="copy", number=2, kind="COPY", **changes)
    judged = rules.closing(letter(close_at=close_at), [delivery(state="ANSWERED"), copy], [recall(numbers=[2])], NOW)
    assert judged.closes is closes
    assert judged.unclaimed is False
    assert judged.waiting == (() if closes else ("copy",))
    other = rules.closing(letter(close_at=close_at), [delivery(state="ANSWERED"), copy], [recall(numbers=[1])], NOW)
    assert other.closes


_STATES = ("CREATED", "AVAILABLE", "ACCEPTED", "REFUSED", "RETURNED", "ANSWERED", "WITHDRAWN")
_SECONDS = st.integers(-5, 5).map(lambda seconds: NOW + timedelta(seconds=seconds))


@st.composite
def _deliveries(draw: st.DrawFn) -> Delivery:
    state = draw(st.sampled_from(_STATES))
    return delivery(
        state=state,
        kind=draw(st.sampled_from(("TO", "COPY"))),
        answer_needed=draw(st.booleans()),
        acceptance_due=draw(st.none() | _SECONDS),
        answer_due=draw(st.none() | _SECONDS),
        available_at=None if state == "CREATED" else draw(_SECONDS),
        return_until=draw(_SECONDS) if state in ("ACCEPTED", "RETURNED", "ANSWERED") else None,
        late_acceptance=draw(st.booleans()),
        late_answer=draw(st.booleans()),
    )


@given(st.lists(_deliveries(), min_size=1), _SECONDS, _SECONDS)
def test_a_letter_that_may_close_may_close_later_too(all_of_it: list[Delivery], now: Any, close_at: Any) -> None:
    judged = rules.closing(letter(close_at=close_at), all_of_it, [], now)
    later = rules.closing(letter(close_at=close_at), all_of_it, [], now + timedelta(seconds=3))
    assert later.closes or not judged.closes
    assert judged.closes is not bool(judged.waiting)
    if judged.next_at is not None:
        assert rules.closing(letter(close_at=close_at), all_of_it, [], judged.next_at).closes


@given(_deliveries(), _SECONDS)
def test_what_is_late_was_there_before_its_due(one: Delivery, now: Any) -> None:
    for late, due in (
        (rules.acceptance_is_late(one, now), one.acceptance_due),
        (rules.answer_is_late(one, now), one.answer_due),
    ):
        if late:
            assert due is not None
            assert one.available_at is not None
            assert one.available_at <= due < now
