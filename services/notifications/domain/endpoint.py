"""Where a body wants to be told: what it may say, and its name."""

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from urllib.parse import urlsplit
from uuid import UUID

from yarl import URL

from dabir.formats.notices import EventType
from services.notifications.domain.errors import (
    EmailNotAllowed,
    EndpointHasNoSecret,
    EndpointIdReused,
    EndpointInvalid,
    EndpointNotFound,
    EventTypeUnknown,
    TooManyEndpoints,
    TooManyEndpointsMade,
    TooManySecrets,
    UrlNotAllowed,
)
from services.notifications.domain.quiet import QuietHours
from services.runtime.errors import FieldViolation, NotFound

WEBHOOK, EMAIL = "webhook", "email"
"""Channels, as statements name them."""
PERSIAN, ENGLISH = "fa", "en"
SECRET_BYTES = 32
"""Standard Webhooks 1.0.0: 24 to 64."""
REPLACED_SECRETS_MAX = 4
"""Of one endpoint, in force at once: each is one more signature in every webhook's header."""

# RFC 5321 section 4.1.2, Dot-string "@" Domain of at least two labels; no quoted strings, no address literals.
# Without % and !, by which some mail servers send on what is addressed to them.
_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Names of this machine and of private networks (RFC 6761, RFC 6762, and what resolvers and clouds use).
_NOT_ON_THE_INTERNET = frozenset({"localhost", "localdomain", "local", "internal"})
_EMAIL_ADDRESS = re.compile(
    rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where: a url, or an address of e-mail and its language."""

    url: str | None = None
    email_address: str | None = None
    email_language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoint(Target):
    """Where a body wants to be told."""

    id: UUID
    body: str
    event_types: list[str]
    """Sorted; empty: all."""
    clearance: int
    """Of the certificate that made it, a dabir.common.v1.Classification: it is told of letters up to that."""
    secret: bytes = field(repr=False)
    replaced_secrets: list[bytes] = field(default_factory=list, repr=False)
    """Those still in force beside it, newest first."""
    created_at: datetime
    quiet_start: time | None = None
    quiet_end: time | None = None
    quiet_zone: str | None = None
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.body}/endpoints/{self.id}"

    @property
    def channel(self) -> str:
        return EMAIL if self.url is None else WEBHOOK

    @property
    def quiet_hours(self) -> QuietHours | None:
        if self.quiet_start is None or self.quiet_end is None or self.quiet_zone is None:
            return None
        return QuietHours(self.quiet_start, self.quiet_end, self.quiet_zone)


def check_target(target: Target, *, plain_allowed: bool, ports: Collection[int] | None = None) -> None:
    """Whether something can be sent there, as far as it can be said without looking a name up.

    `ports`: those that a url may have; None: any. Raises EndpointInvalid, UrlNotAllowed, EmailNotAllowed.
    """
    if bool(target.url) == (target.email_address is not None):
        raise EndpointInvalid(field_violations=[FieldViolation("url", "Give either this or email.")])
    if target.url:
        check_url(target.url, plain_allowed=plain_allowed, ports=ports)
    elif not is_email_address(target.email_address or "") or not _is_on_the_internet(target.email_address or ""):
        raise EmailNotAllowed(field_violations=[FieldViolation("email.address", "It is not name@host.example.")])


def is_email_address(text: str) -> bool:
    """One that can stand in a header and in an envelope as it is: no encoded word (RFC 2047) in its local part."""
    return _EMAIL_ADDRESS.fullmatch(text) is not None and "=?" not in text


def _is_on_the_internet(email_address: str) -> bool:
    """By its domain's last label: neither an address (all digits) nor a name of private networks."""
    last = email_address.rpartition(".")[2].lower()
    return not last.isdigit() and last not in _NOT_ON_THE_INTERNET


def check_url(url: str, *, plain_allowed: bool, ports: Collection[int] | None = None) -> None:
    """Raises UrlNotAllowed."""
    why = _wrong_with(url, plain_allowed=plain_allowed)
    if not why and ports is not None and URL(url).port not in ports:
        why = f"its port is not one of {', '.join(map(str, sorted(ports)))}"
    if why:
        raise UrlNotAllowed(why=why, field_violations=[FieldViolation("url", f"{why.capitalize()}.")])


def _wrong_with(url: str, *, plain_allowed: bool) -> str:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "it holds characters that must be escaped"
    try:
        parts = urlsplit(url)
        port_is_usable = parts.port != 0
        URL(url)  # as what sends reads it: of brackets and ports it is stricter
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
        if event_type not in set(EventType):
            violation = FieldViolation(f"event_types[{place}]", "Not a type of docs/notifications.md.")
            known = ", ".join(sorted(EventType))
            raise EventTypeUnknown(event_type=event_type, known=known, field_violations=[violation])


def check_room(count: int, limit: int) -> None:
    """Whether a body may have one more. Raises TooManyEndpoints."""
    if count >= limit:
        raise TooManyEndpoints(limit=limit)


def check_made(count: int, limit: int, next_seconds: float) -> None:
    """Whether a body may make one more today. Raises TooManyEndpointsMade."""
    if count >= limit:
        raise TooManyEndpointsMade(limit=limit, retry_after_seconds=next_seconds)


def check_rotation(endpoint: Endpoint) -> None:
    """Whether its secret may be replaced now. Raises EndpointHasNoSecret, TooManySecrets."""
    if endpoint.channel != WEBHOOK:
        raise EndpointHasNoSecret
    if len(endpoint.replaced_secrets) >= REPLACED_SECRETS_MAX:
        raise TooManySecrets(limit=REPLACED_SECRETS_MAX)


def check_same_endpoint(
    stored: Endpoint, body: str, clearance: int, target: Target, event_types: Sequence[str]
) -> None:
    """Whether a repeated CreateEndpoint is the one that was answered. Raises EndpointIdReused.

    An endpoint above the caller's clearance is as another body's: who has its secret could speak for the hub there.
    """
    had = Target(url=stored.url, email_address=stored.email_address, email_language=stored.email_language)
    same = (stored.body, had, stored.event_types) == (body, target, sorted(event_types))
    if not same or stored.clearance > clearance or stored.ended_at is not None:
        raise EndpointIdReused(endpoint_id=stored.id)


def split_endpoint(name: str, caller_body: str) -> UUID:
    """`bodies/{body}/endpoints/{uuid}` → its id. Raises EndpointNotFound, also for another body's."""
    return split_own(name, f"{caller_body}/endpoints/", EndpointNotFound)


def split_own(name: str, prefix: str, not_found: type[NotFound]) -> UUID:
    """What follows `prefix`, which names the caller's body, spelled as a UUID is. Raises `not_found`."""
    text = name.removeprefix(prefix)
    try:
        found = UUID(text)
    except ValueError as error:
        raise not_found from error
    if name != f"{prefix}{found}":
        raise not_found
    return found


def secret_text(secret: bytes) -> str:
    """As its owner gets it (Standard Webhooks 1.0.0, "Signature scheme")."""
    return f"whsec_{base64.b64encode(secret).decode('ascii')}"
