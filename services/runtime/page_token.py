"""Where a list goes on: opaque to callers, bound to the query and the caller.

    binding, size = (body, "ListLetters", office), page_token.size(request.page_size, PAGE_DEFAULT, PAGE_MAX)
    after = page_token.after(request.page_token, page_token.instant_and_name, *binding)
    rows = ...  # those after `after`, or the first, one more than `size`
    shown, token = page_token.cut(rows, size, lambda row: [row.registered_at.isoformat(), row.name], *binding)

Not a secret: a token only says where to go on; what is shown is decided by the caller's body each time. So a forged one
shows nothing more, but its place must still be read as a stranger's text.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from services.runtime.errors import InvalidArgument

Place = TypeVar("Place")
Row = TypeVar("Row")

_BINDING_BYTES = 16


class PageTokenInvalid(InvalidArgument):
    """The page token is not one that this caller got for this query."""

    reason = "PAGE_TOKEN_INVALID"
    template = "page_token does not belong to this query: give the next_page_token of the same query, or none to begin."
    template_fa = "نشانهٔ صفحه از این پرسش نیست: همان را که در پاسخ پیشین بود بدهید، یا از آغاز شروع کنید."


def size(requested: int, default: int, most: int) -> int:
    """How many rows a page has: as many as `requested`, or `default` for 0, and never more than `most`."""
    return min(requested or default, most)


def after(token: str, read: Callable[..., Place], *binding: str) -> Place | None:
    """The place a page begins after: what `read` makes of its texts. None, at the beginning, for no token.

    A ValueError or TypeError of `read` is a token of none of ours. Raises PageTokenInvalid.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if raw[:_BINDING_BYTES] != _digest(binding):
            raise PageTokenInvalid
        place = json.loads(raw[_BINDING_BYTES:])
        if not isinstance(place, list) or not all(isinstance(text, str) and "\0" not in text for text in place):
            raise PageTokenInvalid
        # Half a character is no text of ours and none that PostgreSQL takes: encoding it is a ValueError.
        return read(*(text.encode().decode() for text in place))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise PageTokenInvalid from error


def cut(
    rows: Sequence[Row], count: int, place: Callable[[Row], Sequence[str]], *binding: str
) -> tuple[Sequence[Row], str]:
    """The first `count` of `rows`, and the token that goes on after them: "" unless there are more.

    `place`: a row's sort key, as `encode` takes it.
    """
    shown = rows[:count]
    return shown, encode(place(shown[-1]), *binding) if len(rows) > count else ""


def instant_and_name(instant: str, name: str) -> tuple[datetime, str]:
    """Reads the place in a list by time. Raises ValueError; an instant without a time zone is no instant."""
    at = datetime.fromisoformat(instant)
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at, name


def encode(place: Sequence[str], *binding: str) -> str:
    """The token that goes on after `place`, the sort key of the last row shown. `binding`: caller, method and query."""
    raw = json.dumps(list(place), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(binding) + raw).decode("ascii")


def _digest(binding: tuple[str, ...]) -> bytes:
    # As JSON, so that no two bindings are spelled alike.
    return hashlib.sha256(json.dumps(binding).encode()).digest()[:_BINDING_BYTES]
