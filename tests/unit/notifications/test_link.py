"""The rate of a resumed link."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain import link

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize("rate", [1, 60, 600, 60000])
def test_the_first_goes_at_once(rate: int) -> None:
    assert link.allowance(rate, link.resumed_to(rate, NOW), NOW) == 1


@given(
    rate=st.integers(1, 60000),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 300)), max_size=40),
)
def test_never_more_than_the_rate_and_two_seconds_of_it(rate: int, steps: list[tuple[float, int]]) -> None:
    now, counted_to, sent = NOW, link.resumed_to(rate, NOW), 0
    for seconds, wanted in steps:
        now += timedelta(seconds=seconds)
        count = min(wanted, link.allowance(rate, counted_to, now))
        counted_to = link.spent(rate, counted_to, now, count)
        sent += count
    passed = (now - NOW).total_seconds()
    assert sent <= passed * rate / 60 + max(1, 2 * rate / 60) + 1


def test_what_is_taken_as_it_may_be_keeps_to_the_rate() -> None:
    counted_to, sent, now = link.resumed_to(120, NOW), 0, NOW
    for _ in range(600):
        count = link.allowance(120, counted_to, now)
        counted_to = link.spent(120, counted_to, now, count)
        sent += count
        now += timedelta(milliseconds=100)
    assert sent == 120
