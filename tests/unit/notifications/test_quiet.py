"""Quiet hours by the wall's clock: over midnight, and where the clock is put forward or back."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain import quiet
from services.notifications.domain.errors import QuietHoursInvalid
from services.notifications.domain.quiet import QuietHours

NIGHT = QuietHours(time(22, 0), time(6, 30), "Asia/Tehran")
"""Tehran has been 3 h 30 min ahead of UTC all the year round since 2022."""
NOON = QuietHours(time(12, 0), time(13, 0), "Asia/Tehran")
BERLIN = QuietHours(time(23, 0), time(2, 30), "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-11-22T18:29:59", None),
        (NIGHT, "2026-11-22T18:30:00", "2026-11-23T03:00:00"),
        (NIGHT, "2026-11-22T20:29:59", "2026-11-23T03:00:00"),
        (NIGHT, "2026-11-22T20:30:00", "2026-11-23T03:00:00"),
        (NIGHT, "2026-11-23T02:59:59", "2026-11-23T03:00:00"),
        (NIGHT, "2026-11-23T03:00:00", None),
        (NOON, "2026-11-22T08:29:59", None),
        (NOON, "2026-11-22T08:30:00", "2026-11-22T09:30:00"),
        (NOON, "2026-11-22T09:30:00", None),
        # Summer begins: 02:00 becomes 03:00, 02:30 never comes.
        (BERLIN, "2026-03-29T00:59:59", "2026-03-29T01:30:00"),
        (BERLIN, "2026-03-29T01:00:00", None),
        # Summer ends: 03:00 becomes 02:00, 02:30 comes twice.
        (BERLIN, "2026-10-24T23:00:00", "2026-10-25T00:30:00"),
        (BERLIN, "2026-10-25T00:29:59", "2026-10-25T00:30:00"),
        (BERLIN, "2026-10-25T00:30:00", None),
        (BERLIN, "2026-10-25T01:00:00", "2026-10-25T01:30:00"),
        (BERLIN, "2026-10-25T01:30:00", None),
        (None, "2026-11-22T20:30:00", None),
    ],
)
def test_held_until_the_hours_end(hours: QuietHours | None, now: str, until: str | None) -> None:
    assert quiet.held_until(hours, at(now)) == (at(until) if until else None)


@given(
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["Asia/Tehran", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Etc/UTC"]),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the bounds are naive
)
def test_what_is_held_is_let_go_within_a_day_and_once(start: time, end: time, zone: str, now: datetime) -> None:
    if start == end:
        return
    hours = QuietHours(start, end, zone)
    until = quiet.held_until(hours, now)
    if until is not None:
        assert now < until <= now + timedelta(hours=25)
        later = quiet.held_until(hours, until)
        assert later is None or later - until <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("start", "end", "zone", "field"),
    [
        ("24:00", "06:00", "Asia/Tehran", "quiet_hours.start"),
        ("9:00", "06:00", "Asia/Tehran", "quiet_hours.start"),
        ("۲۲:۰۰", "06:00", "Asia/Tehran", "quiet_hours.start"),
        ("22:00", "", "Asia/Tehran", "quiet_hours.end"),
        ("22:00", "06:60", "Asia/Tehran", "quiet_hours.end"),
        ("22:00", "22:00", "Asia/Tehran", "quiet_hours.end"),
        ("22:00", "06:00", "", "quiet_hours.time_zone"),
        ("22:00", "06:00", "Asia/Atlantis", "quiet_hours.time_zone"),
        ("22:00", "06:00", "../../etc/passwd", "quiet_hours.time_zone"),
    ],
)
def test_what_are_no_hours_is_refused(start: str, end: str, zone: str, field: str) -> None:
    with pytest.raises(QuietHoursInvalid) as caught:
        quiet.read(start, end, zone)
    assert [violation.field for violation in caught.value.field_violations] == [field]
