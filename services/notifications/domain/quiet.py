"""Quiet hours: when what is not urgent to the minute waits, by the clock on the wall of a zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from dabir.common.v1.manifest_pb2 import Priority
from dabir.formats.calendar import time_zone
from services.notifications.domain.errors import QuietHoursInvalid
from services.runtime.errors import FieldViolation

HELD = (Priority.PRIORITY_NORMAL, Priority.PRIORITY_URGENT)
"""What quiet hours hold: never an immediate letter, nor one of which it is not said."""
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True)
class QuietHours:
    """From `start` to before `end`, over midnight if `end` is earlier."""

    start: time
    end: time
    zone: str
    """IANA name."""


def read(start: str, end: str, zone: str) -> QuietHours:
    """Quiet hours as a member gives them. Raises QuietHoursInvalid."""
    for name, given in (("start", start), ("end", end)):
        if not _CLOCK.fullmatch(given):
            raise _invalid(name, f"{name} is not HH:MM, from 00:00 to 23:59")
    if start == end:
        raise _invalid("end", "start and end are the same, which would be never or always")
    try:
        time_zone(zone)
    except ValueError as error:
        raise _invalid("time_zone", "time_zone is not one of the IANA database") from error
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end), zone)


def held_until(quiet: QuietHours | None, now: datetime) -> datetime | None:
    """When the quiet hours that hold at `now` end, in UTC; None while none do.

    Where the zone's clock is put forward over the end, it is up to that hour later; where it is put back over it, the
    hours that come twice are quiet twice.
    """
    if quiet is None:
        return None
    here = now.astimezone(time_zone(quiet.zone))
    clock, day = here.time(), here.date()
    if quiet.start < quiet.end:
        if not quiet.start <= clock < quiet.end:
            return None
    elif clock >= quiet.start:
        day += timedelta(days=1)
    elif clock >= quiet.end:
        return None
    ends = (datetime.combine(day, quiet.end.replace(fold=fold), here.tzinfo).astimezone(UTC) for fold in (0, 1))
    return next(end for end in ends if end > now)


def _invalid(field: str, why: str) -> QuietHoursInvalid:
    return QuietHoursInvalid(why=why, field_violations=[FieldViolation(f"quiet_hours.{field}", f"{why.capitalize()}.")])
