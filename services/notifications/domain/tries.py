"""When something is tried again, and when no more (Standard Webhooks 1.0.0, "Deliverability and reliability")."""

import email.utils
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

RETRY_AFTER_MAX_SECONDS = 86400
GONE = 410
THROTTLING = (429, 503)
"""Answers whose Retry-After speaks for the whole endpoint, and not for this webhook alone (RFC 6585, RFC 9110)."""
SPARE_TRIES = 3
"""Beyond the schedule, for tries of which a killed process left no record. What comes to more is not sent again."""


@dataclass(frozen=True)
class Result:
    """What came of a try."""

    word: str
    """For the record and for its owner: `HTTP_200`, `TIMEOUT`, `SMTP_550`, …"""
    arrived: bool = False
    final: bool = False
    """Trying again would not help."""
    gone: bool = False
    """The endpoint wants no more."""
    asked_seconds: float = 0.0
    """How long it asked to wait."""
    throttles: bool = False
    """It asked for all that goes to it."""
    blameless: bool = False
    """What failed is the hub's own: it says nothing about the endpoint."""


def answered(status: int, retry_after: str, now: datetime) -> Result:
    """What an HTTP answer means."""
    asked_seconds = read_retry_after(retry_after, now)
    return Result(
        word=f"HTTP_{status}",
        arrived=200 <= status < 300,
        final=status == GONE,
        gone=status == GONE,
        asked_seconds=asked_seconds,
        throttles=status in THROTTLING and asked_seconds > 0,
    )


def read_retry_after(retry_after: str, now: datetime) -> float:
    """A Retry-After (RFC 9110 section 10.2.3: seconds or an HTTP-date) in seconds from now, up to a day; else 0."""
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 8:
        return min(float(retry_after), RETRY_AFTER_MAX_SECONDS)
    if not retry_after.endswith(" GMT") or len(retry_after) > 40:
        return 0.0
    try:
        until = email.utils.parsedate_to_datetime(retry_after).replace(tzinfo=UTC)
        return min(max(0.0, (until - now).total_seconds()), RETRY_AFTER_MAX_SECONDS)
    except (ValueError, OverflowError):
        return 0.0


def next_try_seconds(
    tries: int, schedule_seconds: Sequence[int], *, added: float = 0.0, asked_seconds: float = 0.0
) -> float | None:
    """Seconds until the next try after the `tries`-th failed; None when that was the last.

    `added`: what part of the schedule's seconds comes on top, drawn by chance. `asked_seconds`: what the receiver asked
    for; heeded where it is later than the schedule.
    """
    if tries > len(schedule_seconds):
        return None
    return max(schedule_seconds[tries - 1] * (1 + added), asked_seconds)


def may_send(tries: int, schedule_seconds: Sequence[int]) -> bool:
    """Whether the `tries`-th try is one to send: what could never be recorded is not sent for ever."""
    return tries <= 1 + len(schedule_seconds) + SPARE_TRIES
