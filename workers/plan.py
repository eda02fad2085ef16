"""What comes next in a letter, by what intake says of it. Pure: no Temporal, and the clock is an argument."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1.manifest_pb2 import RECIPIENT_KIND_TO
from dabir.formats import names
from dabir.formats.strict_json import FormatError
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_ANSWERED,
    DELIVERY_STATE_AVAILABLE,
    DELIVERY_STATE_CREATED,
    DELIVERY_STATE_REFUSED,
    DELIVERY_STATE_RETURNED,
    DELIVERY_STATE_UNSPECIFIED,
    DELIVERY_STATE_WITHDRAWN,
    LETTER_STATE_UNSPECIFIED,
)

BATCH = 50
"""Deliveries in one ConsignDeliveries or ApplyRecall: what the calls take."""

_OVER = frozenset({DELIVERY_STATE_REFUSED, DELIVERY_STATE_RETURNED, DELIVERY_STATE_ANSWERED, DELIVERY_STATE_WITHDRAWN})


class Clock(StrEnum):
    """What a delivery's time may run out for."""

    ACCEPTANCE_DUE = "acceptance due"
    ANSWER_DUE = "answer due"
    REMINDER = "reminder"
    URGENT = "urgent and not acknowledged"


@dataclass(frozen=True, order=True)
class Moment:
    """At `at` (UTC), if nothing happens before, `clock` runs out."""

    at: datetime
    clock: Clock


def instant(stamp: Timestamp) -> datetime:
    """A protobuf timestamp as UTC, microseconds."""
    return stamp.ToDatetime(tzinfo=UTC)


def unusable(plan: LetterPlan) -> str:
    """What is wrong with a plan, UPPER_SNAKE; "" when a letter can be carried by it."""
    if plan.state == LETTER_STATE_UNSPECIFIED:
        return "PLAN_WITHOUT_STATE"
    if not plan.documents or not plan.HasField("retain_until"):
        return "PLAN_WITHOUT_RETENTION"
    if not plan.HasField("close_at"):
        return "PLAN_WITHOUT_CLOSE_AT"
    if not plan.deliveries:
        return "PLAN_WITHOUT_DELIVERIES"
    try:
        names.split_body(plan.sender_body)
        belong = all(names.split_delivery(delivery.delivery)[0] == plan.letter for delivery in plan.deliveries)
        for delivery in plan.deliveries:
            names.split_body(delivery.recipient_body)
    except FormatError:
        return "PLAN_WITH_BAD_NAME"
    if not belong or len({delivery.delivery for delivery in plan.deliveries}) != len(plan.deliveries):
        return "PLAN_OF_ANOTHER_LETTER"
    if any(delivery.state == DELIVERY_STATE_UNSPECIFIED for delivery in plan.deliveries):
        return "PLAN_WITHOUT_STATE"
    return ""


def batches_to_consign(deliveries: Iterable[DeliveryPlan]) -> list[list[str]]:
    """The deliveries that are in no mailbox yet and shall be, in batches."""
    return _batches(
        one.delivery for one in deliveries if one.state == DELIVERY_STATE_CREATED and not one.recall_pending
    )


def batches_to_withdraw(deliveries: Iterable[DeliveryPlan]) -> list[list[str]]:
    """The deliveries that ApplyRecall is owed to, in batches."""
    return _batches(delivery.delivery for delivery in deliveries if delivery.recall_pending)


def _batches(found: Iterable[str]) -> list[list[str]]:
    named = list(found)
    return [named[begin : begin + BATCH] for begin in range(0, len(named), BATCH)]


def newer(known: DeliveryPlan, said: DeliveryPlan) -> bool:
    """Whether what intake said of a delivery is to be taken for what is known.

    A recall is stated in its letter's chain, not in the delivery's: of two with one sequence, that without it is older.
    """
    if said.sequence == known.sequence and known.HasField("recalled_at") and not said.HasField("recalled_at"):
        return False
    return said.sequence >= known.sequence and said != known


def is_over(delivery: DeliveryPlan) -> bool:
    """Nothing more is expected of this delivery, nor can anything happen to it that changes the letter's course."""
    return delivery.state in _OVER


def awaits_acceptance(delivery: DeliveryPlan) -> bool:
    return delivery.state == DELIVERY_STATE_AVAILABLE


def awaits_answer(delivery: DeliveryPlan) -> bool:
    """It was accepted, and its answer is still to come."""
    return delivery.state == DELIVERY_STATE_ACCEPTED and delivery.answer_needed


def is_asked_for_more(delivery: DeliveryPlan) -> bool:
    """Its recipient is expected to sign something: a receipt, an answer, the answer to a recall."""
    return awaits_acceptance(delivery) or awaits_answer(delivery) or delivery.recall_asked


def passed_dues(delivery: DeliveryPlan) -> list[datetime]:
    """The dues that intake flagged as passed, of what still has not happened."""
    times, dues = delivery.times, []
    if times.late_acceptance and awaits_acceptance(delivery):
        dues.append(instant(times.acceptance_due))
    if times.late_answer and (awaits_acceptance(delivery) or awaits_answer(delivery)):
        dues.append(instant(times.answer_due))
    return dues


def is_late(delivery: DeliveryPlan) -> bool:
    """A clock was passed, and what it ran for still has not happened."""
    return bool(passed_dues(delivery))


def next_due(delivery: DeliveryPlan) -> datetime | None:
    """By when its recipient has to do what is expected of it next, passed or not; None where no clock runs."""
    times = delivery.times
    if awaits_acceptance(delivery) and times.HasField("acceptance_due"):
        return instant(times.acceptance_due)
    if (awaits_acceptance(delivery) or awaits_answer(delivery)) and times.HasField("answer_due"):
        return instant(times.answer_due)
    return None


def next_moment(
    delivery: DeliveryPlan, *, urgent_at: datetime | None, reminded_at: datetime, done: Collection[Clock]
) -> Moment | None:
    """What runs out first for this delivery, perhaps in the past; None when only a fact can move it on.

    `reminded_at`: reminders up to then are over. `done`: clocks that were dealt with, whatever intake made of it.
    """
    waits = awaits_acceptance(delivery)
    if not waits and not awaits_answer(delivery):
        return None
    times, moments = delivery.times, []
    if waits and times.HasField("acceptance_due") and not times.late_acceptance:
        moments.append(Moment(instant(times.acceptance_due), Clock.ACCEPTANCE_DUE))
    if times.HasField("answer_due") and not times.late_answer:
        moments.append(Moment(instant(times.answer_due), Clock.ANSWER_DUE))
    if waits and urgent_at is not None:
        moments.append(Moment(urgent_at, Clock.URGENT))
    reminders = (instant(stamp) for stamp in delivery.remind_at)
    moments += [Moment(at, Clock.REMINDER) for at in reminders if at > reminded_at]
    return min((moment for moment in moments if moment.clock not in done), default=None)


def may_close_at(plan: LetterPlan, deliveries: Iterable[DeliveryPlan]) -> datetime:
    """When, if nothing further happens, the letter can be closed: the rule of the life of a letter (intake decides)."""
    deliveries = list(deliveries)
    if any(delivery.recall_pending for delivery in deliveries):
        return instant(plan.close_at)
    originals = [delivery for delivery in deliveries if delivery.kind == RECIPIENT_KIND_TO]
    if all(is_over(delivery) or _needs_no_answer(delivery) for delivery in originals):
        windows = [instant(d.return_until) for d in originals if not is_over(d) and d.HasField("return_until")]
        return min(max(windows, default=datetime.min.replace(tzinfo=UTC)), instant(plan.close_at))
    return instant(plan.close_at)


def _needs_no_answer(delivery: DeliveryPlan) -> bool:
    return delivery.state == DELIVERY_STATE_ACCEPTED and not delivery.answer_needed
