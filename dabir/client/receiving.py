"""The recipient's side: receipts, readings, and what they open.

A receipt is signed, kept in the journal and then sent: after a kill the same call sends the same bytes again. What is
said otherwise (another reason, other details) is another receipt. Who is second gets what was decided before.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from dabir.client import saving
from dabir.client.directory import Directory
from dabir.client.errors import InputError, RefusedError, VerificationError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, SealedEntry
from dabir.client.mailbox import delivery
from dabir.client.opening import Opened, Opener
from dabir.client.profile import Profile
from dabir.client.recalling import StatedRecall, read_recall
from dabir.client.sending import DocumentProgress, is_final, seal_signer
from dabir.client.trust import Proven, Trust
from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.formats import cades
from dabir.formats.receipt import RECEIPT_TYPE, parse_receipt, write_receipt
from dabir.formats.statement import Event
from dabir.formats.strict_json import FormatError
from dabir.intake.v1 import letter_pb2, recipient_service_pb2

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Decided:
    """What became of a delivery. `by_us`: this receipt decided it, not an earlier one. `opened`: if it ever was."""

    delivery: letter_pb2.Delivery
    statement: Proven
    by_us: bool
    opened: Opened | None


@dataclass(frozen=True)
class ReceiptDetails:
    """What a body may add to its receipt; "" for what is not said. `incoming_date` is `YYYY-MM-DD`, Gregorian."""

    incoming_number: str = ""
    incoming_date: str = ""
    person_position: str = ""
    person_name: str = ""


@dataclass(frozen=True)
class _Said:
    """What a receipt says beside the envelope's: the same again is the same receipt."""

    verdict: receipt_pb2.Verdict.ValueType
    details: ReceiptDetails
    reason: receipt_pb2.ReturnReason.ValueType = receipt_pb2.RETURN_REASON_UNSPECIFIED
    downloaded: tuple[tuple[int, bytes], ...] = ()
    recall_sha256: bytes = b""

    @property
    def name(self) -> str:
        return receipt_pb2.Verdict.Name(self.verdict).removeprefix("VERDICT_")


class Receiver:
    """Takes in, refuses, opens, saves, returns and reads what came to one office's body."""

    def __init__(self, profile: Profile, hub: Hub, trust: Trust, directory: Directory, journal: Journal) -> None:
        self._profile = profile
        self._hub = hub
        self._trust = trust
        self._directory = directory
        self._journal = journal
        self._opener = Opener(hub, trust, directory)

    def accept(self, name: str, details: ReceiptDetails) -> Decided:
        """Signs for a delivery, which opens it. Who is second gets what was decided before.

        Raises InputError, RefusedError, UnavailableError, VerificationError.
        """
        kept = self._receipt(name, _Said(receipt_pb2.VERDICT_ACCEPTED, details))
        request = recipient_service_pb2.AcceptDeliveryRequest(name=name, receipt=kept.data, signature=kept.signature)
        return self._decided(kept, self._send(kept, self._hub.recipient.AcceptDelivery, request))

    def refuse(self, name: str, reason: receipt_pb2.ReturnReason.ValueType, details: ReceiptDetails) -> Decided:
        """Refuses a delivery unread. Who is second gets what was decided before. Raises as `accept`."""
        kept = self._receipt(name, _Said(receipt_pb2.VERDICT_REFUSED, details, reason))
        request = recipient_service_pb2.RefuseDeliveryRequest(name=name, receipt=kept.data, signature=kept.signature)
        return self._decided(kept, self._send(kept, self._hub.recipient.RefuseDelivery, request))

    def return_delivery(
        self, name: str, reason: receipt_pb2.ReturnReason.ValueType, details: ReceiptDetails
    ) -> Decided:
        """Sends an accepted delivery back, naming what `save` downloaded of it. Raises as `accept`."""
        downloaded = tuple(self._journal.downloaded(name).items())
        kept = self._receipt(name, _Said(receipt_pb2.VERDICT_RETURNED, details, reason, downloaded))
        request = recipient_service_pb2.ReturnDeliveryRequest(name=name, receipt=kept.data, signature=kept.signature)
        return self._decided(kept, self._send(kept, self._hub.recipient.ReturnDelivery, request))

    def recall_of(self, name: str) -> StatedRecall:
        """The recall that an accepted delivery is asked back with, checked. Raises RefusedError, VerificationError."""
        given = delivery(self._hub, name)
        if not given.HasField("recall"):
            said = f"nobody asked for {name} back, or it is not accepted: there is nothing to answer"
            raise RefusedError("NO_RECALL", said, code="FAILED_PRECONDITION")
        return read_recall(self._trust, self._directory, given.envelope.letter, given.recall)

    def answer_recall(self, name: str, details: ReceiptDetails, *, grant: bool) -> Decided:
        """Grants or refuses the recall of an accepted delivery, once it was checked. Raises as `accept`."""
        recall = self.recall_of(name)
        verdict = receipt_pb2.VERDICT_RECALL_GRANTED if grant else receipt_pb2.VERDICT_RECALL_REFUSED
        kept = self._receipt(name, _Said(verdict, details, recall_sha256=recall.sha256))
        request = recipient_service_pb2.AnswerRecallRequest(name=name, receipt=kept.data, signature=kept.signature)
        return self._decided(kept, self._send(kept, self._hub.recipient.AnswerRecall, request))

    def mark_read(self, name: str, position: str) -> Proven:
        """States that a person read an accepted delivery, by position. Each call that ended states one reading.

        Raises RefusedError, UnavailableError (call again: it is the same reading), VerificationError.
        """
        request = recipient_service_pb2.MarkReadRequest(
            name=name, request_id=self._journal.reading_id(name, position), position=position
        )
        try:
            answer = self._hub.call(self._hub.recipient.MarkRead, request)
        except RefusedError as error:
            if is_final(error):
                self._journal.drop_reading(name, position)
            raise
        stated = self._trust.statement(answer.statement)
        if (stated.event, stated.subject, stated.says.operator) != (Event.CONTENT_ACCESS_TRACKING, name, position):
            raise VerificationError("OTHER_READING", f"{stated.name} states another reading; keep it, report it")
        self._journal.drop_reading(name, position)
        return stated

    def open(self, name: str) -> Opened:
        """The content of a delivery that was accepted. Raises RefusedError if it was not, VerificationError."""
        return self._opener.opened(delivery(self._hub, name))

    def save(self, name: str, folder: Path, progress: DocumentProgress, *, although_held: bool = False) -> Opened:
        """Downloads the documents of an accepted delivery into `folder`, with what proves them, and confirms each.

        Beside the documents, under `saving.saved_name`, stand manifest.json, signature-{n}.p7s and the two statements
        (.jws). May be repeated: goes on where it stopped. Raises as `open`; HeldError where the letter is held, unless
        `although_held`; InputError where files of these names are others, or the folder cannot be used.
        """
        given = delivery(self._hub, name)
        opened = self._opener.opened(given)
        saving.save(self._hub, self._journal, given, opened, folder, progress, although_held=although_held)
        return opened

    def _receipt(self, name: str, said: _Said) -> SealedEntry:
        """The receipt to send: the one in the journal if it says the same, else a new one, kept before it is sent."""
        kept = self._journal.receipt(name, said.name)
        if kept is not None:
            if _said(parse_receipt(kept.data)) == said:
                return kept
            self._journal.drop_sealed(kept)
        data = self._write_receipt(delivery(self._hub, name).envelope, said)
        signature = cades.sign_detached(data, seal_signer(self._profile), datetime.now(UTC))
        return self._journal.add_receipt(name, said.name, data, signature)

    def _send(self, kept: SealedEntry, method: Callable[..., Answer], request: object) -> Answer:
        """Sends a receipt of the journal; one that the hub refuses is no receipt and is dropped."""
        try:
            return self._hub.call(method, request)
        except RefusedError as error:
            if is_final(error):
                self._journal.drop_sealed(kept)
            raise

    def _write_receipt(self, envelope: letter_pb2.Envelope, said: _Said) -> bytes:
        receipt = receipt_pb2.Receipt(
            type=RECEIPT_TYPE,
            hub=self._profile.hub,
            delivery=envelope.delivery,
            in_number=receipt_pb2.BookNumber(book=envelope.in_number.book, sequence=envelope.in_number.sequence),
            letter=envelope.letter,
            manifest_sha256=envelope.manifest_sha256,
            submission_acceptance_sha256=envelope.submission_acceptance_sha256,
            verdict=said.verdict,
            reason=said.reason,
            incoming_number=said.details.incoming_number,
            incoming_date=said.details.incoming_date,
            nonce=secrets.token_bytes(16),
            documents=[receipt_pb2.ReceiptDocument(index=index, sha256=sha256) for index, sha256 in said.downloaded],
            recall_sha256=said.recall_sha256,
        )
        receipt.signed_at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
        if said.details.person_position or said.details.person_name:
            receipt.acting_person.position = said.details.person_position
            receipt.acting_person.name = said.details.person_name
        try:
            return write_receipt(receipt)
        except FormatError as error:
            raise InputError(error.reason, f"the receipt cannot be written: {error}") from None

    def _decided(
        self,
        kept: SealedEntry,
        answer: recipient_service_pb2.AcceptDeliveryResponse
        | recipient_service_pb2.RefuseDeliveryResponse
        | recipient_service_pb2.ReturnDeliveryResponse
        | recipient_service_pb2.AnswerRecallResponse,
    ) -> Decided:
        given, stated = answer.delivery, self._trust.statement(answer.statement)
        if stated.subject != given.envelope.delivery:
            raise VerificationError("OTHER_DELIVERY", f"{stated.name} is about {stated.subject}; keep it, report it")
        by_us = stated.says.receipt_sha256 == kept.sha256
        opened = self._opener.opened(given) if given.HasField("content") else None
        return Decided(given, stated, by_us, opened)


def _said(receipt: receipt_pb2.Receipt) -> _Said:
    person = receipt.acting_person
    details = ReceiptDetails(receipt.incoming_number, receipt.incoming_date, person.position, person.name)
    downloaded = tuple((document.index, document.sha256) for document in receipt.documents)
    return _Said(receipt.verdict, details, receipt.reason, downloaded, receipt.recall_sha256)


def reply_to(given: letter_pb2.Envelope, letter: manifest_pb2.Manifest) -> manifest_pb2.Manifest:
    """`letter` as an answer to a delivery: from its office, to its sender's, with the relation reply-to (عطف)."""
    reply = manifest_pb2.Manifest()
    reply.CopyFrom(letter)
    reply.sender.office = given.recipient_office
    reply.relations.add(kind=manifest_pb2.RELATION_KIND_REPLY_TO, letter=given.letter)
    if all(recipient.office != given.sender_office for recipient in reply.recipients):
        reply.recipients.insert(
            0, manifest_pb2.Recipient(office=given.sender_office, kind=manifest_pb2.RECIPIENT_KIND_TO)
        )
    return reply
