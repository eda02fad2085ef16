"""A body's link: paused, resumed, and how many may go at a rate."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifications.domain.errors import LinkNotPaused, LinkPaused, RequestIdReused

_BURST = timedelta(seconds=2)
"""What was not used of a rate is kept no longer: one look for what is due may come late, a flood may not."""


@dataclass(frozen=True)
class Link:
    """How a body's link stands."""

    body: str
    paused_at: datetime | None
    rate_per_minute: int | None
    counted_to: datetime | None
    """With a rate: the instant up to which it is used up."""


@dataclass(frozen=True)
class LinkOrder:
    """What an operator ordered, under its request id."""

    id: UUID
    body: str
    rate_per_minute: int | None
    """Of ResumeLink, 0 for no limit; None: PauseLink."""


def check_same_order(stored: LinkOrder, given: LinkOrder) -> None:
    """Raises RequestIdReused."""
    if stored != given:
        raise RequestIdReused(request_id=given.id)


def check_order(link: Link, order: LinkOrder) -> None:
    """Whether it makes sense as the link stands. Raises LinkPaused, LinkNotPaused."""
    if order.rate_per_minute is None and link.paused_at is not None:
        raise LinkPaused(body=link.body)
    if order.rate_per_minute is not None and link.paused_at is None:
        raise LinkNotPaused(body=link.body)


def resumed_to(rate_per_minute: int, now: datetime) -> datetime:
    """`counted_to` of a rate that begins: the first goes at once."""
    return now - _interval(rate_per_minute)


def allowance(rate_per_minute: int, counted_to: datetime, now: datetime) -> int:
    """How many may go now."""
    unused = min(now - counted_to, max(_BURST, _interval(rate_per_minute)))
    return max(0, unused // _interval(rate_per_minute))


def spent(rate_per_minute: int, counted_to: datetime, now: datetime, count: int) -> datetime:
    """`counted_to` after `count` more went now."""
    interval = _interval(rate_per_minute)
    return max(counted_to, now - max(_BURST, interval)) + count * interval


def _interval(rate_per_minute: int) -> timedelta:
    return timedelta(minutes=1) / rate_per_minute
