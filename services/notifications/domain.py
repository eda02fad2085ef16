"""Rules of notifications: endpoints, what a webhook says and how it is signed, when it is tried again. Pure."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from dabir.formats import names
from dabir.formats.events import Event
from dabir.formats.strict_json import FormatError
from services.runtime.errors import AlreadyExists, FieldViolation, InvalidArgument, NotFound, ResourceExhausted

AVAILABLE = "delivery.available"
EVENT_TYPES = frozenset({AVAILABLE, "delivery.reminder", "delivery.late"})
"""What a body may be told of: docs/notifications.md."""
CHANNEL = "webhook"
PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 50, 200
SECRET_BYTES = 32
"""Standard Webhooks 1.0.0: 24 to 64."""
RETRY_AFTER_MAX_SECONDS = 86400


class UrlNotAllowed(InvalidArgument):
    """Not a URL that webhooks can go to."""

    reason = "URL_NOT_ALLOWED"
    template = "The endpoint's url cannot be used: {why}. Give an https:// URL of a machine on the Internet."
    template_fa = "نشانی مقصد پذیرفته نیست. نشانی https:// یک کارساز در اینترنت را بدهید."


class EventTypeUnknown(InvalidArgument):
    """Not an event that anybody is told of."""

    reason = "EVENT_TYPE_UNKNOWN"
    template = "There is no event type {event_type}. There are: {known}."
    template_fa = "رویدادی با نام {event_type} نیست."


class EndpointNotFound(NotFound):
    """There is none, or it is another body's."""

    reason = "ENDPOINT_NOT_FOUND"
    template = "There is no endpoint of yours by this name. ListEndpoints names yours."
    template_fa = "مقصدی با این نام ندارید. فهرست مقصدهایتان در ListEndpoints است."


class EndpointIdReused(AlreadyExists):
    """The id stands for another endpoint, or for one that ended."""

    reason = "ENDPOINT_ID_REUSED"
    template = "The endpoint id {endpoint_id} was used before, for another one or one that ended. Choose a new UUIDv4."
    template_fa = "این شناسه پیش‌تر به کار رفته است. شناسهٔ تازه‌ای برگزینید."


class TooManyEndpoints(ResourceExhausted):
    """The body has as many as it may."""

    reason = "TOO_MANY_ENDPOINTS"
    template = "Your body has {limit} endpoints, which is all it may have. Delete one first."
    template_fa = "شمار مقصدهای شما به بیشینهٔ {limit} رسیده است. نخست یکی را حذف کنید."


class NotificationInvalid(InvalidArgument):
    """Letter and delivery do not go together."""

    reason = "NOTIFICATION_INVALID"
    template = "letter must be letters/{{uuid}} and delivery empty or one of that letter's."


class NotificationIdReused(AlreadyExists):
    """The id stands for another notification."""

    reason = "NOTIFICATION_ID_REUSED"
    template = (
        "The notification id {notification_id} was used before with other content: derive it from letter, delivery "
        "and step."
    )


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a body wants to be told."""

    id: UUID
    body: str
    url: str
    event_types: list[str]
    """Sorted; empty: all."""
    secret: bytes = field(repr=False)
    created_at: datetime
    failing_since: datetime | None = None
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.body}/endpoints/{self.id}"


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


@dataclass(frozen=True)
class Standing:
    """How far a notification is, over all endpoints it goes to."""

    outcome: str | None
    """What it came to, once that is decided."""
    delivered: bool
    waiting: int


# Endpoints.


def check_url(url: str, *, plain_allowed: bool) -> None:
    """Whether webhooks can go there, as far as it can be said without looking the name up. Raises UrlNotAllowed."""
    why = _wrong_with(url, plain_allowed=plain_allowed)
    if why:
        raise UrlNotAllowed(why=why, field_violations=[FieldViolation("url", f"{why.capitalize()}.")])


def _wrong_with(url: str, *, plain_allowed: bool) -> str:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "it holds characters that must be escaped"
    try:
        parts = urlsplit(url)
        port_is_usable = parts.port != 0
    except ValueError:
        return "it is not a URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and plain_allowed):
        return "it does not begin with https://"
    if not parts.hostname or not port_is_usable:
        return "it names no machine"
    if "@" in parts.netloc:
        return "it holds a user name or password"
    return "it holds a fragment" if "#" in url else ""


def check_event_types(event_types: Sequence[str]) -> None:
    """Raises EventTypeUnknown."""
    for place, event_type in enumerate(event_types):
        if event_type not in EVENT_TYPES:
            violation = FieldViolation(f"event_types[{place}]", "Not a type of docs/notifications.md.")
            raise EventTypeUnknown(
                event_type=event_type, known=", ".join(sorted(EVENT_TYPES)), field_violations=[violation]
            )


def check_room(count: int, limit: int) -> None:
    """Whether a body may have one more. Raises TooManyEndpoints."""
    if count >= limit:
        raise TooManyEndpoints(limit=limit)


def page_size(given: int) -> int:
    return min(given or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def check_same_endpoint(stored: Endpoint, body: str, url: str, event_types: Sequence[str]) -> None:
    """Whether a repeated CreateEndpoint is the one that was answered. Raises EndpointIdReused."""
    same = (stored.body, stored.url, stored.event_types) == (body, url, sorted(event_types))
    if not same or stored.ended_at is not None:
        raise EndpointIdReused(endpoint_id=stored.id)


def split_endpoint(name: str, caller_body: str) -> UUID:
    """`bodies/{body}/endpoints/{uuid}` → its id. Raises EndpointNotFound, also for another body's."""
    body, _, endpoint = name.partition("/endpoints/")
    try:
        found = UUID(endpoint)
    except ValueError as error:
        raise EndpointNotFound from error
    if body != caller_body or str(found) != endpoint:
        raise EndpointNotFound
    return found


def secret_text(secret: bytes) -> str:
    """As its owner gets it (Standard Webhooks 1.0.0, "Signature scheme")."""
    return f"whsec_{base64.b64encode(secret).decode('ascii')}"


# Notifications.


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
    """Raises NotificationIdReused."""
    if stored != given:
        raise NotificationIdReused(notification_id=given.id)


def payload(notification: Notification) -> bytes:
    """A webhook's body, the same bytes at every try (docs/notifications.md): ids, never content."""
    data = {"letter": notification.letter}
    if notification.delivery:
        data["delivery"] = notification.delivery
    at = notification.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"type": notification.event_type, "timestamp": at, "data": data}, separators=(",", ":")).encode()


def headers(notification_id: UUID, body: bytes, secret: bytes, at: datetime) -> dict[str, str]:
    """A try's headers (Standard Webhooks 1.0.0, "Webhook headers"): the id stays, the timestamp is the try's."""
    timestamp = int(at.timestamp())
    signed = b"%s.%d.%s" % (str(notification_id).encode("ascii"), timestamp, body)
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii")
    return {
        "content-type": "application/json",
        "user-agent": "Dabir-Webhooks/1",
        "webhook-id": str(notification_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


# Tries.


def retry_after(tries: int, schedule_seconds: Sequence[int], jitter: float, asked: str = "") -> float | None:
    """Seconds until the next try after the `tries`-th failed; None when that was the last.

    `asked`: the receiver's Retry-After (RFC 9110 section 10.2.3), of which seconds up to a day are heeded.
    """
    if tries > len(schedule_seconds):
        return None
    seconds = schedule_seconds[tries - 1] * (1 + random.uniform(0, jitter))  # noqa: S311 - a schedule, no secret
    wanted = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 0.0
    return max(seconds, min(wanted, RETRY_AFTER_MAX_SECONDS))


def decided(standing: Standing) -> str | None:
    """What a notification came to just now: its first success, or its last failure; None while it is not known."""
    if standing.outcome is not None:
        return None
    if standing.delivered:
        return "DELIVERED"
    return None if standing.waiting else "FAILED"


def event_of(notification: Notification, outcome: str) -> Event | None:
    """What is stated of an outcome: only that somebody was told that a delivery waits for acceptance."""
    if notification.event_type != AVAILABLE or not notification.delivery:
        return None
    delivered = outcome == "DELIVERED"
    return Event.NOTIFICATION_FOR_ACCEPTANCE if delivered else Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE
