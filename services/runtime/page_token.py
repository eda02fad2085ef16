"""Where a list goes on: opaque to callers, bound to the query and the caller.

    token = page_token.encode([last.registered_at.isoformat(), last.name], body, "ListLetters", office)
    place = page_token.decode(request.page_token, _read_place, body, "ListLetters", office)

Not a secret: a token only says where to go on; what is shown is decided by the caller's body each time. So a forged one
shows nothing more, but its place must still be read as a stranger's text.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.runtime.errors import InvalidArgument

Place = TypeVar("Place")

_BINDING_BYTES = 16


class PageTokenInvalid(InvalidArgument):
    """The page token is not one that this caller got for this query."""

    reason = "PAGE_TOKEN_INVALID"
    template = "page_token does not belong to this query: give the next_page_token of the same query, or none to begin."
    template_fa = "نشانهٔ صفحه از این پرسش نیست: همان را که در پاسخ پیشین بود بدهید، یا از آغاز شروع کنید."


def encode(place: Sequence[str], *binding: str) -> str:
    """The token that goes on after `place`, the sort key of the last row shown. `binding`: caller, method and query."""
    raw = json.dumps(list(place), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(binding) + raw).decode("ascii")


def decode(token: str, read: Callable[..., Place], *binding: str) -> Place:
    """What `read` makes of the place's texts; its ValueError or TypeError is a token of none of ours.

    Raises PageTokenInvalid.
    """
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


def _digest(binding: tuple[str, ...]) -> bytes:
    # As JSON, so that no two bindings are spelled alike.
    return hashlib.sha256(json.dumps(binding).encode()).digest()[:_BINDING_BYTES]
