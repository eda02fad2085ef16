"""Places for transfers."""

from contextlib import ExitStack

import pytest

from services.documents.domain.errors import TransfersBusy
from services.documents.transfer import Places


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
