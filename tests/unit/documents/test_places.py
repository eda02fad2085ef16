"""Places for transfers, and who keeps them."""

from contextlib import ExitStack
from types import SimpleNamespace
from typing import cast

import pytest

from dabir.client.documents import SLOWEST_BYTES_PER_SECOND, TRANSFER_TIMEOUT_SECONDS
from services.documents.config import DocumentsConfig
from services.documents.domain.errors import TransfersBusy, TransferTooSlow
from services.documents.transfer import Pace, Places

KIB = 1024


def test_one_body_leaves_places_for_the_others() -> None:
    places = Places(4, 2)
    with ExitStack() as transfers:
        for _ in range(2):
            transfers.enter_context(places.taken("bodies/slow"))
        with pytest.raises(TransfersBusy, match=r"All 2 places .* of your body"), places.taken("bodies/slow"):
            pass
        for body in ("bodies/a", "bodies/b"):
            transfers.enter_context(places.taken(body))
        with pytest.raises(TransfersBusy, match="All 4 places for uploads and downloads are"), places.taken("bodies/c"):
            pass
    with places.taken("bodies/slow"), places.taken("bodies/slow"):
        pass


def test_a_few_bodies_cannot_hold_all_places() -> None:
    places = Places(16, 8)
    with ExitStack() as transfers:
        for body, most in {"a": 8, "b": 4, "c": 2, "d": 1}.items():
            for _ in range(most):
                transfers.enter_context(places.taken(body))
            with pytest.raises(TransfersBusy, match=f"All {most} places .* of your body"), places.taken(body):
                pass
        with places.taken("e"):
            pass


def pace() -> Pace:
    """As configured by default."""
    return Pace(cast("DocumentsConfig", SimpleNamespace(**DEFAULTS)))


DEFAULTS = {
    name: getattr(DocumentsConfig, name) for name in ("transfer_slowest_bytes_per_second", "transfer_late_seconds")
}


def test_who_drips_loses_the_place_whatever_came_before() -> None:
    dripping = pace()
    dripping.moved(2**31, 1.0)
    for _ in range(24):
        dripping.moved(1, 5.0)
    with pytest.raises(TransferTooSlow, match="QueryUpload"):
        dripping.moved(1, 5.0)


def test_who_stands_still_for_a_while_and_catches_up_may_go_on() -> None:
    halting = pace()
    for _ in range(1000):
        halting.moved(1, 100.0)
        halting.moved(100 * 64 * KIB, 0.0)


@pytest.mark.parametrize("size_bytes", [100 * KIB, 8192 * KIB, 2**31])
def test_no_upload_of_our_client_is_ended_before_it_gives_up(size_bytes: int) -> None:
    seconds = TRANSFER_TIMEOUT_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND
    slow, chunks = pace(), size_bytes // (100 * KIB)
    for _ in range(chunks):
        slow.moved(size_bytes // chunks, seconds / chunks)
