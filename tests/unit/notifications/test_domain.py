"""Rules of notifications by themselves: when to try again, what a notification came to, what is stated."""

import uuid
from datetime import UTC, datetime

import pytest

from dabir.formats.events import Event
from services.notifications.domain import notification as told
from services.notifications.domain import tries
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.notification import Notification, Standing

SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


def notification(**fields: str) -> Notification:
    letter = "letters/2f1ecf0a-51f8-4c5e-8b70-6f1b2f7f0b0a"
    given = {"event_type": "delivery.available", "letter": letter, "delivery": f"{letter}/deliveries/3"} | fields
    at = datetime(2026, 11, 22, 10, 14, 33, tzinfo=UTC)
    return Notification(
        id=uuid.uuid4(), body="bodies/bank", sender_body="bodies/interior", occurred_at=at, priority=1, **given
    )


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    found = [tries.next_try_seconds(tried, SCHEDULE) for tried in range(1, 11)]
    assert found == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_chance_makes_it_later_by_a_part_of_the_schedule() -> None:
    assert tries.next_try_seconds(2, SCHEDULE, added=0.5) == 450


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("60", 60),
        ("9999999", 86400),
        ("Sun, 22 Nov 2026 10:16:33 GMT", 120),
        ("Sun, 22 Nov 2026 10:14:32 GMT", 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 86400),
        ("", 0),
        ("-1", 0),
        ("soon", 0),
        ("١٢٣", 0),
        ("9" * 400, 0),
        ("1e9", 0),
        ("Sun, 32 Nov 2026 10:16:33 GMT", 0),
        ("Sun, 22 Nov 999999999999 10:16:33 GMT", 0),
        ("Sun, 22 Nov 2026 10:16:33 +0330", 0),
        (f"{'x' * 4000} GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_up_to_a_day(said: str, seconds: float) -> None:
    assert tries.read_retry_after(said, datetime(2026, 11, 22, 10, 14, 33, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(("asked", "seconds"), [(60.0, 60), (3.0, 5), (0.0, 5)])
def test_retry_after_only_ever_makes_it_later(asked: float, seconds: float) -> None:
    assert tries.next_try_seconds(1, SCHEDULE, asked_seconds=asked) == seconds


def test_retry_after_makes_no_try_beyond_the_last() -> None:
    assert tries.next_try_seconds(10, SCHEDULE, asked_seconds=60.0) is None


@pytest.mark.parametrize(
    ("status", "word", "arrived", "gone", "throttles"),
    [
        (200, "HTTP_200", True, False, False),
        (299, "HTTP_299", True, False, False),
        (301, "HTTP_301", False, False, False),
        (410, "HTTP_410", False, True, False),
        (429, "HTTP_429", False, False, True),
        (500, "HTTP_500", False, False, False),
        (503, "HTTP_503", False, False, True),
    ],
)
def test_what_an_answer_means(status: int, word: str, arrived: bool, gone: bool, throttles: bool) -> None:
    found = tries.answered(status, "7", datetime(2026, 11, 22, tzinfo=UTC))
    assert (found.word, found.arrived, found.gone, found.final, found.throttles) == (
        word,
        arrived,
        gone,
        gone,
        throttles,
    )
    assert not tries.answered(status, "", datetime(2026, 11, 22, tzinfo=UTC)).throttles


def test_tries_without_a_record_come_to_an_end() -> None:
    assert tries.may_send(13, SCHEDULE)
    assert not tries.may_send(14, SCHEDULE)


@pytest.mark.parametrize(
    ("standing", "outcome"),
    [
        (Standing(None, delivered=True, waiting=1), "DELIVERED"),
        (Standing(None, delivered=False, waiting=1), None),
        (Standing(None, delivered=False, waiting=0), "FAILED"),
        (Standing("DELIVERED", delivered=True, waiting=0), None),
        (Standing("DELIVERED", delivered=False, waiting=0), None),
        (Standing("FAILED", delivered=False, waiting=0), None),
        (Standing("FAILED", delivered=True, waiting=0), "DELIVERED"),
    ],
)
def test_a_notification_is_decided_once(standing: Standing, outcome: str | None) -> None:
    assert told.decided(standing) == outcome


def test_only_what_waits_for_acceptance_is_stated() -> None:
    assert told.event_of(notification(), "DELIVERED") == Event.NOTIFICATION_FOR_ACCEPTANCE
    assert told.event_of(notification(), "FAILED") == Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE
    assert told.event_of(notification(event_type="delivery.late"), "DELIVERED") is None
    assert told.event_of(notification(delivery=""), "DELIVERED") is None


def test_a_secret_is_not_shown() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    endpoint = Endpoint(
        id=uuid.uuid4(),
        body="bodies/bank",
        url="https://x.example",
        event_types=[],
        clearance=1,
        secret=b"s" * 32,
        created_at=at,
    )
    assert "sss" not in repr(endpoint)
