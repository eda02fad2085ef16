"""Whether statements that were each proven also stand in whole chains: nothing slipped in, taken out or turned round.

Every statement names, in each of its chains, its place and the digest of the one before (docs/formats.md, "Statement").
A book's chain is its numbers: where it has no gap, no number was lost, repeated or backdated.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from dabir.client.trust import Proven
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


@dataclass(frozen=True)
class _Place:
    sequence: int
    previous: bytes
    digest: bytes


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


def _places(statements: Iterable[Proven]) -> dict[str, list[_Place]]:
    """Each chain's places in order."""
    found: dict[str, list[_Place]] = {}
    for proven in statements:
        for link in proven.says.links:
            found.setdefault(link.chain, []).append(_Place(link.sequence, link.previous, proven.digest))
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
