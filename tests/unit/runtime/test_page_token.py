"""Page tokens, forged: their binding is no secret, so their place is a stranger's text."""

import base64

import pytest

from services.runtime import page_token
from services.runtime.page_token import PageTokenInvalid

BINDING = ("bodies/b", "ListLetters")


def forged(place: bytes) -> str:
    given = base64.urlsafe_b64decode(page_token.encode([], *BINDING))
    return base64.urlsafe_b64encode(given[:16] + place).decode()


def test_a_token_gives_its_place_back() -> None:
    assert page_token.decode(page_token.encode(["a", "ب"], *BINDING), lambda *place: place, *BINDING) == ("a", "ب")


@pytest.mark.parametrize("place", [b'["\\u0000"]', b'["\\ud800"]', b"[1]", b"{}", b"[", b"[" * 700, b'["a","b"]'])
def test_a_forged_place_is_refused(place: bytes) -> None:
    with pytest.raises(PageTokenInvalid):
        page_token.decode(forged(place), lambda text: text, *BINDING)
