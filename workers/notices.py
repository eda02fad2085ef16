"""Whom a letter's workflow tells, and of what (docs/notifications.md). Pure.

A notice's id is derived from letter, delivery and step: the same step again, in whatever run, is the same notice.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.notifications.v1.notifications_pb2 import NotifyRequest
from workers.plan import awaits_acceptance, instant

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


def available(plan: LetterPlan, delivery: DeliveryPlan) -> Notice:
    """To the recipient: it is in the mailbox."""
    at = instant(delivery.times.available_at)
    return _notice(plan, delivery, "delivery.available", delivery.recipient_body, at, "")


def again(plan: LetterPlan, delivery: DeliveryPlan, update_id: str, at: datetime) -> Notice:
    """To the recipient, on an operator's order: once per order."""
    event_type = "delivery.available" if awaits_acceptance(delivery) else "delivery.reminder"
    return _notice(plan, delivery, event_type, delivery.recipient_body, at, update_id)


def reminder(plan: LetterPlan, delivery: DeliveryPlan, at: datetime) -> Notice:
    """To the recipient: a due comes near."""
    return _notice(plan, delivery, "delivery.reminder", delivery.recipient_body, at, at.isoformat())


def late(plan: LetterPlan, delivery: DeliveryPlan, at: datetime) -> list[Notice]:
    """To the recipient and the sender: a due was passed."""
    bodies = dict.fromkeys([delivery.recipient_body, plan.sender_body])
    return [_notice(plan, delivery, "delivery.late", body, at, at.isoformat()) for body in bodies]


def _notice(plan: LetterPlan, delivery: DeliveryPlan, event_type: str, body: str, at: datetime, step: str) -> Notice:
    occurred_at = Timestamp()
    occurred_at.FromDatetime(at)
    request = NotifyRequest(
        notification_id=derived_id(delivery.delivery, event_type, body, step),
        body=body,
        event_type=event_type,
        letter=plan.letter,
        delivery=delivery.delivery,
        occurred_at=occurred_at,
        sender_body=plan.sender_body,
    )
    return Notice(request, f"{event_type} to {body}")
