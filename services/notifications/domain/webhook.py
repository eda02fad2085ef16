"""What a webhook says and how it is signed (Standard Webhooks 1.0.0)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.notifications.domain.notification import Notification


def payload(notification: Notification) -> bytes:
    """A webhook's body, the same bytes at every try (docs/notifications.md): ids, never content."""
    data = {"letter": notification.letter}
    if notification.delivery:
        data["delivery"] = notification.delivery
    at = notification.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"type": notification.event_type, "timestamp": at, "data": data}, separators=(",", ":")).encode()


def headers(notification_id: UUID, body: bytes, secrets: Sequence[bytes], at: datetime) -> dict[str, str]:
    """A try's headers (Standard Webhooks 1.0.0, "Webhook headers"): the id stays, the timestamp is the try's.

    One signature for each of `secrets`, separated by spaces.
    """
    timestamp = int(at.timestamp())
    signed = b"%s.%d.%s" % (str(notification_id).encode("ascii"), timestamp, body)
    signatures = (base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii") for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "Dabir-Webhooks/1",
        "webhook-id": str(notification_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
