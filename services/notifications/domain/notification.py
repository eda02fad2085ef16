"""What a body is told, and what became of it."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from dabir.common.v1.manifest_pb2 import Priority
from dabir.formats import names
from dabir.formats.events import Event
from dabir.formats.notices import EventType
from dabir.formats.strict_json import FormatError
from services.notifications.domain.endpoint import check_event_types, split_own
from services.notifications.domain.errors import (
    NotificationIdReused,
    NotificationInvalid,
    NotificationNotFound,
    ReplayedTooSoon,
)
from services.runtime.errors import FieldViolation

DELIVERED, FAILED, WAITING, NOT_TOLD = "DELIVERED", "FAILED", "WAITING", "NOT_TOLD"


@dataclass(frozen=True, kw_only=True)
class Notification:
    """What a body is told. Instants in UTC, microseconds."""

    id: UUID
    body: str
    event_type: str
    letter: str
    delivery: str
    sender_body: str
    occurred_at: datetime
    priority: int
    """As dabir.common.v1.Priority numbers it."""

    @property
    def name(self) -> str:
        return f"{self.body}/notifications/{self.id}"


@dataclass(frozen=True)
class Standing:
    """How far a notification is, over all endpoints it goes to."""

    outcome: str | None
    """What it came to, once that is decided, and stated where it must be."""
    delivered: bool
    waiting: int


def check_notification(notification: Notification) -> None:
    """Raises EventTypeUnknown, NotificationInvalid."""
    check_event_types([notification.event_type])
    try:
        names.split_letter(notification.letter)
        if notification.delivery and names.split_delivery(notification.delivery)[0] != notification.letter:
            raise NotificationInvalid
        if notification.sender_body:
            names.split_body(notification.sender_body)
    except FormatError as error:
        raise NotificationInvalid(field_violations=[FieldViolation("letter", str(error))]) from error


def check_same_notification(stored: Notification, given: Notification) -> None:
    """A worker of the release before says no priority: it is the same notification. Raises NotificationIdReused."""
    if Priority.PRIORITY_UNSPECIFIED in (stored.priority, given.priority):
        stored = replace(stored, priority=given.priority)
    if stored != given:
        raise NotificationIdReused(notification_id=given.id)


def split_notification(name: str, caller_body: str) -> UUID:
    """`bodies/{body}/notifications/{uuid}` → its id. Raises NotificationNotFound, also for another body's."""
    return split_own(name, f"{caller_body}/notifications/", NotificationNotFound)


def check_replayable(seconds: float) -> None:
    """`seconds`: until it may be replayed. Raises ReplayedTooSoon."""
    if seconds > 0:
        raise ReplayedTooSoon(seconds=math.ceil(seconds), retry_after_seconds=seconds)


def decided(standing: Standing) -> str | None:
    """What a notification came to just now; None while that is not known or nothing new.

    Its first arrival, or its last failure before any. What failed and was replayed may still arrive.
    """
    if standing.delivered:
        return DELIVERED if standing.outcome != DELIVERED else None
    return FAILED if standing.outcome is None and not standing.waiting else None


def event_of(notification: Notification, outcome: str) -> Event | None:
    """What is stated of an outcome: only that somebody was told that a delivery waits for acceptance."""
    if notification.event_type != EventType.AVAILABLE or not notification.delivery:
        return None
    if outcome == DELIVERED:
        return Event.NOTIFICATION_FOR_ACCEPTANCE
    return Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE
