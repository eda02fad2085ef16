"""What comes next in a letter: the rules by themselves."""

from datetime import UTC, datetime, timedelta

import pytest

from dabir.common.v1.manifest_pb2 import RECIPIENT_KIND_COPY, RECIPIENT_KIND_TO
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_ANSWERED,
    DELIVERY_STATE_AVAILABLE,
    DELIVERY_STATE_CREATED,
    DELIVERY_STATE_REFUSED,
    DELIVERY_STATE_WITHDRAWN,
    LETTER_STATE_OPEN,
    DeliveryState,
)
from tests.workflow.small_intake import stamp
from workers import plan as rules
from workers.plan import Clock, Moment

BEGAN = datetime(2026, 11, 22, 10, tzinfo=UTC)
LETTER = "letters/0b0f3c1e-5f0b-4d8e-9a53-2f1c6f6e7b11"
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def at(hours: float) -> datetime:
    return BEGAN + timedelta(hours=hours)


def delivery(state: DeliveryState.ValueType, number: int = 1, **fields: object) -> DeliveryPlan:
    """With every clock: reminders at 1 and 8 hours, dues at 2 and 10."""
    made = DeliveryPlan(
        delivery=f"{LETTER}/deliveries/{number}",
        recipient_body="bodies/bank",
        kind=RECIPIENT_KIND_TO,
        state=state,
        answer_needed=True,
        remind_at=[stamp(at(1)), stamp(at(8))],
    )
    made.times.acceptance_due.CopyFrom(stamp(at(2)))
    made.times.answer_due.CopyFrom(stamp(at(10)))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def letter(*deliveries: DeliveryPlan) -> LetterPlan:
    return LetterPlan(
        letter=LETTER,
        state=LETTER_STATE_OPEN,
        sender_body="bodies/interior",
        documents=["documents/0b0f3c1e-5f0b-4d8e-9a53-2f1c6f6e7b11"],
        retain_until=stamp(at(9999)),
        close_at=stamp(at(8760)),
        deliveries=deliveries,
    )


def moments(
    one: DeliveryPlan, *, urgent_at: datetime | None = None, done: frozenset[Clock] = frozenset()
) -> list[Moment]:
    """One after the other, as if nothing ever happened."""
    found, reminded, passed = [], LONG_AGO, set(done)
    while (moment := rules.next_moment(one, urgent_at=urgent_at, reminded_at=reminded, done=passed)) is not None:
        found.append(moment)
        if moment.clock == Clock.REMINDER:
            reminded = moment.at
        else:
            passed.add(moment.clock)
    return found


def test_a_delivery_in_the_mailbox_has_every_clock() -> None:
    assert moments(delivery(DELIVERY_STATE_AVAILABLE), urgent_at=at(0.5)) == [
        Moment(at(0.5), Clock.URGENT),
        Moment(at(1), Clock.REMINDER),
        Moment(at(2), Clock.ACCEPTANCE_DUE),
        Moment(at(8), Clock.REMINDER),
        Moment(at(10), Clock.ANSWER_DUE),
    ]


def test_an_accepted_one_has_the_answers_clock_alone() -> None:
    accepted = delivery(DELIVERY_STATE_ACCEPTED)
    assert [moment.clock for moment in moments(accepted, urgent_at=at(0.5))] == [
        Clock.REMINDER,
        Clock.REMINDER,
        Clock.ANSWER_DUE,
    ]
    assert moments(delivery(DELIVERY_STATE_ACCEPTED, answer_needed=False)) == []


def test_what_was_flagged_is_not_flagged_again() -> None:
    flagged = delivery(DELIVERY_STATE_AVAILABLE)
    flagged.times.late_acceptance = flagged.times.late_answer = True
    assert {moment.clock for moment in moments(flagged)} == {Clock.REMINDER}


@pytest.mark.parametrize(
    "state", [DELIVERY_STATE_CREATED, DELIVERY_STATE_REFUSED, DELIVERY_STATE_ANSWERED, DELIVERY_STATE_WITHDRAWN]
)
def test_where_nobody_is_waited_for_no_clock_runs(state: DeliveryState.ValueType) -> None:
    assert moments(delivery(state), urgent_at=at(0.5)) == []


def test_a_letter_closes_when_its_originals_are_done() -> None:
    refused, answered = delivery(DELIVERY_STATE_REFUSED), delivery(DELIVERY_STATE_ANSWERED, 2)
    copy = delivery(DELIVERY_STATE_AVAILABLE, 3, kind=RECIPIENT_KIND_COPY)
    assert rules.may_close_at(letter(), [refused, answered, copy]) < BEGAN
    waits = delivery(DELIVERY_STATE_AVAILABLE, 4)
    assert rules.may_close_at(letter(), [refused, waits]) == at(8760)
    owes_answer = delivery(DELIVERY_STATE_ACCEPTED, 5)
    assert rules.may_close_at(letter(), [refused, owes_answer]) == at(8760)


def test_return_windows_keep_a_letter_open_the_latest_decides() -> None:
    windows = [delivery(DELIVERY_STATE_ACCEPTED, number, answer_needed=False) for number in (1, 2)]
    for hours, one in zip((5, 3), windows, strict=True):
        one.return_until.CopyFrom(stamp(at(hours)))
    assert rules.may_close_at(letter(), windows) == at(5)
    windows[0].return_until.CopyFrom(stamp(at(9000)))
    assert rules.may_close_at(letter(), windows) == at(8760)


def test_batches_hold_what_is_in_no_mailbox() -> None:
    created = [delivery(DELIVERY_STATE_CREATED, number) for number in range(1, 121)]
    found = rules.batches_to_consign([*created, delivery(DELIVERY_STATE_AVAILABLE, 121)])
    assert [len(batch) for batch in found] == [50, 50, 20]
    assert [name for batch in found for name in batch] == [one.delivery for one in created]


def recalled(state: DeliveryState.ValueType, number: int = 1) -> DeliveryPlan:
    one = delivery(state, number, recall_pending=state != DELIVERY_STATE_ACCEPTED)
    one.recall_asked = not one.recall_pending
    one.recalled_at.CopyFrom(stamp(at(0.5)))
    return one


def test_what_a_recall_names_is_withdrawn_and_not_consigned() -> None:
    found = [recalled(DELIVERY_STATE_CREATED, number) for number in range(1, 61)]
    found += [delivery(DELIVERY_STATE_CREATED, 61), recalled(DELIVERY_STATE_ACCEPTED, 62)]
    assert [len(batch) for batch in rules.batches_to_withdraw(found)] == [50, 10]
    assert rules.batches_to_consign(found) == [[found[60].delivery]]


def test_a_copy_that_is_to_be_withdrawn_keeps_a_letter_open() -> None:
    copy = recalled(DELIVERY_STATE_AVAILABLE, 2)
    copy.kind = RECIPIENT_KIND_COPY
    answered = delivery(DELIVERY_STATE_ANSWERED)
    assert rules.may_close_at(letter(), [answered, copy]) == at(8760)
    copy.recall_pending = False
    assert rules.may_close_at(letter(), [answered, copy]) < BEGAN


def test_whoever_is_asked_by_a_recall_keeps_nothing_open() -> None:
    asked = recalled(DELIVERY_STATE_ACCEPTED)
    asked.answer_needed = False
    asked.return_until.CopyFrom(stamp(at(1)))
    assert rules.is_asked_for_more(asked)
    assert rules.may_close_at(letter(), [asked]) == at(1)


def test_what_intake_said_before_a_recall_is_older_than_the_recall() -> None:
    before, after = delivery(DELIVERY_STATE_AVAILABLE, sequence=1), recalled(DELIVERY_STATE_AVAILABLE)
    after.sequence = 1
    assert rules.newer(before, after)
    assert not rules.newer(after, before)
    assert not rules.newer(after, after)
    assert rules.newer(after, delivery(DELIVERY_STATE_WITHDRAWN, sequence=2))


def test_a_plan_that_cannot_be_carried_is_named() -> None:
    sound = letter(delivery(DELIVERY_STATE_CREATED))
    assert rules.unusable(sound) == ""
    faults: dict[str, dict[str, object]] = {
        "PLAN_WITHOUT_STATE": {"state": 0},
        "PLAN_WITHOUT_RETENTION": {"retain_until": None},
        "PLAN_WITHOUT_CLOSE_AT": {"close_at": None},
        "PLAN_WITHOUT_DELIVERIES": {"deliveries": None},
        "PLAN_WITH_BAD_NAME": {"sender_body": "Interior"},
        "PLAN_OF_ANOTHER_LETTER": {"letter": LETTER.replace("0b0f", "1c1f")},
    }
    for reason, fault in faults.items():
        broken = LetterPlan()
        broken.CopyFrom(sound)
        for name, value in fault.items():
            if value is None:
                broken.ClearField(name)  # type: ignore[arg-type]  # a field's name, from the table
            else:
                setattr(broken, name, value)
        assert rules.unusable(broken) == reason
    twice = letter(delivery(DELIVERY_STATE_CREATED), delivery(DELIVERY_STATE_CREATED))
    assert rules.unusable(twice) == "PLAN_OF_ANOTHER_LETTER"


@pytest.mark.parametrize(
    ("state", "acceptance", "answer", "late"),
    [
        (DELIVERY_STATE_AVAILABLE, True, False, True),
        (DELIVERY_STATE_AVAILABLE, False, True, True),
        (DELIVERY_STATE_ACCEPTED, True, False, False),
        (DELIVERY_STATE_ACCEPTED, True, True, True),
        (DELIVERY_STATE_ANSWERED, True, True, False),
    ],
)
def test_late_is_what_is_still_waited_for(
    state: DeliveryState.ValueType, acceptance: bool, answer: bool, late: bool
) -> None:
    one = delivery(state)
    one.times.late_acceptance, one.times.late_answer = acceptance, answer
    assert rules.is_late(one) is late
