"""Rules of evidence: who may see which statements, page tokens, and how a cursor moves. Pure."""

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from dabir.formats import names
from dabir.formats.strict_json import FormatError
from services.runtime.errors import Aborted, FieldViolation, InvalidArgument

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 500
BATCH_DEFAULT = 100

_BINDING_BYTES = 16
_POSITION_BYTES = 8


class ParentInvalid(InvalidArgument):
    """The parent is no letter, delivery or body."""

    reason = "PARENT_INVALID"
    template = (
        "parent names neither a letter, a delivery nor a body: write letters/{{uuid}}, "
        "letters/{{uuid}}/deliveries/{{n}} or bodies/{{body}}, or leave it empty for everything of yours."
    )
    template_fa = "والد نه نامه است، نه تحویل و نه دستگاه: نام کامل یکی را بنویسید یا خالی بگذارید."


class PageTokenInvalid(InvalidArgument):
    """The page token is not one that this caller got for this query."""

    reason = "PAGE_TOKEN_INVALID"
    template = "page_token does not belong to this query: give the next_page_token of the same query, or none to begin."
    template_fa = "نشانهٔ صفحه از این پرسش نیست: همان را که در پاسخ پیشین بود بدهید، یا از آغاز شروع کنید."


class AdvanceInvalid(InvalidArgument):
    """The cursor cannot move like that."""

    reason = "ADVANCE_INVALID"


class LeaseLost(Aborted):
    """The lease is another's or over."""

    reason = "LEASE_LOST"
    template = "The lease on {follower} is another's or over: call Follow again and go on from what it gives."
    template_fa = "اجارهٔ {follower} پایان یافته یا از آنِ دیگری است: دوباره Follow را صدا بزنید."


@dataclass(frozen=True)
class Page:
    """What of the ledger a request asks for."""

    parent: str
    """As given; empty for everything of the caller's."""
    txn: str
    """The letter or body that `parent` belongs to; empty with it."""
    after: int
    """The position to go on from."""
    size: int


def page(caller_body: str, parent: str, page_size: int, page_token: str) -> Page:
    """Judge a request for a list. Raises ParentInvalid, PageTokenInvalid."""
    size = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    after = _position(page_token, caller_body, parent) if page_token else 0
    return Page(parent, txn_of(parent) if parent else "", after, size)


def txn_of(parent: str) -> str:
    """The letter or body a letter, delivery or body belongs to. Raises ParentInvalid."""
    try:
        if "/deliveries/" in parent:
            return names.split_delivery(parent)[0]
        if parent.startswith("letters/"):
            names.split_letter(parent)
        else:
            names.split_body(parent)
    except FormatError as error:
        raise ParentInvalid(field_violations=[FieldViolation("parent", str(error))]) from error
    return parent


def page_token(caller_body: str, parent: str, position: int) -> str:
    """The token that goes on after `position`, for this caller and query only."""
    return base64.urlsafe_b64encode(position.to_bytes(_POSITION_BYTES) + _binding(caller_body, parent)).decode("ascii")


def _position(token: str, caller_body: str, parent: str) -> int:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise PageTokenInvalid from error
    if len(raw) != _POSITION_BYTES + _BINDING_BYTES or raw[_POSITION_BYTES:] != _binding(caller_body, parent):
        raise PageTokenInvalid
    position = int.from_bytes(raw[:_POSITION_BYTES])
    if position >= 2**63:  # not one of ours; PostgreSQL's bigint ends there
        raise PageTokenInvalid
    return position


def _binding(caller_body: str, parent: str) -> bytes:
    """Not a secret: a token only says where to go on, and what is shown is decided by the caller's body each time."""
    return hashlib.sha256(f"ListStatements\n{caller_body}\n{parent}".encode()).digest()[:_BINDING_BYTES]


def check_advance(start: int, end: int, last_position: int, refused: Sequence[tuple[int, str]]) -> None:
    """Judge a move of a cursor from `start` to `end`. Raises AdvanceInvalid."""
    if not start <= end <= last_position:
        raise AdvanceInvalid(
            f"A cursor moves forward over what is numbered: {start} to {end} does not, the ledger ends at "
            f"{last_position}. Give the cursor that Follow gave, and the position of the last statement dealt with."
        )
    positions: Collection[int] = [position for position, _ in refused]
    if len(set(positions)) != len(positions) or not all(start < position <= end for position in positions):
        raise AdvanceInvalid(
            f"Refused statements must lie after {start} and up to {end}, each named once: name only those of the batch."
        )


def lease(text: str) -> UUID:
    """A lease as Follow gave it. Raises AdvanceInvalid."""
    try:
        return UUID(text)
    except ValueError as error:
        raise AdvanceInvalid("lease is not one: give the lease that Follow gave.") from error


def check_repeated(follower: str, position: int, end: int, *, held: bool) -> None:
    """A move that did not happen is no error if it had happened already under this lease. Raises LeaseLost."""
    if not (held and position == end):
        raise LeaseLost(follower=follower)
