"""Instants in messages and sentences."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.runtime import instants

TEHRAN = timezone(timedelta(hours=3, minutes=30))


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 22, 10, 14, 32, tzinfo=UTC), "2026-11-22T10:14:32Z"),
        (datetime(2026, 11, 22, 13, 44, 32, tzinfo=TEHRAN), "2026-11-22T10:14:32Z"),
        (datetime(2026, 11, 22, 10, 14, 32, 123456, UTC), "2026-11-22T10:14:32.123456Z"),
    ],
)
def test_an_instant_is_given_in_utc(instant: datetime, text: str) -> None:
    assert instants.text(instant) == text
    assert instants.timestamp(instant).ToDatetime(UTC) == instant


def test_no_instant_is_no_timestamp() -> None:
    assert instants.optional_timestamp(None) is None
