"""Whole chains pass; whatever is slipped in, taken out or turned round is a gap."""

from collections.abc import Sequence

from dabir.client.chains import Gap, Head, gaps, heads
from dabir.client.trust import Proven
from dabir.common.v1.statement_pb2 import StatementEvent, StatementLink, StatementPayload
from dabir.formats.statement import Event
from tests.unit.client.member import DELIVERY, LETTER

BOOK = "books/interior/main/out"


def stated(name: str, *links: tuple[str, int, bytes], event: Event = Event.OPERATOR_ACTION) -> Proven:
    """A statement as it comes out of verification; its digest is its name's, so that a test can say it."""
    payload = StatementPayload(sub=links[0][0])
    payload.events[event].CopyFrom(
        StatementEvent(links=[StatementLink(chain=chain, sequence=n, previous=before) for chain, n, before in links])
    )
    return Proven(name, 0, "", payload, digest(name))


def digest(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


def book(year: int, count: int, before: bytes = b"") -> list[Proven]:
    """A whole year's book, each registration naming the one before."""
    found: list[Proven] = []
    for sequence in range(1, count + 1):
        previous = found[-1].digest if found else before
        found.append(stated(f"{year}-{sequence}", (f"{BOOK}/{year}", sequence, previous)))
    return found


def places(found: Sequence[Gap]) -> list[tuple[str, int]]:
    return [(gap.chain, gap.sequence) for gap in found]


def test_a_whole_book_has_no_gap() -> None:
    assert gaps(book(1405, 5)) == []


def test_a_missing_number_is_a_gap() -> None:
    whole = book(1405, 5)
    assert places(gaps([*whole[:2], *whole[3:]])) == [(f"{BOOK}/1405", 4)]


def test_a_number_passed_over_is_a_gap_though_the_digests_link() -> None:
    whole = book(1405, 2)
    skipping = stated("1405-4", (f"{BOOK}/1405", 4, whole[-1].digest))
    assert places(gaps([*whole, skipping])) == [(f"{BOOK}/1405", 4)]


def test_a_number_given_twice_is_a_gap() -> None:
    whole = book(1405, 3)
    twice = stated("other", (f"{BOOK}/1405", 2, whole[0].digest))
    assert (f"{BOOK}/1405", 2) in places(gaps([*whole, twice]))


def test_a_statement_that_names_another_before_it_is_a_gap() -> None:
    whole = book(1405, 3)
    forged = stated("1405-2", (f"{BOOK}/1405", 2, digest("elsewhere")))
    assert places(gaps([whole[0], forged, whole[2]])) == [(f"{BOOK}/1405", 2)]


def test_a_year_begins_from_the_end_of_the_year_before() -> None:
    old = book(1405, 3)
    assert gaps([*old, *book(1406, 2, old[-1].digest)]) == []
    assert gaps(book(1406, 2, old[-1].digest), known=heads(old)) == []
    assert places(gaps([*old, *book(1406, 2)])) == [(f"{BOOK}/1406", 1)]


def test_a_known_head_is_walked_on_from() -> None:
    whole = book(1405, 5)
    assert gaps(whole[3:], known=heads(whole[:3])) == []
    assert places(gaps(whole[4:], known=heads(whole[:3]))) == [(f"{BOOK}/1405", 5)]
    assert heads(whole)[f"{BOOK}/1405"] == Head(5, whole[4].digest)


def test_a_delivery_begins_from_its_letters_registration() -> None:
    registered = stated("letter", (LETTER, 1, b""))
    right = stated("delivery", (DELIVERY, 1, registered.digest))
    assert gaps([registered, right]) == []
    assert gaps([right], first_digests={DELIVERY: registered.digest}) == []
    assert gaps([right], first_digests={LETTER: registered.digest}) == []
    assert places(gaps([registered, stated("delivery", (DELIVERY, 1, digest("other")))])) == [(DELIVERY, 1)]


def test_chains_that_are_not_judged_are_left_out() -> None:
    part = book(1405, 3)[1:]
    assert gaps(part, judged=lambda chain: not chain.startswith("books/")) == []
