import datetime
import importlib.resources
import zoneinfo
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from convertdate import persian as untyped_persian
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dabir.formats import calendar
from dabir.formats.strict_json import FormatError

TEHRAN = "Asia/Tehran"
persian: Any = untyped_persian  # convertdate ships no types


def utc(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # the parts are year to microsecond


@pytest.mark.parametrize(
    ("instant", "year"),
    [
        (utc(2027, 3, 20, 20, 29, 59, 999_999), 1405),
        (utc(2027, 3, 20, 20, 30), 1406),
        (utc(2025, 3, 20, 20, 29, 59), 1403),
        (utc(2025, 3, 20, 20, 30), 1404),
        (utc(2026, 11, 22, 10, 14, 33), 1405),
    ],
)
def test_the_year_turns_at_midnight_of_1_farvardin_in_tehran(instant: datetime.datetime, year: int) -> None:
    assert calendar.year_of(instant, "JALALI", TEHRAN) == year


def test_the_zone_decides_and_not_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    turn = utc(2027, 3, 20, 20, 30)
    assert calendar.year_of(turn, "JALALI", "UTC") == 1405
    assert calendar.year_of(turn.astimezone(datetime.timezone(datetime.timedelta(hours=-8))), "JALALI", TEHRAN) == 1406


def test_gregorian_years_turn_in_the_zone_too() -> None:
    assert calendar.year_of(utc(2026, 12, 31, 20, 29, 59), "GREGORIAN", TEHRAN) == 2026
    assert calendar.year_of(utc(2026, 12, 31, 20, 30), "GREGORIAN", TEHRAN) == 2027


@pytest.fixture
def wrong_zones(tmp_path: Path) -> Iterator[None]:
    """A machine whose own Asia/Tehran is UTC."""
    (tmp_path / "Asia").mkdir()
    utc_file = importlib.resources.files("tzdata").joinpath("zoneinfo", "UTC")
    (tmp_path / "Asia" / "Tehran").write_bytes(utc_file.read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    calendar.time_zone.cache_clear()
    yield
    zoneinfo.reset_tzpath(before)
    calendar.time_zone.cache_clear()


@pytest.mark.usefixtures("wrong_zones")
def test_zones_come_from_the_pinned_package_only() -> None:
    assert zoneinfo.ZoneInfo.no_cache(TEHRAN).utcoffset(datetime.datetime(2026, 7, 1)) == datetime.timedelta(0)  # noqa: DTZ001 - a wall clock
    assert calendar.year_of(utc(2027, 3, 20, 20, 30), "JALALI", TEHRAN) == 1406


@pytest.mark.parametrize(
    "zone", ["", "Tehran", "../../../etc/passwd", "Asia/../UTC", "Asia", "/etc/localtime", "A" * 300]
)
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(FormatError) as raised:
        calendar.time_zone(zone)
    assert raised.value.reason == "UNKNOWN_TIME_ZONE"


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        calendar.year_of(datetime.datetime(2026, 1, 1), "JALALI", TEHRAN)  # noqa: DTZ001 - what is refused


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(FormatError) as raised:
        calendar.year_of(utc(2026, 1, 1), "LUNAR", TEHRAN)  # type: ignore[arg-type]  # what is refused
    assert raised.value.reason == "UNKNOWN_CALENDAR"


# Before 1300 and from 1503 on the two libraries' arithmetic parts by a day in some years.
@settings(deadline=None, max_examples=100)
@given(day=st.dates(datetime.date(1921, 3, 21), datetime.date(2124, 3, 19)))
@example(day=datetime.date(2025, 3, 20))
@example(day=datetime.date(2029, 3, 20))
def test_jalali_days_agree_with_a_second_library(day: datetime.date) -> None:
    year, month, of_month = persian.from_gregorian(day.year, day.month, day.day)
    written = calendar.format_day(day, "JALALI")
    assert (
        written.translate({ord(p): str(n) for n, p in enumerate("۰۱۲۳۴۵۶۷۸۹")})
        == f"{year:04d}/{month:02d}/{of_month:02d}"
    )
    assert calendar.parse_date(written, "JALALI") == day


def test_every_new_year_of_a_lifetime_agrees_with_a_second_library() -> None:
    for year in range(1390, 1470):
        first = datetime.date(*persian.to_gregorian(year, 1, 1))
        midnight = datetime.datetime.combine(first, datetime.time(), calendar.time_zone(TEHRAN))
        if calendar.day_of(midnight, TEHRAN) != first:
            continue  # clocks went forward at this midnight: there was none
        assert calendar.year_of(midnight, "JALALI", TEHRAN) == year
        assert calendar.year_of(midnight - datetime.timedelta(microseconds=1), "JALALI", TEHRAN) == year - 1


def test_dates_for_people() -> None:
    instant = utc(2026, 11, 21, 20, 30)
    assert calendar.format_date(instant, "JALALI", TEHRAN) == "۱۴۰۵/۰۹/۰۱"
    assert calendar.format_date(instant, "GREGORIAN", TEHRAN) == "2026-11-22"
    assert calendar.format_date(instant, "GREGORIAN", "UTC") == "2026-11-21"


@pytest.mark.parametrize("text", ["۱۴۰۵/۰۹/۰۱", "١٤٠٥/٩/١", "1405-9-1", " 1405/09/01 "])
def test_dates_as_people_write_them(text: str) -> None:
    assert calendar.parse_date(text, "JALALI") == datetime.date(2026, 11, 22)
    assert calendar.parse_date("۲۰۲۶-۱۱-۲۲", "GREGORIAN") == datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    "text", ["", "1405/12/30", "1405/13/01", "1405/9", "1405.9.1", "0000/01/01", "9" * 40, "1405/07/31"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as raised:
        calendar.parse_date(text, "JALALI")
    assert raised.value.reason == "BAD_DATE"
