"""The content that a receipt opens: checked, and held while an earlier letter that it changes was not taken in.

A letter may overtake the one that it changes: an unfreeze order is in the mailbox while its freeze order is still on
the way. The hub registers, delivers and clocks each by itself: it knows no content, and an order must not be late
because another one is. So the recipient's client holds it. Whether a letter changes another one stands in its manifest,
readable once it is accepted; the acceptance is never held, since it means only that the letter was taken in. Held is
what is done with the content: `Receiver.save` raises HeldError; `dabir accept`, `letter` and `save` say so.

Held is a letter that our office gets as `to` (a copy is for information) and whose manifest names, by id, as followed,
corrected, replaced or revoked, a letter that came to our body and waits for its receipt, or that has not come at all.
It ends by itself once that one is accepted, refused or withdrawn; a letter that our own body sent holds nothing.
"""

from dataclasses import dataclass
from datetime import UTC

from dabir.client.directory import Directory
from dabir.client.errors import RefusedError, VerificationError
from dabir.client.hub import Hub
from dabir.client.mailbox import delivery, read_statements
from dabir.client.trust import Proven, SignedManifest, Trust
from dabir.common.v1 import manifest_pb2
from dabir.directory.v1.directory_pb2 import CERTIFICATE_PURPOSE_SIGN
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2

_WHAT = {
    manifest_pb2.RELATION_KIND_FOLLOW_UP: "follows",
    manifest_pb2.RELATION_KIND_CORRECTS: "corrects",
    manifest_pb2.RELATION_KIND_REPLACES: "replaces",
    manifest_pb2.RELATION_KIND_REVOKES: "revokes",
}
"""Relations to a letter without which this one cannot be acted upon. An answer and a citation stand by themselves."""
_WHY_CLOSED = {
    letter_pb2.DELIVERY_STATE_REFUSED: "was refused, unread: its content stays closed",
    letter_pb2.DELIVERY_STATE_WITHDRAWN: "was withdrawn by its sender before it was accepted: its content stays closed",
}


@dataclass(frozen=True)
class Held:
    """A letter that must be taken in first. `delivery` is "" while it has not come to our body."""

    kind: manifest_pb2.RelationKind.ValueType
    letter: str
    delivery: str

    def __str__(self) -> str:
        earlier = f"held: the letter that it {_WHAT[self.kind]}, {self.delivery or self.letter}, has not "
        if self.delivery:
            return f"{earlier}been taken in yet: accept it first"
        return f"{earlier}come yet: wait for it and accept it first, or ask the sender where it is"


@dataclass(frozen=True)
class Opened:
    """The content of an accepted delivery, every part of it checked against the others. `held`: why not to act yet."""

    manifest: SignedManifest
    documents: tuple[letter_pb2.ContentDocument, ...]
    submission_acceptance: Proven
    consignment_acceptance: Proven
    held: tuple[Held, ...] = ()


class Opener:
    """Opens what one body accepted."""

    def __init__(self, hub: Hub, trust: Trust, directory: Directory) -> None:
        self._hub, self._trust, self._directory = hub, trust, directory

    def opened(self, given: letter_pb2.Delivery) -> Opened:
        """Checks that manifest, signatures, both statements and envelope of a delivery are of one letter.

        Raises RefusedError for one whose content is closed, VerificationError.
        """
        envelope, content = given.envelope, given.content
        if not given.HasField("content"):
            why = _WHY_CLOSED.get(envelope.state, "is not accepted, so its content is closed; accept it first")
            raise RefusedError("NOT_ACCEPTED", f"{envelope.delivery} {why}", code="FAILED_PRECONDITION")
        submitted = self._trust.statement(content.submission_acceptance)
        consigned = self._trust.statement(content.consignment_acceptance)
        registered_at = submitted.says.registered_at.ToDatetime(tzinfo=UTC)
        manifest = self._trust.manifest(content.manifest, list(content.signatures), registered_at)
        sender = manifest.manifest.sender.body
        for signature in manifest.signatures:
            self._directory.check_owner(signature.certificates[0], sender, CERTIFICATE_PURPOSE_SIGN)
        documents = tuple(content.documents)
        check_one_letter(envelope, Opened(manifest, documents, submitted, consigned))
        return Opened(manifest, documents, submitted, consigned, self._held(envelope, manifest.manifest))

    def _held(self, envelope: letter_pb2.Envelope, manifest: manifest_pb2.Manifest) -> tuple[Held, ...]:
        if envelope.recipient.kind != manifest_pb2.RECIPIENT_KIND_TO:
            return ()
        changed = [relation for relation in manifest.relations if relation.letter and relation.kind in _WHAT]
        found = [(relation, self._waiting(relation.letter)) for relation in changed]
        return tuple(Held(relation.kind, relation.letter, name) for relation, name in found if name is not None)

    def _waiting(self, letter: str) -> str | None:
        """The delivery of a letter that waits for our receipt, "" for a letter that has not come, else None."""
        told = read_statements(self._hub, self._trust, letter)
        if any(proven.event is Event.SUBMISSION_ACCEPTANCE for proven in told):  # shown to its sender only
            return None
        came = sorted({proven.subject for proven in told if names.chain_kind(proven.subject) == "delivery"})
        # What was decided a moment ago may not be listed yet: intake knows.
        states = {name: delivery(self._hub, name).envelope.state for name in came}
        waiting = [name for name, state in states.items() if state == letter_pb2.DELIVERY_STATE_AVAILABLE]
        if not came or len(waiting) == len(came):
            return waiting[0] if waiting else ""
        return None


def check_one_letter(envelope: letter_pb2.Envelope, opened: Opened) -> None:
    """Envelope, manifest and the two statements name each other. Raises VerificationError."""
    submitted, consigned, manifest = opened.submission_acceptance, opened.consignment_acceptance, opened.manifest
    place = names.split_delivery(envelope.delivery)[1]
    recipients = [recipient.office for recipient in manifest.manifest.recipients]
    documents_stated = {document.name: document.sha256 for document in consigned.says.documents}
    listed = {document.index: document.sha256 for document in manifest.manifest.documents}
    agreements = {
        "the SubmissionAcceptance": (submitted.event, submitted.subject, submitted.digest)
        == (Event.SUBMISSION_ACCEPTANCE, envelope.letter, envelope.submission_acceptance_sha256),
        "the ConsignmentAcceptance": (consigned.event, consigned.subject)
        == (Event.CONSIGNMENT_ACCEPTANCE, envelope.delivery),
        "the manifest's id": names.letter(manifest.manifest.letter_uuid) == envelope.letter,
        "the manifest's digest": manifest.sha256 == envelope.manifest_sha256 == submitted.says.manifest_sha256,
        "the manifest's recipient": recipients[place - 1 : place] == [envelope.recipient_office],
        "the documents": documents_stated == {doc.document: listed.get(doc.index) for doc in opened.documents},
    }
    wrong = [what for what, agrees in agreements.items() if not agrees]
    if wrong:
        raise VerificationError("CONTENT_DISAGREES", f"{envelope.delivery}: {', '.join(wrong)} is not of this delivery")
