"""The recipient's side: envelopes, receipts, and the content that a receipt opens."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from dabir.client import documents
from dabir.client.directory import Directory, pages
from dabir.client.errors import InputError, RefusedError, VerificationError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, ReceiptEntry, replace_file
from dabir.client.profile import Profile
from dabir.client.sending import FINAL_CODES, DocumentProgress
from dabir.client.trust import Proven, SignedManifest, Trust
from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.directory.v1.directory_pb2 import CERTIFICATE_PURPOSE_SIGN
from dabir.documents.v1.documents_pb2 import ConfirmDownloadRequest
from dabir.formats import cades, names
from dabir.formats.receipt import RECEIPT_TYPE, parse_receipt, write_receipt
from dabir.formats.signer import FileSigner
from dabir.formats.statement import Event
from dabir.formats.strict_json import FormatError
from dabir.intake.v1 import letter_pb2, recipient_service_pb2

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Opened:
    """The content of an accepted delivery, every part of it checked against the others."""

    manifest: SignedManifest
    documents: tuple[letter_pb2.ContentDocument, ...]
    submission_acceptance: Proven
    consignment_acceptance: Proven


@dataclass(frozen=True)
class Decided:
    """What became of a delivery. `by_us`: this receipt decided it, not an earlier one. `opened`: if accepted."""

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


def envelopes(
    hub: Hub, office: str = "", state: letter_pb2.DeliveryState.ValueType = letter_pb2.DELIVERY_STATE_UNSPECIFIED
) -> Iterator[letter_pb2.Envelope]:
    """What came to our body, newest first."""
    request = recipient_service_pb2.ListDeliveriesRequest(office=office, state=state)
    yield from pages(hub, hub.recipient.ListDeliveries, request, "deliveries")


def delivery(hub: Hub, name: str) -> letter_pb2.Delivery:
    """One delivery of ours. Raises RefusedError (NOT_FOUND)."""
    return hub.call(hub.recipient.GetDelivery, recipient_service_pb2.GetDeliveryRequest(name=name)).delivery


class Receiver:
    """Takes in, refuses, opens and saves what came to one office's body."""

    def __init__(self, profile: Profile, hub: Hub, trust: Trust, directory: Directory, journal: Journal) -> None:
        self._profile = profile
        self._hub = hub
        self._trust = trust
        self._directory = directory
        self._journal = journal

    def accept(self, name: str, details: ReceiptDetails) -> Decided:
        """Signs for a delivery, which opens it. Who is second gets what was decided before.

        Raises InputError, RefusedError, UnavailableError, VerificationError.
        """
        kept = self._receipt(name, receipt_pb2.VERDICT_ACCEPTED, receipt_pb2.RETURN_REASON_UNSPECIFIED, details)
        request = recipient_service_pb2.AcceptDeliveryRequest(name=name, receipt=kept.receipt, signature=kept.signature)
        answer = self._send(kept, self._hub.recipient.AcceptDelivery, request)
        return self._decided(kept, answer.delivery, self._trust.statement(answer.statement))

    def refuse(self, name: str, reason: receipt_pb2.ReturnReason.ValueType, details: ReceiptDetails) -> Decided:
        """Refuses a delivery unread. Who is second gets what was decided before. Raises as `accept`."""
        kept = self._receipt(name, receipt_pb2.VERDICT_REFUSED, reason, details)
        request = recipient_service_pb2.RefuseDeliveryRequest(name=name, receipt=kept.receipt, signature=kept.signature)
        answer = self._send(kept, self._hub.recipient.RefuseDelivery, request)
        return self._decided(kept, answer.delivery, self._trust.statement(answer.statement))

    def open(self, name: str) -> Opened:
        """The content of a delivery that was accepted. Raises RefusedError if it was not, VerificationError."""
        return self.opened(delivery(self._hub, name))

    def save(self, name: str, folder: Path, progress: DocumentProgress) -> Opened:
        """Downloads the documents of an accepted delivery into `folder`, with what proves them, and confirms each.

        Beside `{index}-{file name}` stand manifest.json, signature-{n}.p7s and the two statements (.jws). May be
        repeated: goes on where it stopped. Raises as `open`, and OSError.
        """
        given = delivery(self._hub, name)
        opened = self.opened(given)
        folder.mkdir(parents=True, exist_ok=True)
        self._save_proof(given.content, folder)
        listed = {document.index: document for document in opened.manifest.manifest.documents}
        for granted in opened.documents:
            self._save_document(granted.document, listed[granted.index], opened, folder, progress)
        return opened

    def opened(self, given: letter_pb2.Delivery) -> Opened:
        """Checks that manifest, signatures, both statements and envelope of a delivery are of one letter."""
        envelope, content = given.envelope, given.content
        if not given.HasField("content"):
            said = f"{envelope.delivery} is not accepted, so its content is closed; accept it first"
            raise RefusedError("NOT_ACCEPTED", said, code="FAILED_PRECONDITION")
        submitted = self._trust.statement(content.submission_acceptance)
        consigned = self._trust.statement(content.consignment_acceptance)
        registered_at = submitted.says.registered_at.ToDatetime(tzinfo=UTC)
        manifest = self._trust.manifest(content.manifest, list(content.signatures), registered_at)
        sender = manifest.manifest.sender.body
        for signature in manifest.signatures:
            self._directory.check_owner(signature.certificates[0], sender, CERTIFICATE_PURPOSE_SIGN)
        opened = Opened(manifest, tuple(content.documents), submitted, consigned)
        _check_one_letter(envelope, opened)
        return opened

    def _receipt(
        self,
        name: str,
        verdict: receipt_pb2.Verdict.ValueType,
        reason: receipt_pb2.ReturnReason.ValueType,
        details: ReceiptDetails,
    ) -> ReceiptEntry:
        """The receipt to send: the one in the journal if it says the same, else a new one, kept before it is sent."""
        verdict_name = receipt_pb2.Verdict.Name(verdict).removeprefix("VERDICT_")
        kept = self._journal.receipt(name, verdict_name)
        if kept is not None:
            if _says(parse_receipt(kept.receipt), reason, details):
                return kept
            self._journal.drop_receipt(kept)
        data = self._write_receipt(delivery(self._hub, name).envelope, verdict, reason, details)
        try:
            seal = FileSigner(self._profile.seal.key, self._profile.seal.certificate)
        except (OSError, ValueError) as error:
            raise InputError("SEAL_UNUSABLE", f"{error}; correct the profile's [seal]") from None
        signature = cades.sign_detached(data, seal, datetime.now(UTC))
        return self._journal.add_receipt(name, verdict_name, data, signature)

    def _send(self, kept: ReceiptEntry, method: Callable[..., Answer], request: object) -> Answer:
        """Sends a receipt of the journal; one that the hub refuses is no receipt and is dropped."""
        try:
            return self._hub.call(method, request)
        except RefusedError as error:
            if error.code in FINAL_CODES:
                self._journal.drop_receipt(kept)
            raise

    def _write_receipt(
        self,
        envelope: letter_pb2.Envelope,
        verdict: receipt_pb2.Verdict.ValueType,
        reason: receipt_pb2.ReturnReason.ValueType,
        details: ReceiptDetails,
    ) -> bytes:
        in_number = receipt_pb2.BookNumber(book=envelope.in_number.book, sequence=envelope.in_number.sequence)
        receipt = receipt_pb2.Receipt(
            type=RECEIPT_TYPE,
            hub=self._profile.hub,
            delivery=envelope.delivery,
            in_number=in_number,
            letter=envelope.letter,
            manifest_sha256=envelope.manifest_sha256,
            submission_acceptance_sha256=envelope.submission_acceptance_sha256,
            verdict=verdict,
            reason=reason,
            incoming_number=details.incoming_number,
            incoming_date=details.incoming_date,
            nonce=secrets.token_bytes(16),
        )
        receipt.signed_at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
        if details.person_position or details.person_name:
            receipt.acting_person.position = details.person_position
            receipt.acting_person.name = details.person_name
        try:
            return write_receipt(receipt)
        except FormatError as error:
            raise InputError(error.reason, f"the receipt cannot be written: {error}") from None

    def _decided(self, kept: ReceiptEntry, given: letter_pb2.Delivery, stated: Proven) -> Decided:
        if stated.subject != given.envelope.delivery:
            raise VerificationError("OTHER_DELIVERY", f"{stated.name} is about {stated.subject}; keep it, report it")
        by_us = stated.says.receipt_sha256 == kept.sha256
        opened = self.opened(given) if given.HasField("content") else None
        return Decided(given, stated, by_us, opened)

    def _save_proof(self, content: letter_pb2.Content, folder: Path) -> None:
        replace_file(folder / "manifest.json", content.manifest)
        for place, signature in enumerate(content.signatures, start=1):
            replace_file(folder / f"signature-{place}.p7s", signature)
        replace_file(folder / "submission-acceptance.jws", content.submission_acceptance.jws.encode())
        replace_file(folder / "consignment-acceptance.jws", content.consignment_acceptance.jws.encode())

    def _save_document(
        self,
        name: str,
        listed: manifest_pb2.ManifestDocument,
        opened: Opened,
        folder: Path,
        progress: DocumentProgress,
    ) -> None:
        target = folder / f"{listed.index}-{listed.file_name}"
        key = opened.consignment_acceptance.jws

        def moved(moved_bytes: int) -> None:
            progress(listed.index, moved_bytes, listed.size_bytes)

        if not is_saved(target, listed):
            documents.download(self._hub, name, key, target, listed.size_bytes, listed.sha256, moved)
        moved(listed.size_bytes)
        confirm = ConfirmDownloadRequest(document=name, consignment_acceptance=key, sha256=listed.sha256)
        self._hub.call(self._hub.documents.ConfirmDownload, confirm)


def is_saved(target: Path, listed: manifest_pb2.ManifestDocument) -> bool:
    """Whether the document stands at `target` already. Raises InputError if another file does; OSError."""
    if not target.exists():
        return False
    with target.open("rb") as reading:
        digest = hashlib.file_digest(reading, "sha256").digest()
    if digest != listed.sha256:
        said = f"{target} is there already and is not document {listed.index} of the letter; save to another folder"
        raise InputError("OTHER_FILE_THERE", said)
    return True


def _says(receipt: receipt_pb2.Receipt, reason: receipt_pb2.ReturnReason.ValueType, details: ReceiptDetails) -> bool:
    """Whether a receipt was written from this reason and these details."""
    person = receipt.acting_person
    said = ReceiptDetails(receipt.incoming_number, receipt.incoming_date, person.position, person.name)
    return (receipt.reason, said) == (reason, details)


def _check_one_letter(envelope: letter_pb2.Envelope, opened: Opened) -> None:
    """Envelope, manifest and the two statements name each other. Raises VerificationError."""
    submitted, consigned, manifest = opened.submission_acceptance, opened.consignment_acceptance, opened.manifest
    place = names.split_delivery(envelope.delivery)[1]
    documents_stated = {document.name: document.sha256 for document in consigned.says.documents}
    listed = {document.index: document.sha256 for document in manifest.manifest.documents}
    agreements = {
        "the SubmissionAcceptance": (submitted.event, submitted.subject, submitted.digest)
        == (Event.SUBMISSION_ACCEPTANCE, envelope.letter, envelope.submission_acceptance_sha256),
        "the ConsignmentAcceptance": (consigned.event, consigned.subject)
        == (Event.CONSIGNMENT_ACCEPTANCE, envelope.delivery),
        "the manifest's id": names.letter(manifest.manifest.letter_uuid) == envelope.letter,
        "the manifest's digest": manifest.sha256 == envelope.manifest_sha256 == submitted.says.manifest_sha256,
        "the manifest's recipient": manifest.manifest.recipients[place - 1].office == envelope.recipient_office,
        "the documents": documents_stated == {doc.document: listed.get(doc.index) for doc in opened.documents},
    }
    wrong = [what for what, agrees in agreements.items() if not agrees]
    if wrong:
        raise VerificationError("CONTENT_DISAGREES", f"{envelope.delivery}: {', '.join(wrong)} is not of this delivery")


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
