"""What the hub gives as a delivery's content is held against its envelope."""

import hashlib

import pytest

from dabir.client.errors import VerificationError
from dabir.client.opening import Held, Opened, check_one_letter
from dabir.client.trust import Proven, SignedManifest
from dabir.common.v1 import manifest_pb2
from dabir.common.v1.statement_pb2 import StatementEvent, StatementPayload
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import ContentDocument, Envelope
from tests.unit.client.member import LETTER, OFFICE

MANIFEST_SHA256 = hashlib.sha256(b"manifest").digest()
SUBMITTED_SHA256 = hashlib.sha256(b"submitted").digest()


def proven(event: Event, subject: str, says: StatementEvent) -> Proven:
    payload = StatementPayload(sub=subject)
    payload.events[event].CopyFrom(says)
    if event is Event.CONSIGNMENT_ACCEPTANCE:
        payload.events[Event.CONTENT_CONSIGNMENT].SetInParent()
    return Proven("statements/1", 1, "", payload, SUBMITTED_SHA256)


def opened(delivery: str) -> Opened:
    """The content of a delivery of a letter with one recipient and one document."""
    manifest = manifest_pb2.Manifest(letter_uuid=names.split_letter(LETTER))
    manifest.recipients.add(office=OFFICE)
    manifest.documents.add(index=1, sha256=b"\1" * 32)
    says = StatementEvent(manifest_sha256=MANIFEST_SHA256)
    says.documents.add(name="documents/1", sha256=b"\1" * 32)
    return Opened(
        SignedManifest(manifest, MANIFEST_SHA256, ()),
        (ContentDocument(index=1, document="documents/1"),),
        proven(Event.SUBMISSION_ACCEPTANCE, LETTER, says),
        proven(Event.CONSIGNMENT_ACCEPTANCE, delivery, says),
    )


def envelope(number: int) -> Envelope:
    return Envelope(
        delivery=f"{LETTER}/deliveries/{number}",
        letter=LETTER,
        recipient_office=OFFICE,
        manifest_sha256=MANIFEST_SHA256,
        submission_acceptance_sha256=SUBMITTED_SHA256,
    )


def test_content_of_the_delivery_is_taken() -> None:
    check_one_letter(envelope(1), opened(f"{LETTER}/deliveries/1"))


@pytest.mark.parametrize("number", [2, 500])
def test_a_delivery_that_the_manifest_has_no_recipient_for_is_refused(number: int) -> None:
    with pytest.raises(VerificationError, match="the manifest's recipient is not of this delivery"):
        check_one_letter(envelope(number), opened(f"{LETTER}/deliveries/{number}"))


def test_held_says_what_to_do() -> None:
    revokes = manifest_pb2.RELATION_KIND_REVOKES
    came, awaited = Held(revokes, LETTER, f"{LETTER}/deliveries/1"), Held(revokes, LETTER, "")
    assert (
        str(came)
        == f"held: the letter that it revokes, {LETTER}/deliveries/1, has not been taken in yet: accept it first"
    )
    assert "has not come yet: wait for it" in str(awaited)
