"""Whom a letter's workflow tells of a delivery as it stands: the same notice in every run."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1.manifest_pb2 import PRIORITY_IMMEDIATE
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_ANSWERED,
    DELIVERY_STATE_AVAILABLE,
    DELIVERY_STATE_WITHDRAWN,
)
from services.runtime.instants import timestamp
from workers import notices

LETTER = "letters/2f1ecf0a-51f8-4c5e-8b70-6f1b2f7f0b0a"
PLAN = LetterPlan(letter=LETTER, sender_body="bodies/interior", priority=PRIORITY_IMMEDIATE)
BEGAN = datetime(2026, 11, 22, 10, tzinfo=UTC)
SENDER, RECIPIENT = "bodies/interior", "bodies/bank"


def at(hours: float) -> Timestamp:
    return timestamp(BEGAN + timedelta(hours=hours))


def delivery(**fields: object) -> DeliveryPlan:
    """In the mailbox since 1 o'clock, due at 2, recalled at 3, withdrawn at 4, its recall answered at 5: as given."""
    made = DeliveryPlan(delivery=f"{LETTER}/deliveries/1", recipient_body=RECIPIENT, **fields)  # type: ignore[arg-type]  # a table's
    made.times.available_at.CopyFrom(at(1))
    made.times.acceptance_due.CopyFrom(at(2))
    return made


def told(one: DeliveryPlan) -> list[tuple[str, str, Timestamp]]:
    found = [notice.request for notice in notices.standing(PLAN, one)]
    assert all(request.priority == PRIORITY_IMMEDIATE for request in found)
    assert len({request.notification_id for request in found}) == len(found)
    return [(request.event_type, request.body, request.occurred_at) for request in found]


def test_a_recipient_is_told_that_it_is_there_and_both_that_it_is_late() -> None:
    one = delivery(state=DELIVERY_STATE_AVAILABLE)
    assert told(one) == [("delivery.available", RECIPIENT, at(1))]
    one.times.late_acceptance = True
    assert told(one)[1:] == [("delivery.late", RECIPIENT, at(2)), ("delivery.late", SENDER, at(2))]
    assert told(delivery(state=DELIVERY_STATE_AVAILABLE, recall_pending=True)) == []


@pytest.mark.parametrize("came", [True, False])
def test_of_a_withdrawal_is_told_to_whom_it_came(came: bool) -> None:
    one = delivery(state=DELIVERY_STATE_WITHDRAWN, recalled_at=at(3))
    one.times.withdrawn_at.CopyFrom(at(4))
    if not came:
        one.times.ClearField("available_at")
    assert told(one) == ([("delivery.withdrawn", RECIPIENT, at(4))] if came else [])


def test_the_recipient_is_asked_and_the_sender_answered() -> None:
    one = delivery(state=DELIVERY_STATE_ACCEPTED, recalled_at=at(3), recall_asked=True)
    assert told(one) == [("delivery.recall_asked", RECIPIENT, at(3))]
    one.recall_asked = False
    one.recall_answered_at.CopyFrom(at(5))
    answer = [("delivery.recall_answered", SENDER, at(5))]
    assert told(one) == answer
    # A refused one goes on; whoever granted it is not told what it did itself.
    for state in (DELIVERY_STATE_ANSWERED, DELIVERY_STATE_WITHDRAWN):
        one.state = state
        assert told(one) == answer


def test_an_operator_has_the_recipient_told_what_is_expected_of_it() -> None:
    accepted, asked = (
        delivery(state=DELIVERY_STATE_ACCEPTED),
        delivery(state=DELIVERY_STATE_ACCEPTED, recall_asked=True),
    )
    found = [
        notices.again(PLAN, one, "an-update", BEGAN).request.event_type
        for one in (delivery(state=DELIVERY_STATE_AVAILABLE), accepted, asked)
    ]
    assert found == ["delivery.available", "delivery.reminder", "delivery.recall_asked"]
