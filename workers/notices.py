"""Whom a letter's workflow tells, and of what (docs/notifications.md). Pure.

A notice's id is derived from letter, delivery and step: the same step again, in whatever run, is the same notice.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from dabir.formats.notices import EventType
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_WITHDRAWN
from dabir.notifications.v1.notifications_pb2 import NotifyRequest
from services.runtime.instants import timestamp
from workers.plan import awaits_acceptance, instant, passed_dues

_NAMESPACE = uuid.UUID("6f0f3c1e-5f0b-4d8e-9a53-2f1c6f6e7b11")
"""Of ids derived by the workers (RFC 9562, version 5). Never changed: what was told once would be told again."""


@dataclass(frozen=True)
class Notice:
    """A call of Notify. `summary` is for the operator."""

    request: NotifyRequest
    summary: str


def derived_id(*parts: str) -> str:
    """The same id for the same parts."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


def standing(plan: LetterPlan, delivery: DeliveryPlan) -> list[Notice]:
    """What has to be told of a delivery as it stands, whether or not that was done: told again it is the same notice.

    Every instant is intake's: a notice's id stands for one content.
    """
    told = [_late(plan, delivery, body, due) for due in passed_dues(delivery) for body in _both(plan, delivery)]
    times, recipient = delivery.times, delivery.recipient_body
    if awaits_acceptance(delivery) and not delivery.recall_pending:
        told.insert(0, _notice(plan, delivery, EventType.AVAILABLE, recipient, instant(times.available_at)))
    if delivery.recall_asked:
        told.append(_notice(plan, delivery, EventType.RECALL_ASKED, recipient, instant(delivery.recalled_at)))
    if delivery.HasField("recall_answered_at"):
        answered_at = instant(delivery.recall_answered_at)
        told.append(_notice(plan, delivery, EventType.RECALL_ANSWERED, plan.sender_body, answered_at))
    elif delivery.state == DELIVERY_STATE_WITHDRAWN and times.HasField("available_at"):
        # To whom it never came nothing is told of it; who granted the recall knows.
        told.append(_notice(plan, delivery, EventType.WITHDRAWN, recipient, instant(times.withdrawn_at)))
    return told


def again(plan: LetterPlan, delivery: DeliveryPlan, update_id: str, at: datetime) -> Notice:
    """To the recipient, on an operator's order: once per order."""
    event_type = EventType.RECALL_ASKED if delivery.recall_asked else EventType.REMINDER
    if awaits_acceptance(delivery):
        event_type = EventType.AVAILABLE
    return _notice(plan, delivery, event_type, delivery.recipient_body, at, update_id)


def reminder(plan: LetterPlan, delivery: DeliveryPlan, at: datetime) -> Notice:
    """To the recipient: a due comes near."""
    return _notice(plan, delivery, EventType.REMINDER, delivery.recipient_body, at, at.isoformat())


def _late(plan: LetterPlan, delivery: DeliveryPlan, body: str, due: datetime) -> Notice:
    return _notice(plan, delivery, EventType.LATE, body, due, due.isoformat())


def _both(plan: LetterPlan, delivery: DeliveryPlan) -> list[str]:
    return list(dict.fromkeys([delivery.recipient_body, plan.sender_body]))


def _notice(
    plan: LetterPlan, delivery: DeliveryPlan, event_type: EventType, body: str, at: datetime, step: str = ""
) -> Notice:
    request = NotifyRequest(
        notification_id=derived_id(delivery.delivery, event_type, body, step),
        body=body,
        event_type=event_type,
        letter=plan.letter,
        delivery=delivery.delivery,
        occurred_at=timestamp(at),
        sender_body=plan.sender_body,
        priority=plan.priority,
    )
    return Notice(request, f"{event_type} to {body}")
