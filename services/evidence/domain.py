"""Rules of evidence: who may see which statements, page tokens, feeds, and how a cursor moves. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from dabir.formats import names
from dabir.formats.strict_json import FormatError
from services.runtime import page_token
from services.runtime.errors import (
    Aborted,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 500
PAGE_MAX_BYTES = 2 * 1024 * 1024
"""Of the statements in one answer, unless it is a single one: a letter to 500 offices has long ones."""
BATCH_DEFAULT = 100
STREAMS_RETRY_SECONDS = 5
"""When to ask again for a stream where there are enough."""
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


class PositionAhead(FailedPrecondition):
    """The caller has read what is not there."""

    reason = "POSITION_AHEAD"
    template = (
        "The ledger ends at {head}, before position {after}: that position is of another hub, or this hub has lost "
        "statements that it had handed out. Keep all you have and tell the hub's operator; 0 begins anew."
    )
    template_fa = (
        "دفتر کل در {head} پایان می‌یابد و جایگاه {after} را ندارد: یا از سامانهٔ دیگری است یا گواهی‌هایی گم شده است. "
        "آنچه دارید نگاه دارید و به راهبر سامانه خبر دهید."
    )


class WatchStreamsOfBody(ResourceExhausted):
    """One body has enough of them."""

    reason = "WATCH_STREAMS_OF_BODY"
    template = "Your body has {limit} open streams here, as many as it may. Close one, or share what one of them reads."
    template_fa = "دستگاه شما {limit} جریان باز دارد و بیش از این نمی‌شود. یکی را ببندید یا از همان‌ها بخوانید."


class WatchStreamsFull(ResourceExhausted):
    """All bodies together have enough of them."""

    reason = "WATCH_STREAMS_FULL"
    template = "The hub holds as many open streams as it can. Call again a little later; ListStatements still answers."
    template_fa = "سامانه در این لحظه جریان تازه‌ای نمی‌پذیرد. اندکی بعد دوباره بکوشید."


class ReaderTooSlow(ResourceExhausted):
    """The other end does not take what is sent."""

    reason = "READER_TOO_SLOW"
    template = (
        "A statement was not taken for {seconds} seconds. Call again with the position of the last one dealt with; "
        "take statements off the stream first and work on them after."
    )
    template_fa = "گواهی فرستاده‌شده {seconds} ثانیه برداشته نشد. از جایگاه آخرین گواهی دوباره آغاز کنید."


class Stopping(Unavailable):
    """This process ends; nothing is lost."""

    reason = "STOPPING"
    template = "This part of the hub is being stopped. Call again with the position of the last statement dealt with."
    template_fa = "این بخش از سامانه در حال توقف است. از جایگاه آخرین گواهی دوباره آغاز کنید."


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
    size = page_token.size(page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    after = page_token.after(token, _read_position, caller_body, "ListStatements", parent) or 0
    return Page(parent, txn_of(parent) if parent else "", after, size)


def fitting(sizes_bytes: Sequence[int], count: int) -> int:
    """How many of these statements one answer holds: at most `count`, and at least one."""
    room_bytes = PAGE_MAX_BYTES
    for place, size_bytes in enumerate(sizes_bytes[:count]):
        room_bytes -= size_bytes
        if room_bytes < 0 and place > 0:
            return place
    return min(count, len(sizes_bytes))


def is_cut(sizes_bytes: Sequence[int], count: int) -> bool:
    """Whether a page of at most `count` statements, read until it goes beyond PAGE_MAX_BYTES, may have left some."""
    return len(sizes_bytes) == count or sum(sizes_bytes) > PAGE_MAX_BYTES


def check_after(after: int, head: int) -> None:
    """Judge where a stream is to go on, by the last position given. Raises PositionAhead."""
    if after > head:
        raise PositionAhead(after=after, head=head)


def check_streams(of_body: int, of_all: int, *, limit_of_body: int, limit: int) -> None:
    """Judge one more stream beside those that are open. Raises WatchStreamsOfBody, WatchStreamsFull."""
    if of_body >= limit_of_body:
        raise WatchStreamsOfBody(limit=limit_of_body, retry_after_seconds=STREAMS_RETRY_SECONDS)
    if of_all >= limit:
        raise WatchStreamsFull(retry_after_seconds=STREAMS_RETRY_SECONDS)


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
