"""What a letter must be to be registered: the rules that go beyond its form (`dabir.formats.manifest`)."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1.manifest_pb2 import Classification, Manifest
from dabir.formats import names
from dabir.formats.fields import check_length
from dabir.formats.strict_json import FormatError, check_text
from dabir.intake.v1.definition_pb2 import Clock
from services.intake.domain import errors, model
from services.intake.domain.definition import Definition
from services.runtime import instants
from services.runtime.errors import FieldViolation
from services.runtime.identity import Role, clearance

WRITTEN_AT_HOURS = 24
NUMBER_PATTERN = "{year}/{sequence}"
NUMBER_CHARACTERS = 64


def request_sha256(manifest: bytes, signatures: Sequence[bytes], documents: Sequence[str]) -> bytes:
    """Digest of a SubmitLetter: equal if and only if the same bytes were sent."""
    digest = hashlib.sha256(b"dabir/submit-letter/v1\n")
    for part in (manifest, *signatures, *(document.encode() for document in documents)):
        # Parts of fixed length, so that none can run into the next.
        digest.update(hashlib.sha256(part).digest())
    digest.update(f"{len(signatures)},{len(documents)}".encode())
    return digest.digest()


def check_caller(manifest: Manifest, *, hub: str, caller_body: str, roles: Collection[Role]) -> None:
    """That this hub and this caller are meant. Raises WrongHub, SenderNotCaller, ClearanceMissing."""
    if manifest.hub != hub:
        raise errors.WrongHub(given=manifest.hub, hub=hub)
    if manifest.sender.body != caller_body:
        raise errors.SenderNotCaller(sender=manifest.sender.body, caller=caller_body)
    if manifest.classification > clearance(roles):
        raise errors.ClearanceMissing(classification=Classification.Name(manifest.classification))


def check_counts(manifest: Manifest, signatures: int, documents: int) -> None:
    """Raises SignatureCountWrong, DocumentCountWrong."""
    if signatures != len(manifest.signers):
        raise errors.SignatureCountWrong(given=signatures, signers=len(manifest.signers))
    if documents != len(manifest.documents):
        raise errors.DocumentCountWrong(given=documents, documents=len(manifest.documents))


def check_written_at(manifest: Manifest, now: datetime) -> None:
    """Raises WrittenAtOutOfRange outside 24 hours of `now` (docs/formats.md, "Manifest")."""
    written_at = manifest.written_at.ToDatetime(UTC)
    if abs(written_at - now) > timedelta(hours=WRITTEN_AT_HOURS):
        here = instants.text(now.replace(microsecond=0))
        raise errors.WrittenAtOutOfRange(written_at=instants.text(written_at), now=here, hours=WRITTEN_AT_HOURS)


def check_definition(manifest: Manifest, definition: Definition) -> None:
    """Everything the definition demands but the dues, which depend on the instant of registration.

    Raises SenderNotPermitted, SignerMissing, TooFewSigners, TooManyRecipients, ClassificationNotPermitted,
    RetentionScheduleUnknown.
    """
    demands = definition.demands
    if demands.senders and manifest.sender.body not in demands.senders:
        raise errors.SenderNotPermitted(sender=manifest.sender.body, definition=definition.name)
    positions = {signer.position for signer in manifest.signers}
    for position in demands.required_positions:
        if position not in positions:
            raise errors.SignerMissing(position=position, definition=definition.name)
    if len(manifest.signers) < demands.min_signers:
        raise errors.TooFewSigners(
            given=len(manifest.signers), demanded=demands.min_signers, definition=definition.name
        )
    if len(manifest.recipients) > demands.max_recipients:
        raise errors.TooManyRecipients(
            given=len(manifest.recipients), allowed=demands.max_recipients, definition=definition.name
        )
    if manifest.classification not in demands.classifications:
        said = Classification.Name(manifest.classification)
        raise errors.ClassificationNotPermitted(classification=said, definition=definition.name)
    if manifest.retention_schedule and manifest.retention_schedule != demands.retention_schedule:
        raise errors.RetentionScheduleUnknown(
            given=manifest.retention_schedule, offered=demands.retention_schedule, definition=definition.name
        )


@dataclass(frozen=True)
class Dues:
    """By when the recipients that are asked must act; None where no clock runs."""

    acceptance: datetime | None
    answer: datetime | None


def dues(manifest: Manifest, definition: Definition, registered_at: datetime) -> Dues:
    """The letter's clocks. Raises ClockNotOffered, DueWithoutRecipient, DueOutOfRange."""
    demands, recipients = definition.demands, manifest.recipients
    acceptance = _Clock(
        "acceptance",
        offered=demands.acceptance if demands.HasField("acceptance") else None,
        stated=manifest.acceptance_due.ToDatetime(UTC) if manifest.HasField("acceptance_due") else None,
        needed=any(recipient.acceptance_needed for recipient in recipients),
    )
    answer = _Clock(
        "answer",
        offered=demands.answer if demands.HasField("answer") else None,
        stated=manifest.answer_due.ToDatetime(UTC) if manifest.HasField("answer_due") else None,
        needed=any(recipient.answer_needed for recipient in recipients),
    )
    return Dues(acceptance.due(definition.name, registered_at), answer.due(definition.name, registered_at))


@dataclass(frozen=True)
class _Clock:
    """One of the two clocks: what the definition offers and what the manifest says."""

    name: str
    offered: Clock | None
    stated: datetime | None
    needed: bool

    def due(self, definition: str, registered_at: datetime) -> datetime | None:
        if self.offered is None:
            if self.stated or self.needed:
                raise errors.ClockNotOffered(clock=self.name, definition=definition)
            return None
        if not self.needed:
            if self.stated:
                raise errors.DueWithoutRecipient(clock=self.name)
            return None
        if self.stated is None:
            # Dues are whole seconds: counted from the statement's `iat`, which is this second.
            return registered_at.replace(microsecond=0) + timedelta(seconds=self.offered.default_seconds)
        least, most = self.offered.min_seconds, self.offered.max_seconds
        if not timedelta(seconds=least) <= self.stated - registered_at <= timedelta(seconds=most):
            raise errors.DueOutOfRange(
                clock=self.name,
                due=instants.text(self.stated),
                definition=definition,
                min_seconds=least,
                max_seconds=most,
            )
        return self.stated


def urgent_unacked_at(manifest: Manifest, definition: Definition, registered_at: datetime) -> datetime | None:
    """When an immediate letter that nobody accepted is shown to operators."""
    after_seconds = definition.demands.urgent_unacked_after_seconds
    if manifest.priority != manifests.PRIORITY_IMMEDIATE or not after_seconds:
        return None
    return registered_at + timedelta(seconds=after_seconds)


def out_direction(classification: int) -> names.Direction:
    """Which outgoing book a letter is numbered in: classified ones have their own."""
    return "out" if classification == manifests.CLASSIFICATION_NORMAL else "out-confidential"


def print_number(pattern: str, book: str, sequence: int) -> str:
    """A number by its office's pattern: `{year}`, `{book}` (the direction) and `{sequence}` in free text."""
    _, direction, year = names.split_book(book)
    text = pattern or NUMBER_PATTERN
    # Not str.format: the pattern is an operator's text, and braces of other kinds stay as they are.
    for place, value in (("{year}", str(year)), ("{book}", direction), ("{sequence}", str(sequence))):
        text = text.replace(place, value)
    try:
        check_text(text)
        check_length(text, NUMBER_CHARACTERS, "number")
    except FormatError:
        # A pattern that no statement can carry must not stop an office's post.
        return print_number(NUMBER_PATTERN, book, sequence)
    return text


def check_offices(manifest: Manifest, unknown: Collection[str]) -> None:
    """`unknown`: names that directory does not know. Raises SenderOfficeUnknown, RecipientUnknown."""
    if manifest.sender.office in unknown:
        raise errors.SenderOfficeUnknown(office=manifest.sender.office)
    wrong = [
        FieldViolation(f"recipients[{index}].office", f"There is no office {recipient.office}.")
        for index, recipient in enumerate(manifest.recipients)
        if recipient.office in unknown
    ]
    if wrong:
        first = next(recipient.office for recipient in manifest.recipients if recipient.office in unknown)
        raise errors.RecipientUnknown(count=len(wrong), first=first, field_violations=wrong)


def related_letters(manifest: Manifest) -> list[str]:
    """The letters that relations name by id, each once."""
    return list(dict.fromkeys(relation.letter for relation in manifest.relations if relation.letter))


def check_relations(manifest: Manifest, visible: Collection[str]) -> None:
    """`visible`: those of the related letters that the caller's body sent or got. Raises RelatedLetterNotFound."""
    for index, relation in enumerate(manifest.relations):
        if relation.letter and relation.letter not in visible:
            violation = FieldViolation(f"relations[{index}].letter", f"There is no letter {relation.letter} of yours.")
            raise errors.RelatedLetterNotFound(letter=relation.letter, field_violations=[violation])


def answered_letters(manifest: Manifest) -> list[str]:
    """The letters that this one replies to, each once."""
    replies = (r.letter for r in manifest.relations if r.letter and r.kind == manifests.RELATION_KIND_REPLY_TO)
    return list(dict.fromkeys(replies))


def answering(manifest: Manifest, deliveries: Collection[model.Delivery]) -> list[model.Delivery]:
    """The deliveries that this letter answers, of `deliveries`: those of the letters it replies to, to its office.

    One that is answered already is not among them: the letter is registered all the same, with its relation, and the
    first answer stands. Raises ReplyingOfficeNotRecipient, AcceptFirst, ReplyTooLate, ReplyNotAddressedToSender.
    """
    by_letter = {delivery.letter: delivery for delivery in deliveries}
    addressed = {recipient.office for recipient in manifest.recipients}
    found = []
    for letter in answered_letters(manifest):
        delivery = by_letter.get(letter)
        if delivery is None or delivery.available_at is None:
            raise errors.ReplyingOfficeNotRecipient(office=manifest.sender.office, letter=letter)
        if delivery.state == model.AVAILABLE:
            raise errors.AcceptFirst(delivery=delivery.name)
        if delivery.state not in (model.ACCEPTED, model.ANSWERED):
            raise errors.ReplyTooLate(delivery=delivery.name, state=delivery.state)
        if delivery.sender_office not in addressed:
            raise errors.ReplyNotAddressedToSender(letter=letter, office=delivery.sender_office)
        if delivery.state == model.ACCEPTED:
            found.append(delivery)
    return found


@dataclass(frozen=True)
class DocumentOutcome:
    """What documents said of one of the letter's documents."""

    document: str
    claimed: bool
    reason: str
    message: str


def check_documents(outcomes: Sequence[DocumentOutcome]) -> None:
    """Raises a DocumentRefused of the first refused document's reason that says what is wrong with each."""
    wrong = {index: outcome for index, outcome in enumerate(outcomes) if not outcome.claimed}
    if wrong:
        first = next(iter(wrong.values()))
        violations = [
            FieldViolation(f"documents[{index}]", f"{one.reason}: {one.message}") for index, one in wrong.items()
        ]
        refusal = errors.DOCUMENT_REFUSALS[first.reason]
        raise refusal(count=len(wrong), document=first.document, field_violations=violations)
