"""Page tokens, forged: their binding is no secret, so their place is a stranger's text."""

import base64
from datetime import UTC, datetime

import pytest

from services.runtime import page_token
from services.runtime.page_token import PageTokenInvalid

BINDING = ("bodies/b", "ListLetters")


def forged(place: bytes) -> str:
    given = base64.urlsafe_b64decode(page_token.encode([], *BINDING))
    return base64.urlsafe_b64encode(given[:16] + place).decode()


def test_a_token_gives_its_place_back() -> None:
    assert page_token.after(page_token.encode(["a", "ب"], *BINDING), lambda *place: place, *BINDING) == ("a", "ب")


@pytest.mark.parametrize("place", [b'["\\u0000"]', b'["\\ud800"]', b"[1]", b"{}", b"[", b"[" * 700, b'["a","b"]'])
def test_a_forged_place_is_refused(place: bytes) -> None:
    with pytest.raises(PageTokenInvalid):
        page_token.after(forged(place), lambda text: text, *BINDING)


def test_no_token_is_the_beginning() -> None:
    assert page_token.after("", str, *BINDING) is None


@pytest.mark.parametrize(("requested", "rows"), [(0, 2), (1, 1), (3, 3), (4, 3)])
def test_a_page_is_as_long_as_asked_for_within_bounds(requested: int, rows: int) -> None:
    assert page_token.size(requested, 2, 3) == rows


def test_a_page_goes_on_where_it_was_cut() -> None:
    shown, token = page_token.cut(["a", "b", "c"], 2, lambda row: [row], *BINDING)
    assert (shown, page_token.after(token, str, *BINDING)) == (["a", "b"], "b")


@pytest.mark.parametrize("rows", [[], ["a"], ["a", "b"]])
def test_the_last_page_has_no_token(rows: list[str]) -> None:
    assert page_token.cut(rows, 2, lambda row: [row], *BINDING) == (rows, "")


def test_an_instant_goes_on_to_the_microsecond() -> None:
    at = datetime(2026, 11, 22, 10, 14, 32, 123456, UTC)
    token = page_token.encode([at.isoformat(), "letters/x"], *BINDING)
    assert page_token.after(token, page_token.instant_and_name, *BINDING) == (at, "letters/x")


@pytest.mark.parametrize("instant", ["2026-11-22T10:14:32", "2026-11-22", "now", ""])
def test_what_is_no_instant_with_a_zone_is_refused(instant: str) -> None:
    token = page_token.encode([instant, "letters/x"], *BINDING)
    with pytest.raises(PageTokenInvalid):
        page_token.after(token, page_token.instant_and_name, *BINDING)
