"""What intake's statements say: the fields of each event (docs/formats.md, "Events"; dabir.formats.events)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from dabir.common.v1.receipt_pb2 import BookNumber, ReturnReason, Verdict
from dabir.common.v1.statement_pb2 import (
    StatementDocument,
    StatementEvent,
    StatementNumber,
    StatementParty,
    StatementRecipient,
    StatementSignature,
)
from services.intake.domain.model import Delivery, Letter, NewLetter, granted
from services.intake.domain.signature import Checked
from services.runtime.instants import optional_timestamp, timestamp


def submission_acceptance(
    letter: NewLetter, deliveries: Collection[Delivery], signatures: Sequence[StatementSignature]
) -> StatementEvent:
    """That a letter is registered. The party is its sender, with the certificate it called with."""
    return StatementEvent(
        number=StatementNumber(book=letter.book, sequence=letter.sequence, text=letter.number_text),
        registered_at=timestamp(letter.registered_at),
        manifest_sha256=letter.manifest_sha256,
        definition_sha256=letter.definition_sha256,
        parties=[_sender(letter)],
        documents=_documents(letter, range(1, len(letter.documents) + 1)),
        recipients=[_recipient(delivery, letter) for delivery in deliveries],
        acceptance_due=optional_timestamp(letter.acceptance_due),
        answer_due=optional_timestamp(letter.answer_due),
        signatures=signatures,
    )


def available(letter: Letter, number: BookNumber, text: str, now: datetime, *, hub_late: bool) -> StatementEvent:
    """That a delivery lies in the mailbox, under its IN number."""
    return StatementEvent(
        number=StatementNumber(book=number.book, sequence=number.sequence, text=text),
        registered_at=timestamp(now),
        manifest_sha256=letter.manifest_sha256,
        reason="HUB_LATE" if hub_late else "",
    )


def consignment_acceptance(letter: Letter, delivery: Delivery, receipt_sha256: bytes, seal: Checked) -> StatementEvent:
    """That the recipient took the letter in by its receipt. It is the key to the documents it lists."""
    return StatementEvent(
        manifest_sha256=letter.manifest_sha256,
        parties=[_sender(letter), _party(delivery.recipient_body, seal)],
        recipients=[_recipient(delivery, letter)],
        documents=_documents(letter, granted(delivery, letter)),
        receipt_sha256=receipt_sha256,
        signatures=[seal.stated],
    )


def consignment_rejection(
    letter: Letter, delivery: Delivery, reason: int, receipt_sha256: bytes, seal: Checked
) -> StatementEvent:
    """That the recipient refused the letter, unread, by its receipt."""
    return StatementEvent(
        manifest_sha256=letter.manifest_sha256,
        parties=[_party(delivery.recipient_body, seal)],
        receipt_sha256=receipt_sha256,
        signatures=[seal.stated],
        reason=ReturnReason.Name(ReturnReason.ValueType(reason)),
    )


def acceptance_expiry(delivery: Delivery) -> StatementEvent:
    """That nothing was signed by the due."""
    return StatementEvent(acceptance_due=optional_timestamp(delivery.acceptance_due))


def answer_overdue(delivery: Delivery) -> StatementEvent:
    """That no answer came by the due."""
    return StatementEvent(answer_due=optional_timestamp(delivery.answer_due))


def answered(submission_acceptance_sha256: bytes) -> StatementEvent:
    """That a registered letter answers the delivery: the digest of that letter's SubmissionAcceptance."""
    return StatementEvent(answer_sha256=submission_acceptance_sha256)


def content_access(recipient_body: str, certificate_sha256: bytes, position: str) -> StatementEvent:
    """That a person read the letter, by position. The party is the recipient, with the certificate it called with."""
    party = StatementParty(body=recipient_body, certificate_sha256=certificate_sha256)
    return StatementEvent(parties=[party], operator=position)


def returned(letter: Letter, delivery: Delivery, reason: int, receipt_sha256: bytes, seal: Checked) -> StatementEvent:
    """That the recipient sent the letter back by its receipt, after taking it in."""
    # The same fields as of a refusal; the event says that it was taken in.
    return consignment_rejection(letter, delivery, reason, receipt_sha256, seal)


def recall(letter: Letter, recall_sha256: bytes, seal: Checked) -> StatementEvent:
    """That the sender asks by its seal that the letter be withdrawn."""
    return StatementEvent(
        manifest_sha256=letter.manifest_sha256,
        parties=[_party(letter.sender_body, seal)],
        recall_sha256=recall_sha256,
        signatures=[seal.stated],
    )


def withdrawn(recall_sha256: bytes) -> StatementEvent:
    """That a recall came before the delivery was taken in."""
    return StatementEvent(recall_sha256=recall_sha256)


def recall_answered(
    delivery: Delivery, recall_sha256: bytes, verdict: int, receipt_sha256: bytes, seal: Checked
) -> StatementEvent:
    """That the recipient granted or refused a recall by its receipt."""
    return StatementEvent(
        parties=[_party(delivery.recipient_body, seal)],
        recall_sha256=recall_sha256,
        receipt_sha256=receipt_sha256,
        signatures=[seal.stated],
        reason=Verdict.Name(Verdict.ValueType(verdict)),
    )


def closed(*, unclaimed: bool) -> StatementEvent:
    """That a letter closed."""
    return StatementEvent(reason="UNCLAIMED" if unclaimed else "")


def operator_action(operator: str, action: str, reason: str, recipient_office: str | None) -> StatementEvent:
    """That an operator acted; `recipient_office` if on one delivery. The identity is as declared."""
    recipients = [StatementRecipient(office=recipient_office)] if recipient_office else []
    return StatementEvent(operator=operator, action=action, reason=reason, recipients=recipients)


def _sender(letter: NewLetter) -> StatementParty:
    return StatementParty(body=letter.sender_body, certificate_sha256=letter.sender_certificate_sha256)


def _party(body: str, seal: Checked) -> StatementParty:
    return StatementParty(body=body, certificate_sha256=seal.certificate_sha256)


def _recipient(delivery: Delivery, letter: NewLetter) -> StatementRecipient:
    return StatementRecipient(office=delivery.recipient_office, documents=granted(delivery, letter))


def _documents(letter: NewLetter, indexes: Collection[int]) -> list[StatementDocument]:
    return [
        StatementDocument(name=letter.documents[index - 1], sha256=letter.documents_sha256[index - 1])
        for index in indexes
    ]
