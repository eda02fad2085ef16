"""Whether statements that were each proven also stand in whole chains: nothing slipped in, taken out or turned round.

Every statement names, in each of its chains, its place and the digest of the one before (docs/formats.md, "Statement").
A book's chain is its numbers: where it has no gap, no number was lost, repeated or backdated.

`gaps` judges statements that were read together, `follow` one after another, as a feed gives them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from dabir.client.trust import Proven
from dabir.common.v1.statement_pb2 import StatementLink
from dabir.formats import names


@dataclass(frozen=True)
class Head:
    """The last statement known of a chain."""

    sequence: int
    digest: bytes


@dataclass(frozen=True)
class Gap:
    """A place where a chain does not hold."""

    chain: str
    sequence: int
    what: str


Heads = Mapping[str, Head]


class Break(StrEnum):
    """How a statement does not go on from the one before it in a chain."""

    WITHHELD = "STATEMENT_WITHHELD"
    """Places in between were not given."""
    FORKED = "CHAIN_FORKED"
    """It names another one before it than was given, or takes a place that was given to another."""
    REPEATED = "STATEMENT_REPEATED"
    """It was given before."""


@dataclass(frozen=True)
class End:
    """Where a chain ends as far as a feed has given it; of a book, over its years: its series. `first` is the digest of
    the chain's first statement, `position` the ledger's of the last.
    """

    year: int
    sequence: int
    digest: bytes
    first: bytes
    position: int


@dataclass(frozen=True)
class Step:
    """What one statement does to one chain: where it ends from here on, and how it breaks, if it does."""

    chain: str
    end: End
    broken: Break | None
    gap: Gap | None


class Ends(Protocol):
    """What is remembered of every chain."""

    def end(self, chain: str) -> End | None:
        """Of a chain, or of a book's series; None before its first statement."""


@dataclass(frozen=True)
class _Place:
    sequence: int
    previous: bytes
    digest: bytes
    position: int


def heads(statements: Iterable[Proven]) -> dict[str, Head]:
    """The last of each chain that these statements link into."""
    found: dict[str, Head] = {}
    for chain, places in _places(statements).items():
        last = max(places, key=lambda place: place.sequence)
        found[chain] = Head(last.sequence, last.digest)
    return found


def gaps(
    statements: Collection[Proven],
    *,
    known: Heads | None = None,
    first_digests: Mapping[str, bytes] | None = None,
    judged: Callable[[str], bool] = lambda _chain: True,
) -> list[Gap]:
    """Where chains do not hold, walking on from `known` heads; a chain not in `known` must begin at 1.

    `first_digests`: by delivery or by letter, the digest of the letter's SubmissionAcceptance, which a delivery's first
    statement must name; where a letter's own chain begins among the statements it is taken from there. `judged` says
    which chains to look at: one of which only a part is shown to the caller (another body's book) would seem to have
    gaps.
    """
    known = known or {}
    by_chain = _places(statements)
    registered = {
        chain: places[0].digest
        for chain, places in by_chain.items()
        if names.chain_kind(chain) == "letter" and places[0].sequence == 1
    }
    found = []
    for chain, places in sorted(by_chain.items()):
        if not judged(chain):
            continue
        before = known.get(chain)
        if before is None:
            before = Head(0, _before_first(chain, by_chain, known, registered | dict(first_digests or {})))
        for place in places:
            if place.sequence != before.sequence + 1:
                found.append(Gap(chain, place.sequence, f"stands after {before.sequence}"))
            elif place.previous != before.digest:
                found.append(Gap(chain, place.sequence, f"does not name {before.sequence or 'what it begins from'}"))
            before = Head(place.sequence, place.digest)
    return found


def is_whole(chain: str, body: str, *, fully_cleared: bool) -> bool:
    """Whether `body` is shown every statement of the chain, so that a place it was not shown is a gap.

    It is of all that it is shown any of, except other bodies' books, and those of its own that hold letters above its
    clearance. Of the clearance the hub says, which is judged here: so `follow` takes it only to judge more by.
    """
    if names.chain_kind(chain) != "book":
        return True
    office, direction, _ = names.split_book(chain)
    return names.body_of(office) == body and (direction == "out" or fully_cleared)


def follow(proven: Proven, ends: Ends, judged: Callable[[str], bool]) -> list[Step]:
    """What the next statement of a feed does to each of its chains that is `judged`, or of which an end is remembered:
    what was judged once stays so. The feed began at 0, so that every chain begins at its first statement; it may begin
    there again, and what is remembered stands against what it then gives.

    Whether a delivery that came to us begins from its letter's registration is not judged here: the envelope says that.
    """
    return [
        _step(link.chain, place, ends)
        for link, place in _linked(proven)
        if judged(link.chain) or ends.end(_remembered_as(link.chain)) is not None
    ]


def _linked(proven: Proven) -> Iterable[tuple[StatementLink, _Place]]:
    for link in proven.says.links:
        yield link, _Place(link.sequence, link.previous, proven.digest, proven.position)


def _remembered_as(chain: str) -> str:
    return names.series_of(chain) if names.chain_kind(chain) == "book" else chain


def _step(chain: str, place: _Place, ends: Ends) -> Step:
    kind = names.chain_kind(chain)
    year, name = _year(chain) if kind == "book" else 0, _remembered_as(chain)
    before = ends.end(name)
    if before is not None and (year, place.sequence) <= (before.year, before.sequence):
        return _known_place(name, chain, year, place, before)
    end = End(year, place.sequence, place.digest, before.first if before else place.digest, place.position)
    # At the year's turn the count of a book begins again and the chain goes on.
    after = before.sequence if before is not None and before.year == year else 0
    if place.sequence != after + 1:
        return Step(name, end, Break.WITHHELD, Gap(chain, place.sequence, f"stands after {after}"))
    previous = before.digest if before is not None else _begins_from(kind, chain, ends)
    if previous is not None and place.previous != previous:
        gap = Gap(chain, place.sequence, f"does not name {_said(before) if before else 'what it begins from'}")
        return Step(name, end, Break.FORKED, gap)
    return Step(name, end, None, None)


def _known_place(name: str, chain: str, year: int, place: _Place, before: End) -> Step:
    """A place that the chain had already: right where the feed is read again, and no other statement takes it."""
    is_last = (year, place.sequence) == (before.year, before.sequence)
    if place.position <= before.position and (not is_last or place.digest == before.digest):
        # Where it stands now, for a hub may have given it at a position that its ledger does not have.
        return Step(name, replace(before, position=place.position) if is_last else before, None, None)
    broken = Break.REPEATED if place.digest == before.digest else Break.FORKED
    return Step(name, before, broken, Gap(chain, place.sequence, f"stands after {_said(before)}"))


def _said(end: End) -> str:
    return f"{end.sequence} of {end.year}" if end.year else str(end.sequence)


def _begins_from(kind: names.ChainKind, chain: str, ends: Ends) -> bytes | None:
    """What the first of a chain must name; None where that is not known."""
    if kind != "delivery":
        return b""
    letter = ends.end(names.split_delivery(chain)[0])
    return letter.first if letter is not None else None


def _places(statements: Iterable[Proven]) -> dict[str, list[_Place]]:
    """Each chain's places in order."""
    found: dict[str, list[_Place]] = {}
    for proven in statements:
        for link, place in _linked(proven):
            found.setdefault(link.chain, []).append(place)
    for places in found.values():
        places.sort(key=lambda place: place.sequence)
    return found


def _before_first(
    chain: str, by_chain: Mapping[str, list[_Place]], known: Heads, registered: Mapping[str, bytes]
) -> bytes:
    """What the first of a chain must name: nothing, the letter's registration, or the end of the year before."""
    match names.chain_kind(chain):
        case "delivery":
            return registered.get(chain) or registered.get(names.split_delivery(chain)[0], b"")
        case "book":
            return _end_of_year_before(chain, by_chain, known)
        case _:
            return b""


def _end_of_year_before(book: str, by_chain: Mapping[str, list[_Place]], known: Heads) -> bytes:
    """The digest that the latest earlier book of the same series ends with; empty for the first book of all."""
    series = names.series_of(book)
    books = [chain for chain in {*by_chain, *known} if names.chain_kind(chain) == "book"]
    earlier = [chain for chain in books if names.series_of(chain) == series and _year(chain) < _year(book)]
    if not earlier:
        return b""
    last = max(earlier, key=_year)
    return by_chain[last][-1].digest if last in by_chain else known[last].digest


def _year(book: str) -> int:
    return names.split_book(book)[2]
