"""How a person may write names, days and instants at the command line, and what is said when one is wrong."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import click

from dabir.formats import calendar, names, persian
from dabir.formats.strict_json import FormatError

T = TypeVar("T")
_ISOLATES = dict.fromkeys(range(0x2066, 0x206A))
"""What stands around a number or a name where we show it, and comes along when it is copied from there."""
_FROM_NOW = re.compile(r"\+([1-9][0-9]{0,6})([smhd])")
_UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Written(click.ParamType[T], Generic[T]):
    """An argument read by a function, whose ValueError says what is wrong with it."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        if not value or not isinstance(value, str):  # an option that is not given, or a default: as read already
            already: T = value
            return already
        try:
            return self._read(value.translate(_ISOLATES))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _named(name: str, check: Callable[[str], object], otherwise: str) -> str:
    """`name` in the digits and letters of names, if it is one. Raises ValueError with what to write otherwise."""
    name = persian.fold(name)
    try:
        check(name)
    except FormatError:
        raise ValueError(otherwise) from None
    return name


def _letter(text: str) -> str:
    name = text if "/" in text else f"letters/{text}"
    return _named(name, names.split_letter, f"{text!r} is no letter: write its id as `dabir letters` shows it")


def _delivery(text: str) -> str:
    letter, _, place = text.partition("/")
    name = text if text.startswith("letters/") else f"letters/{letter}/deliveries/{place}"
    return _named(name, names.split_delivery, f"{text!r} is no delivery: write id/number as `dabir inbox` shows it")


def _letter_or_delivery(text: str) -> str:
    return _delivery(text) if text.removeprefix("letters/").count("/") else _letter(text)


def _office(text: str) -> str:
    body, _, office = text.partition("/")
    name = text if text.startswith("bodies/") else f"bodies/{body}/offices/{office}"
    return _named(
        name, names.split_office, f"{text!r} is no office: write body/office; `dabir bodies --offices` lists them"
    )


def _definition(text: str) -> str:
    name = text if text.startswith("definitions/") else f"definitions/{text}"
    return _named(name, names.split_definition, f"{text!r} is no type of letter: write type/version, administrative/1")


def _day(text: str) -> str:
    """No Jalali year of today's is above 1700, and no Gregorian one below."""
    year = persian.latin_digits(text)[:4]
    gregorian = year.isdigit() and int(year) > 1700
    return calendar.parse_date(text, "GREGORIAN" if gregorian else "JALALI").isoformat()


def _instant(text: str) -> datetime:
    from_now = _FROM_NOW.fullmatch(text)
    if from_now is not None:
        seconds = int(from_now.group(1)) * _UNITS_SECONDS[from_now.group(2)]
        return datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) + seconds, UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(f"{text!r} is no instant: write 2026-11-30T12:00:00Z, or from now +30m, +2h, +10d")
    return instant.astimezone(UTC).replace(microsecond=0)


def _indexes(text: str) -> tuple[int, ...]:
    places = persian.latin_digits(text).split(",")
    if not all(place.isascii() and place.isdigit() and 1 <= int(place) <= 100 for place in places):
        raise ValueError(f"{text!r} names no documents: write their places, 1 or 1,3")
    return tuple(sorted({int(place) for place in places}))


NUMBER = Written("text", str)
"""A number as a body writes it, whatever that is."""
LETTER = Written("letter", _letter)
"""`letters/{uuid}`, or the uuid alone."""
DELIVERY = Written("delivery", _delivery)
"""`letters/{uuid}/deliveries/{n}`, or `{uuid}/{n}`."""
LETTER_OR_DELIVERY = Written("letter", _letter_or_delivery)
OFFICE = Written("office", _office)
"""`bodies/{body}/offices/{office}`, or `{body}/{office}`."""
DEFINITION = Written("definition", _definition)
"""`definitions/{type}/{version}`, or `{type}/{version}`."""
DAY = Written("day", _day)
"""A day of the Jalali or Gregorian calendar; comes out Gregorian, `YYYY-MM-DD`."""
INSTANT = Written("instant", _instant)
"""ISO 8601 with a zone, or so long from now: `+90s`, `+30m`, `+2h`, `+10d`."""
INDEXES = Written("indexes", _indexes)
"""Places of documents, 1-based: `1,3`; ascending, each once."""
