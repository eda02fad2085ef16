"""Years and days as a body counts them: Jalali (هجری شمسی) by default, Gregorian by setting.

The year of a registry number turns at 00:00 of 1 Farvardin in the body's zone, which is 20:30 UTC of the day before in
Tehran. jdatetime's arithmetic and a second library's agree on every day from 1300 to 1502 (1921 to 2124). Zones come
from the pinned `tzdata` package, never from the machine's files, so every replica agrees.
"""

import datetime
import importlib.resources
import re
import zoneinfo
from functools import lru_cache
from typing import Literal

import jdatetime

from dabir.formats.persian import latin_digits, persian_digits
from dabir.formats.strict_json import FormatError

Calendar = Literal["JALALI", "GREGORIAN"]

_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_DATE = re.compile(r"([0-9]{4})[/-]([0-9]{1,2})[/-]([0-9]{1,2})")


@lru_cache(maxsize=64)
def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of an IANA name such as `Asia/Tehran`, by the pinned tzdata. Raises FormatError (UNKNOWN_TIME_ZONE)."""
    if _ZONE.fullmatch(name) is not None:
        source = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        try:
            with source.open("rb") as file:
                return zoneinfo.ZoneInfo.from_file(file, key=name)
        except (OSError, ValueError):
            pass
    raise FormatError("UNKNOWN_TIME_ZONE", f"{name[:80]!a} is no IANA time zone; write one such as Asia/Tehran")


def day_of(instant: datetime.datetime, zone: str) -> datetime.date:
    """The Gregorian day of an instant (with time zone) in `zone`. Raises ValueError for an instant without zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(time_zone(zone)).date()


def year_of(instant: datetime.datetime, calendar: Calendar, zone: str) -> int:
    """The year of an instant in `calendar` and `zone`: JALALI 1406 from 2027-03-20T20:30:00Z in Asia/Tehran."""
    day = day_of(instant, zone)
    return int(_to_jalali(day).year) if _is_jalali(calendar) else day.year


def format_date(instant: datetime.datetime, calendar: Calendar, zone: str) -> str:
    """The day of an instant for people: `۱۴۰۵/۰۹/۰۱` or `2026-11-22`."""
    return format_day(day_of(instant, zone), calendar)


def format_day(day: datetime.date, calendar: Calendar) -> str:
    """A day for people: `۱۴۰۵/۰۹/۰۱` or `2026-11-22`."""
    if not _is_jalali(calendar):
        return day.isoformat()
    found = _to_jalali(day)
    return persian_digits(f"{found.year:04d}/{found.month:02d}/{found.day:02d}")


def parse_date(text: str, calendar: Calendar) -> datetime.date:
    """The day that a person wrote, in any digits: `۱۴۰۵/۹/۱`, `2026-11-22`. Raises FormatError (BAD_DATE)."""
    written = _DATE.fullmatch(latin_digits(text.strip())) if len(text) <= 32 else None
    if written is not None:
        year, month, day = (int(part) for part in written.groups())
        try:
            if _is_jalali(calendar):
                found: datetime.date = jdatetime.date(year, month, day).togregorian()
                return found
            return datetime.date(year, month, day)
        except ValueError:
            pass
    form = "۱۴۰۵/۰۹/۰۱" if calendar == "JALALI" else "2026-11-22"
    raise FormatError("BAD_DATE", f"{text[:32]!a} is no day; write one as {form}")


def _to_jalali(day: datetime.date) -> jdatetime.date:
    return jdatetime.date.fromgregorian(date=day)


def _is_jalali(calendar: str) -> bool:
    if calendar not in ("JALALI", "GREGORIAN"):
        raise FormatError("UNKNOWN_CALENDAR", f"{calendar[:32]!a} is neither JALALI nor GREGORIAN")
    return calendar == "JALALI"
