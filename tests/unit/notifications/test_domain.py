"""Rules of notifications by themselves: when to try again, what a notification came to, what is stated."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabir.formats.events import Event
from services.notifications import domain
from services.notifications.domain import Notification, Standing

SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


def notification(**fields: str) -> Notification:
    letter = "letters/2f1ecf0a-51f8-4c5e-8b70-6f1b2f7f0b0a"
    given = {"event_type": "delivery.available", "letter": letter, "delivery": f"{letter}/deliveries/3"} | fields
    at = datetime(2026, 11, 22, 10, 14, 33, tzinfo=UTC)
    return Notification(id=uuid.uuid4(), body="bodies/bank", sender_body="bodies/interior", occurred_at=at, **given)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    found = [domain.retry_after(tries, SCHEDULE, 0.0) for tries in range(1, 11)]
    assert found == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


@given(tries=st.integers(1, 9), jitter=st.floats(0, 1))
def test_chance_only_ever_adds(tries: int, jitter: float) -> None:
    seconds = domain.retry_after(tries, SCHEDULE, jitter)
    assert seconds is not None
    assert SCHEDULE[tries - 1] <= seconds <= SCHEDULE[tries - 1] * (1 + jitter) * 1.000001


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("60", 60), ("3", 5), ("9999999", 86400), ("", 5), ("-1", 5), ("soon", 5), ("١٢٣", 5), ("9" * 400, 5), ("1e9", 5)],
)
def test_retry_after_is_heeded_up_to_a_day(asked: str, seconds: float) -> None:
    assert domain.retry_after(1, SCHEDULE, 0.0, asked) == seconds


def test_retry_after_makes_no_try_beyond_the_last() -> None:
    assert domain.retry_after(10, SCHEDULE, 0.0, "60") is None


@pytest.mark.parametrize(
    ("standing", "outcome"),
    [
        (Standing(None, delivered=True, waiting=1), "DELIVERED"),
        (Standing(None, delivered=False, waiting=1), None),
        (Standing(None, delivered=False, waiting=0), "FAILED"),
        (Standing("DELIVERED", delivered=True, waiting=0), None),
        (Standing("FAILED", delivered=True, waiting=0), None),
    ],
)
def test_a_notification_is_decided_once(standing: Standing, outcome: str | None) -> None:
    assert domain.decided(standing) == outcome


def test_only_what_waits_for_acceptance_is_stated() -> None:
    assert domain.event_of(notification(), "DELIVERED") == Event.NOTIFICATION_FOR_ACCEPTANCE
    assert domain.event_of(notification(), "FAILED") == Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE
    assert domain.event_of(notification(event_type="delivery.late"), "DELIVERED") is None
    assert domain.event_of(notification(delivery=""), "DELIVERED") is None


def test_a_secret_is_not_shown() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    endpoint = domain.Endpoint(
        id=uuid.uuid4(), body="bodies/bank", url="https://x.example", event_types=[], secret=b"s" * 32, created_at=at
    )
    assert "sss" not in repr(endpoint)
