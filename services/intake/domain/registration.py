"""The letter and its deliveries as they are registered: what follows from the manifest, the number and the instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1.manifest_pb2 import Manifest
from dabir.common.v1.receipt_pb2 import BookNumber
from dabir.formats import names
from services.intake.domain import submit
from services.intake.domain.definition import Definition
from services.intake.domain.model import Delivery, NewLetter


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A letter that may be registered: everything about it but its number and instant."""

    manifest: Manifest
    manifest_bytes: bytes
    manifest_sha256: bytes
    signatures: Sequence[bytes]
    documents: Sequence[str]
    request_sha256: bytes
    definition: Definition
    sender_certificate_sha256: bytes

    @property
    def letter(self) -> str:
        """`letters/{uuid}`"""
        return names.letter(self.manifest.letter_uuid)


def new_letter(submission: Submission, number: BookNumber, number_text: str, registered_at: datetime) -> NewLetter:
    """The letter under its number. Raises ClockNotOffered, DueWithoutRecipient, DueOutOfRange."""
    manifest, demands = submission.manifest, submission.definition.demands
    dues = submit.dues(manifest, submission.definition, registered_at)
    return NewLetter(
        name=submission.letter,
        request_sha256=submission.request_sha256,
        sender_body=manifest.sender.body,
        sender_office=manifest.sender.office,
        sender_certificate_sha256=submission.sender_certificate_sha256,
        definition=submission.definition.name,
        definition_sha256=submission.definition.sha256,
        priority=manifest.priority,
        classification=manifest.classification,
        subject=manifest.subject,
        recipient_count=len(manifest.recipients),
        manifest_sha256=submission.manifest_sha256,
        documents=list(submission.documents),
        documents_sha256=[document.sha256 for document in manifest.documents],
        book=number.book,
        sequence=number.sequence,
        number_text=number_text,
        registered_at=registered_at,
        acceptance_due=dues.acceptance,
        answer_due=dues.answer,
        retain_until=registered_at + timedelta(seconds=demands.retention_seconds),
        close_at=registered_at + timedelta(seconds=demands.close_after_seconds),
        urgent_unacked_at=submit.urgent_unacked_at(manifest, submission.definition, registered_at),
    )


def new_deliveries(letter: NewLetter, manifest: Manifest) -> list[Delivery]:
    """One for each recipient, by number. A clock runs if and only if the recipient's flag is true."""
    return [_new_delivery(letter, place, recipient) for place, recipient in enumerate(manifest.recipients, start=1)]


def _new_delivery(letter: NewLetter, place: int, recipient: manifests.Recipient) -> Delivery:
    return Delivery(
        name=names.delivery(letter.name, place),
        letter=letter.name,
        number=place,
        sender_body=letter.sender_body,
        sender_office=letter.sender_office,
        recipient_body=names.body_of(recipient.office),
        recipient_office=recipient.office,
        classification=letter.classification,
        kind=manifests.RecipientKind.Name(recipient.kind).removeprefix("RECIPIENT_KIND_"),
        position=recipient.position,
        documents=list(recipient.documents),
        acceptance_needed=recipient.acceptance_needed,
        answer_needed=recipient.answer_needed,
        acceptance_due=letter.acceptance_due if recipient.acceptance_needed else None,
        answer_due=letter.answer_due if recipient.answer_needed else None,
    )
