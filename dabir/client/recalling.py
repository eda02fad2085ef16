"""Recalls (استرداد): the sender asks, by its seal, for a letter back.

As a receipt, a recall is signed, kept in the journal and then sent: after a kill the same call sends the same bytes.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dabir.client.directory import Directory
from dabir.client.errors import InputError, RefusedError, VerificationError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, SealedEntry
from dabir.client.profile import Profile
from dabir.client.sending import is_final, seal_signer
from dabir.client.trust import Proven, Trust
from dabir.common.v1 import receipt_pb2
from dabir.common.v1.statement_pb2 import Statement
from dabir.directory.v1.directory_pb2 import CERTIFICATE_PURPOSE_SEAL
from dabir.formats import cades
from dabir.formats.receipt import RECALL_TYPE, parse_recall, write_recall
from dabir.formats.statement import Event
from dabir.formats.strict_json import FormatError
from dabir.intake.v1.letter_pb2 import SignedRecall
from dabir.intake.v1.sender_service_pb2 import GetLetterRequest, RecallLetterRequest


@dataclass(frozen=True)
class StatedRecall:
    """A recall with its seal checked, and the statement that the hub made of it."""

    recall: receipt_pb2.Recall
    sha256: bytes
    statement: Proven


def recall_letter(
    profile: Profile, hub: Hub, trust: Trust, journal: Journal, letter: str, reason: str, deliveries: Sequence[str]
) -> StatedRecall:
    """Registers that our body asks for a letter back, or for the deliveries of it that are named.

    Raises InputError, RefusedError, UnavailableError (call again: the same bytes are sent), VerificationError.
    """
    kept = journal.recall(letter, deliveries)
    if kept is not None and parse_recall(kept.data).reason != reason:
        journal.drop_sealed(kept)
        kept = None
    if kept is None:
        data = _write(profile, hub, letter, reason, deliveries)
        signature = cades.sign_detached(data, seal_signer(profile), datetime.now(UTC))
        kept = journal.add_recall(letter, deliveries, data, signature)
    request = RecallLetterRequest(letter=letter, recall=kept.data, signature=kept.signature)
    try:
        answer = hub.call(hub.sender.RecallLetter, request)
    except RefusedError as error:
        if is_final(error):
            journal.drop_sealed(kept)
        raise
    return _answered(trust, letter, kept, answer.statement)


def _answered(trust: Trust, letter: str, kept: SealedEntry, given: Statement) -> StatedRecall:
    stated = trust.statement(given)
    if (stated.event, stated.subject, stated.says.recall_sha256) != (Event.RECALL, letter, kept.sha256):
        said = f"{stated.name} does not state the recall that was sent; keep it, report it"
        raise VerificationError("ANSWER_OF_OTHER_RECALL", said)
    return StatedRecall(parse_recall(kept.data), kept.sha256, stated)


def _write(profile: Profile, hub: Hub, letter: str, reason: str, deliveries: Sequence[str]) -> bytes:
    registered = hub.call(hub.sender.GetLetter, GetLetterRequest(name=letter))
    recall = receipt_pb2.Recall(
        type=RECALL_TYPE,
        hub=profile.hub,
        letter=letter,
        manifest_sha256=hashlib.sha256(registered.manifest).digest(),
        deliveries=sorted(deliveries, key=lambda name: int(name.rpartition("/")[2])),
        reason=reason,
        nonce=secrets.token_bytes(16),
    )
    recall.written_at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    try:
        return write_recall(recall)
    except FormatError as error:
        raise InputError(error.reason, f"the recall cannot be written: {error}") from None


def read_recall(trust: Trust, directory: Directory, letter: str, given: SignedRecall) -> StatedRecall:
    """A recall as the hub gives it, checked: our own or one that came to us. Raises VerificationError."""
    stated = trust.statement(given.statement)
    recall, signature = trust.recall(given.recall, given.signature, stated.stated_at)
    directory.check_owner(signature.certificates[0], stated.says.parties[0].body, CERTIFICATE_PURPOSE_SEAL)
    sha256 = hashlib.sha256(given.recall).digest()
    theirs = (stated.event, stated.subject, stated.says.recall_sha256, stated.says.manifest_sha256)
    if theirs != (Event.RECALL, letter, sha256, recall.manifest_sha256) or recall.letter != letter:
        raise VerificationError(
            "RECALL_DISAGREES", f"{stated.name} does not state the recall given with it; keep both, report it"
        )
    return StatedRecall(recall, sha256, stated)
