"""Who may read a document, and which bytes of which segments a range is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dabir.common.v1.statement_pb2 import StatementPayload
from dabir.formats.events import Event
from services.documents.domain import errors
from services.documents.domain.upload import SEGMENT_BYTES, Document, State

CHUNK_BYTES = 256 * 1024


def resolve_range(offset: int, length: int, size_bytes: int) -> range:
    """The bytes asked for; a length of 0 means to the end. Raises RangeOutside."""
    end = size_bytes if length == 0 else offset + length
    if offset >= size_bytes or end > size_bytes:
        raise errors.RangeOutside(offset=offset, length=length, size_bytes=size_bytes)
    return range(offset, end)


def segments_of(wanted: range) -> Iterator[tuple[int, slice]]:
    """The segments (by number) that hold the bytes `wanted`, and which bytes of each."""
    for number in range(wanted.start // SEGMENT_BYTES + 1, (wanted.stop - 1) // SEGMENT_BYTES + 2):
        begins = (number - 1) * SEGMENT_BYTES
        yield number, slice(max(wanted.start - begins, 0), min(wanted.stop - begins, SEGMENT_BYTES))


@dataclass(frozen=True)
class Acceptance:
    """What a ConsignmentAcceptance grants: `delivery`, and each document by name with its digest."""

    jti: str
    letter: str
    delivery: str
    sender_body: str
    recipient_body: str
    documents: Mapping[str, bytes]


def read_acceptance(payload: StatementPayload, *, hub: str, caller_body: str) -> Acceptance:
    """The grant of a statement whose seal was verified. Raises AcceptanceInvalid, AcceptanceNotYours.

    Clearance is not looked at here: the statement does not say the letter's classification, the document's claim does.
    """
    event = payload.events.get(Event.CONSIGNMENT_ACCEPTANCE.value)
    if payload.iss != hub or event is None or event.source != "intake" or len(event.parties) != 2:
        raise errors.AcceptanceInvalid(detail="it is not a ConsignmentAcceptance of this hub")
    sender, recipient = (party.body for party in event.parties)
    if recipient != caller_body:
        raise errors.AcceptanceNotYours(caller=caller_body)
    documents = {document.name: document.sha256 for document in event.documents}
    return Acceptance(payload.jti, payload.txn, payload.sub, sender, recipient, documents)


def may_read(document: Document | None, name: str, caller_body: str, acceptance: Acceptance | None) -> Document:
    """The document, if it is the caller's own or granted to it. Raises DocumentNotFound, DocumentNotReady."""
    if document is None or not _readable(document, caller_body, acceptance):
        raise errors.DocumentNotFound(document=name)
    if document.state is not State.READY:
        raise errors.DocumentNotReady(document=name, state=document.state)
    return document


def _readable(document: Document, caller_body: str, acceptance: Acceptance | None) -> bool:
    if acceptance is None:
        return document.owner_body == caller_body
    return acceptance.documents.get(document.name) == document.content.sha256
