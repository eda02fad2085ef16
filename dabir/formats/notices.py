"""What a body may be told of (docs/notifications.md): the `type` of a webhook."""

from enum import StrEnum


class EventType(StrEnum):
    """What happened."""

    AVAILABLE = "delivery.available"
    REMINDER = "delivery.reminder"
    LATE = "delivery.late"
    WITHDRAWN = "delivery.withdrawn"
    RECALL_ASKED = "delivery.recall_asked"
    RECALL_ANSWERED = "delivery.recall_answered"
