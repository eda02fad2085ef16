"""What evidence decides: how much one answer holds, who gets a stream, and where it goes on."""

import pytest

from services.evidence import domain
from services.evidence.domain import PAGE_MAX_BYTES


@pytest.mark.parametrize(
    ("sizes", "count", "held"),
    [
        ([], 5, 0),
        ([1, 1, 1], 2, 2),
        ([1, 1], 5, 2),
        ([PAGE_MAX_BYTES - 1, 1, 1], 5, 2),
        ([PAGE_MAX_BYTES, 1], 5, 1),
        ([PAGE_MAX_BYTES + 1, 1], 5, 1),
        ([1, PAGE_MAX_BYTES], 5, 1),
    ],
)
def test_an_answer_holds_what_fits_and_at_least_one(sizes: list[int], count: int, held: int) -> None:
    assert domain.fitting(sizes, count) == held


def test_a_stream_goes_on_from_what_was_given() -> None:
    domain.check_after(0, 0)
    domain.check_after(7, 7)
    with pytest.raises(domain.PositionAhead, match="ends at 7, before position 8"):
        domain.check_after(8, 7)


def test_one_more_stream_is_judged_by_body_and_in_all() -> None:
    domain.check_streams(3, 9, limit_of_body=4, limit=10)
    with pytest.raises(domain.WatchStreamsOfBody, match="4 open streams") as of_body:
        domain.check_streams(4, 9, limit_of_body=4, limit=10)
    with pytest.raises(domain.WatchStreamsFull) as of_all:
        domain.check_streams(0, 10, limit_of_body=4, limit=10)
    assert of_body.value.retry_after_seconds == of_all.value.retry_after_seconds == domain.STREAMS_RETRY_SECONDS
