"""Downloading: ranges over segments, the acceptance as key, confirmation and handover."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives import hashes

from dabir.formats.events import Event, events_of
from dabir.formats.statement import digest, parse_statement
from services.documents.domain.upload import SEGMENT_BYTES
from tests.contract.documents.harness import Documents
from tests.contract.documents.member import Member, new_document, refusal, several_segments, sha256
from tests.contract.documents.people import OTHER, RECIPIENT
from tests.unit.documents import files

PDF = files.pdf(2)
LARGE = several_segments(2)


@pytest.fixture(scope="module")
async def large(documents: Documents) -> str:
    """A document of three segments."""
    async with documents.member("interior") as sender:
        return (await sender.upload(LARGE)).name


@pytest.fixture
async def small(sender: Member) -> str:
    """A small document of the test's own."""
    return (await sender.upload(PDF)).name


@pytest.fixture
async def other(documents: Documents) -> AsyncIterator[Member]:
    async with documents.member("other") as member:
        yield member


RANGES = [
    (0, 0),
    (0, 1),
    (len(LARGE) - 1, 1),
    (len(LARGE) - 1, 0),
    (SEGMENT_BYTES - 10, 20),
    (SEGMENT_BYTES, SEGMENT_BYTES),
    (SEGMENT_BYTES - 1, SEGMENT_BYTES + 2),
    (123_456, 300_000),
]


@pytest.mark.parametrize(("offset", "length"), RANGES)
async def test_ranges_cross_segments(sender: Member, large: str, offset: int, length: int) -> None:
    end = offset + length if length else len(LARGE)
    assert await sender.download(large, offset=offset, length=length) == LARGE[offset:end]


async def test_a_range_outside_is_refused(sender: Member, small: str) -> None:
    for offset, length in ((len(PDF), 0), (0, len(PDF) + 1), (2**62, 2**62)):
        call = sender.download(small, offset=offset, length=length)
        assert await refusal(call) == ("INVALID_ARGUMENT", "RANGE_OUTSIDE_DOCUMENT")


async def test_the_acceptance_is_the_key(documents: Documents, recipient: Member, small: str) -> None:
    assert await refusal(recipient.download(small)) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
    acceptance = await documents.accept({small: sha256(PDF)})
    assert await recipient.download(small, acceptance) == PDF


@pytest.mark.parametrize("name", ["documents/\0", "documents/%00", "documents/../x", "letters/1", ""])
async def test_what_is_no_documents_name_is_said(sender: Member, name: str) -> None:
    for call in (sender.get(name), sender.query(name), sender.download(name), sender.download(name, "a.b.c")):
        assert await refusal(call) == ("INVALID_ARGUMENT", "BAD_NAME")


async def test_anothers_acceptance_opens_nothing(documents: Documents, other: Member, small: str) -> None:
    acceptance = await documents.accept({small: sha256(PDF)})
    assert await refusal(other.download(small, acceptance)) == ("PERMISSION_DENIED", "ACCEPTANCE_NOT_YOURS")
    # Whether the document exists makes no difference to it.
    assert await refusal(other.download(new_document(), acceptance)) == ("PERMISSION_DENIED", "ACCEPTANCE_NOT_YOURS")
    assert await refusal(other.confirm(small, acceptance, sha256(PDF))) == ("PERMISSION_DENIED", "ACCEPTANCE_NOT_YOURS")


async def test_an_acceptance_opens_what_it_lists(documents: Documents, recipient: Member, small: str) -> None:
    for granted in ({new_document(): sha256(PDF)}, {small: b"x" * 32}):
        acceptance = await documents.accept(granted)
        assert await refusal(recipient.download(small, acceptance)) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
        call = recipient.confirm(small, acceptance, sha256(PDF))
        assert await refusal(call) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")


async def test_an_acceptance_must_be_intakes(documents: Documents, recipient: Member, small: str) -> None:
    granted = {small: sha256(PDF)}
    right = await documents.accept(granted)
    header, payload, signature = right.split(".")
    swapped = signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")
    stranger = await documents.accept(granted, signer=documents.people.another_seal("stranger"))
    for wrong in ("x", right[:-1], f"{header}.{payload}.{swapped}", f"{header}.{payload[:-4]}.{signature}", stranger):
        assert await refusal(recipient.download(small, wrong)) == ("INVALID_ARGUMENT", "ACCEPTANCE_INVALID")


async def test_a_listed_seal_states_only_its_events(documents: Documents, recipient: Member, small: str) -> None:
    narrow = documents.people.another_seal("narrow", [Event.AVAILABLE.value])
    documents.people.seals.append(narrow)
    acceptance = await documents.accept({small: sha256(PDF)}, signer=narrow)
    assert await refusal(recipient.download(small, acceptance)) == ("INVALID_ARGUMENT", "ACCEPTANCE_INVALID")


async def test_a_seal_revoked_later_still_opens_what_the_ledger_holds(
    documents: Documents, recipient: Member, small: str
) -> None:
    seal = documents.people.another_seal("replaced", events_of("intake"))
    documents.people.seals.append(seal)
    granted = {small: sha256(PDF)}
    stated = await documents.accept(granted, signer=seal)
    never_committed = await documents.accept(granted, signer=seal, committed=False)
    assert await recipient.download(small, never_committed) == PDF
    documents.directory.revoked.add(seal.certificate.fingerprint(hashes.SHA256()))
    assert await recipient.download(small, stated) == PDF
    assert await refusal(recipient.download(small, never_committed)) == ("INVALID_ARGUMENT", "ACCEPTANCE_INVALID")


async def test_confirming_everything_states_the_handover_once(
    documents: Documents, sender: Member, recipient: Member
) -> None:
    names = [(await sender.upload(PDF)).name for _ in range(2)]
    acceptance = await documents.accept(dict.fromkeys(names, sha256(PDF)))
    first = await recipient.confirm(names[0], acceptance, sha256(PDF))
    assert (list(first.outstanding), first.HasField("content_handover")) == ([names[1]], False)
    assert await recipient.confirm(names[0], acceptance, sha256(PDF)) == first

    last = await recipient.confirm(names[1], acceptance, sha256(PDF))
    assert list(last.outstanding) == []
    for name in names:
        again = await recipient.confirm(name, acceptance, sha256(PDF))
        assert again.content_handover.jws == last.content_handover.jws
        assert again.content_handover.salt == last.content_handover.salt

    payload = parse_statement(last.content_handover.jws)
    event = payload.events[Event.CONTENT_HANDOVER.value]
    assert payload.sub == parse_statement(acceptance).sub
    assert [party.body for party in event.parties] == [RECIPIENT]
    assert {document.name for document in event.documents} == set(names)
    assert [(link.chain, link.sequence, link.previous) for link in event.links] == [
        (payload.sub, 2, digest(acceptance))
    ]
    assert stated(documents, payload.sub) == 1


async def test_confirmations_at_once_state_the_handover_once(
    documents: Documents, sender: Member, recipient: Member
) -> None:
    names = [(await sender.upload(PDF)).name for _ in range(3)]
    acceptance = await documents.accept(dict.fromkeys(names, sha256(PDF)))
    await asyncio.gather(*(recipient.confirm(name, acceptance, sha256(PDF)) for name in names * 4))
    assert stated(documents, parse_statement(acceptance).sub) == 1


def stated(documents: Documents, delivery: str) -> int:
    """How many ContentHandover the ledger has of a delivery."""
    query = "SELECT count(*) FROM ledger.statement WHERE subject = %s AND event = %s"
    return int(documents.sql(query, delivery, Event.CONTENT_HANDOVER.value)[0][0])


async def test_a_wrong_digest_confirms_nothing(documents: Documents, recipient: Member, small: str) -> None:
    acceptance = await documents.accept({small: sha256(PDF)})
    call = recipient.confirm(small, acceptance, b"x" * 32)
    assert await refusal(call) == ("INVALID_ARGUMENT", "DIGEST_MISMATCH")
    assert stated(documents, parse_statement(acceptance).sub) == 0
    assert documents.sql("SELECT count(*) FROM documents.confirmation WHERE document = %s", small) == [(0,)]


async def test_a_recipient_that_owns_the_document_too(documents: Documents, other: Member) -> None:
    name = (await other.upload(PDF)).name
    acceptance = await documents.accept({name: sha256(PDF)}, recipient=OTHER)
    assert await other.download(name) == await other.download(name, acceptance) == PDF


async def test_bytes_changed_in_the_store_are_never_sent(documents: Documents, sender: Member) -> None:
    name = (await sender.upload(PDF)).name
    # What the store gives back is not what was stored: as if the row held the digest of other bytes.
    documents.sql("UPDATE documents.segment SET sha256 = sha256('other') WHERE document = %s", name)
    assert await refusal(sender.download(name)) == ("UNAVAILABLE", "SEGMENT_DAMAGED")
