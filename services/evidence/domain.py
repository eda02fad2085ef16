"""Rules of evidence: who may see which statements, page tokens, and how a cursor moves. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from dabir.formats import names
from dabir.formats.strict_json import FormatError
from services.runtime import page_token
from services.runtime.errors import Aborted, FieldViolation, InvalidArgument

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 500
PAGE_MAX_BYTES = 2 * 1024 * 1024
"""Of the statements in one answer, unless it is a single one: a letter to 500 offices has long ones."""
BATCH_DEFAULT = 100
MAX_POSITION = 2**63 - 1
"""The end of PostgreSQL's bigint."""


class ParentInvalid(InvalidArgument):
    """The parent is no letter, delivery or body."""

    reason = "PARENT_INVALID"
    template = (
        "parent names neither a letter, a delivery nor a body: write letters/{{uuid}}, "
        "letters/{{uuid}}/deliveries/{{n}} or bodies/{{body}}, or leave it empty for everything of yours."
    )
    template_fa = "والد نه نامه است، نه تحویل و نه دستگاه: نام کامل یکی را بنویسید یا خالی بگذارید."


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


def page(caller_body: str, parent: str, page_size: int, token: str) -> Page:
    """Judge a request for a list. Raises ParentInvalid, PageTokenInvalid."""
    size = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    after = 0
    if token:
        after = page_token.decode(token, _read_position, caller_body, "ListStatements", parent)
    return Page(parent, txn_of(parent) if parent else "", after, size)


def fitting(sizes_bytes: Sequence[int], count: int) -> int:
    """How many of these statements one answer holds: at most `count`, and at least one."""
    room_bytes = PAGE_MAX_BYTES
    for place, size_bytes in enumerate(sizes_bytes[:count]):
        room_bytes -= size_bytes
        if room_bytes < 0 and place > 0:
            return place
    return min(count, len(sizes_bytes))


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


def token_after(caller_body: str, parent: str, position: int) -> str:
    """The token that goes on after `position`, for this caller and query only."""
    return page_token.encode([str(position)], caller_body, "ListStatements", parent)


def _read_position(text: str) -> int:
    position = int(text)
    if not 0 <= position <= MAX_POSITION:
        raise ValueError("no position")
    return position


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
