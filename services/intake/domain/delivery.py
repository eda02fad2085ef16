"""What may happen to a delivery, and when: lateness, reminders, and when its letter closes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.intake.domain import errors, recall, receipt_errors
from services.intake.domain.definition import Definition
from services.intake.domain.model import (
    ACCEPTED,
    ANSWERED,
    AVAILABLE,
    CREATED,
    REFUSED,
    RETURNED,
    WITHDRAWN,
    Delivery,
    Letter,
    Recall,
)
from services.runtime import instants

Clock = Literal["acceptance", "answer"]
READ_UP_TO = 200
"""Statements of a delivery, beyond which no reading is stated any more; all else is."""

_ENDED = (REFUSED, RETURNED, ANSWERED, WITHDRAWN)


def return_until(decided_at: datetime, definition: Definition) -> datetime:
    """Until when an accepted delivery may be returned."""
    return decided_at + timedelta(seconds=definition.demands.return_window_seconds)


def check_room(delivery: Delivery, stated: int) -> None:
    """That a reading is still stated of a delivery with so many statements: its sender has to read them all.

    Raises TooManyReadings.
    """
    if stated >= READ_UP_TO:
        raise receipt_errors.TooManyReadings(delivery=delivery.name, allowed=READ_UP_TO)


# Lateness. A delivery that became available after its due is the hub's fault and gets no flag.


def hub_is_late(delivery: Delivery, now: datetime) -> bool:
    """Whether a delivery that becomes available at `now` does so after a due of its own."""
    return any(due is not None and now > due for due in (delivery.acceptance_due, delivery.answer_due))


def acceptance_is_late(delivery: Delivery, now: datetime) -> bool:
    """Whether whoever holds the delivery's lock at `now` must state that nothing was signed by the due."""
    return (
        delivery.state == AVAILABLE and not delivery.late_acceptance and _passed(delivery.acceptance_due, delivery, now)
    )


def answer_is_late(delivery: Delivery, now: datetime) -> bool:
    """Whether whoever holds the delivery's lock at `now` must state that no answer came by the due."""
    waits = delivery.state in (AVAILABLE, ACCEPTED)
    return waits and not delivery.late_answer and _passed(delivery.answer_due, delivery, now)


def _passed(due: datetime | None, delivery: Delivery, now: datetime) -> bool:
    return due is not None and delivery.available_at is not None and delivery.available_at <= due < now


def check_flag(delivery: Delivery, clock: Clock, now: datetime, recalled_at: datetime | None) -> bool:
    """Whether FlagLate states something now. Raises NoSuchClock; NotLateYet while the clock still runs.

    `recalled_at`: of a recall that the hub has yet to apply; with what was asked back by then nobody is late.
    """
    due = delivery.acceptance_due if clock == "acceptance" else delivery.answer_due
    if due is None:
        raise errors.NoSuchClock(delivery=delivery.name, clock=clock)
    waits = (CREATED, AVAILABLE) if clock == "acceptance" else (CREATED, AVAILABLE, ACCEPTED)
    if delivery.state in waits and now <= due:
        left = (due - now).total_seconds()
        raise errors.NotLateYet(clock=clock, delivery=delivery.name, due=instants.text(due), retry_after_seconds=left)
    judged = now if recalled_at is None else min(now, recalled_at)
    return acceptance_is_late(delivery, judged) if clock == "acceptance" else answer_is_late(delivery, judged)


def reminders(delivery: Delivery, definition: Definition, now: datetime) -> list[datetime]:
    """When its recipient is still to be reminded, soonest first."""
    dues = []
    if delivery.acceptance_due is not None and delivery.state in (CREATED, AVAILABLE):
        dues.append(delivery.acceptance_due)
    if delivery.answer_due is not None and delivery.state in (CREATED, AVAILABLE, ACCEPTED):
        dues.append(delivery.answer_due)
    before = [timedelta(seconds=seconds) for seconds in definition.demands.remind_before_seconds]
    return sorted({due - early for due in dues for early in before if due - early > now})


# Closing. Copies never keep a letter open.


@dataclass(frozen=True)
class Closing:
    """Whether a letter closes now, and if not, what keeps it open."""

    closes: bool
    unclaimed: bool = False
    waiting: tuple[str, ...] = ()
    next_at: datetime | None = None
    """When to ask again, if only time is missing."""


def closing(letter: Letter, deliveries: Collection[Delivery], recalls: Collection[Recall], now: datetime) -> Closing:
    """Judge an open letter by all of its deliveries and recalls.

    What a recall is still to withdraw keeps it open, a copy and an overdue one too: nobody withdraws it afterwards.
    """
    owed = [delivery for delivery in deliveries if recall.is_pending(delivery, recalls)]
    waiting = [d for d in deliveries if d in owed or (d.kind == "TO" and not _done(d, now))]
    if not waiting:
        return Closing(closes=True)
    if now >= letter.close_at and not owed:
        return Closing(closes=True, unclaimed=True)
    windows = [d.return_until for d in waiting if d.state == ACCEPTED and not d.answer_needed and d.return_until]
    only_time = len(windows) == len(waiting)
    return Closing(
        closes=False,
        waiting=tuple(delivery.name for delivery in waiting),
        next_at=min(max(windows), letter.close_at) if only_time else None,
    )


def _done(delivery: Delivery, now: datetime) -> bool:
    if delivery.state in _ENDED:
        return True
    window_over = delivery.return_until is not None and now >= delivery.return_until
    return delivery.state == ACCEPTED and not delivery.answer_needed and window_over
