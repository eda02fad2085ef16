"""What an operator sees: the gravest first, within Temporal's limits, ids only."""

from datetime import timedelta

import pytest

from dabir.common.v1.manifest_pb2 import PRIORITY_IMMEDIATE, PRIORITY_NORMAL
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_AVAILABLE,
    DELIVERY_STATE_CREATED,
    LETTER_STATE_CLOSED,
)
from tests.workflow.test_plan import BEGAN, LETTER, delivery, letter, recalled
from workers import show
from workers.step import Trouble, Waiting

RETRYING = Waiting("consign 3", "", Trouble.RETRYING, "", BEGAN)
PARKED = Waiting("retain 2 documents", "", Trouble.NEEDS_ATTENTION, "DOCUMENT_NOT_FOUND", BEGAN)


def late() -> DeliveryPlan:
    one = delivery(DELIVERY_STATE_AVAILABLE)
    one.times.late_acceptance = True
    return one


@pytest.mark.parametrize(
    ("waiting", "urgent", "expected"),
    [
        ([RETRYING, PARKED], True, "NEEDS_ATTENTION"),
        ([RETRYING], True, "RETRYING"),
        ([], True, "URGENT_UNACKED"),
        ([], False, "LATE"),
    ],
)
def test_the_gravest_is_shown(waiting: list[Waiting], urgent: bool, expected: str) -> None:
    assert show.attention(letter(late()), [late()], waiting, urgent=urgent) == expected


def test_who_has_to_do_something() -> None:
    plan, available = letter(), [delivery(DELIVERY_STATE_AVAILABLE)]
    assert show.waiting_on(plan, available, []) == "recipient"
    assert show.waiting_on(plan, available, [RETRYING]) == "hub"
    assert show.waiting_on(plan, available, [RETRYING, PARKED]) == "operator"
    assert show.waiting_on(plan, [delivery(DELIVERY_STATE_CREATED)], []) == "hub"
    plan.state = LETTER_STATE_CLOSED
    assert show.waiting_on(plan, available, []) == "nobody"


def test_the_stage_is_that_of_the_delivery_furthest_behind() -> None:
    accepted, done = delivery(DELIVERY_STATE_ACCEPTED, 2), delivery(DELIVERY_STATE_ACCEPTED, 3, answer_needed=False)
    stages = [
        show.stage(letter(), found)
        for found in (
            [delivery(DELIVERY_STATE_CREATED), accepted],
            [delivery(DELIVERY_STATE_AVAILABLE), accepted],
            [accepted, done],
            [done],
        )
    ]
    assert stages == ["REGISTERED", "AWAITING_ACCEPTANCE", "AWAITING_ANSWER", "RETURN_WINDOW"]


def test_a_recall_that_waits_for_an_answer_is_named() -> None:
    asked, answer = recalled(DELIVERY_STATE_ACCEPTED), delivery(DELIVERY_STATE_ACCEPTED, 2)
    asked.answer_needed = False
    assert show.stage(letter(), [asked, answer]) == "RECALL_ASKED"
    assert show.waiting_on(letter(), [asked], []) == "recipient"
    said = show.details(letter(asked), [asked], [], [])
    assert "recalled 2026-11-22 10:30:00 UTC: its recipient grants or refuses that, or does neither; no due" in said
    assert "`ResendNotification`" in said


def test_a_closed_letter_that_still_tells_says_so() -> None:
    copy, telling = delivery(DELIVERY_STATE_AVAILABLE), Waiting("tell", "", Trouble.RETRYING, "", BEGAN)
    plan = letter(copy)
    plan.state = LETTER_STATE_CLOSED
    assert [show.waiting_on(plan, [copy], waiting) for waiting in ([telling], [PARKED], [])] == [
        "hub",
        "operator",
        "nobody",
    ]
    assert "this run ends when whoever is named above has been told" in show.details(plan, [copy], [telling], [])
    assert "terminate" not in show.details(plan, [copy], [], []).lower()


def test_details_of_many_recipients_are_bounded() -> None:
    many = [delivery(DELIVERY_STATE_AVAILABLE, number) for number in range(1, 501)]
    for one in many:
        one.recipient_body = f"bodies/{'b' * 63}"
    waiting = [Waiting("tell " + "b" * 60, one.delivery, Trouble.RETRYING, "", BEGAN) for one in many]
    said = show.details(letter(*many), many, waiting, [])
    assert "Waits for **500 of 500** recipients" in said
    assert "and 480 more." in said
    assert len(said.encode()) < 16_000
    found = {pair.key.name: pair.value for pair in show.fixed_attributes(letter(*many))}
    assert len(str(found["DabirRecipients"]).encode()) < 2048


def test_details_say_what_an_operator_can_do_now() -> None:
    waits = delivery(DELIVERY_STATE_AVAILABLE)
    said = show.details(letter(waits), [waits], [PARKED], ["A cancellation was asked for and ignored."])
    assert "**Needs you**: retain 2 documents was refused: DOCUMENT_NOT_FOUND, since 2026-11-22 10:00:00 UTC" in said
    assert "- delivery 1, `bodies/bank`, stands at AVAILABLE since " in said
    assert "; due 2026-11-22 12:00:00 UTC, then stated as late\n" in said
    assert f"{LETTER}/deliveries/1" in said
    assert "- A cancellation was asked for and ignored." in said
    assert "it closes as unclaimed at " in said
    done = delivery(DELIVERY_STATE_ACCEPTED, answer_needed=False)
    assert "- nothing: it goes on by itself" in show.details(letter(done), [done], [], [])


def test_what_may_be_returned_is_not_unclaimed() -> None:
    done = delivery(DELIVERY_STATE_ACCEPTED, answer_needed=False)
    done.return_until.FromDatetime(BEGAN + timedelta(hours=1))
    said = show.details(letter(done), [done], [], [])
    assert "it closes at 2026-11-22 11:00:00 UTC, when nothing may be returned any more.\n" in said
    assert "unclaimed" not in said


def test_a_line_names_number_priority_sender_and_recipient() -> None:
    one, two = letter(delivery(DELIVERY_STATE_CREATED)), letter(*[delivery(DELIVERY_STATE_CREATED, n) for n in (1, 2)])
    one.registry_number, one.priority = "۱۴۰۵/۱۲/۳۴۵", PRIORITY_IMMEDIATE
    two.priority = PRIORITY_NORMAL
    assert show.summary(one) == "۱۴۰۵/۱۲/۳۴۵ · immediate · bodies/interior → bodies/bank"
    assert show.summary(two).endswith("normal · bodies/interior → 2 recipients")


def test_the_due_shown_is_the_next_that_somebody_has_to_keep() -> None:
    waits, accepted = delivery(DELIVERY_STATE_AVAILABLE, 1), delivery(DELIVERY_STATE_ACCEPTED, 2)
    found = [
        show.moving_attributes(letter(), found, [], urgent=False)[show.DUE_AT]
        for found in ([accepted], [accepted, waits])
    ]
    assert found == [BEGAN + timedelta(hours=10), BEGAN + timedelta(hours=2)]
