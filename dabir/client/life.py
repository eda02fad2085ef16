"""A letter's life as the ledger tells it: every statement our body may see, the receipts behind them, each checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from dabir.client.chains import Gap, gaps
from dabir.client.directory import Directory
from dabir.client.errors import VerificationError
from dabir.client.hub import Hub
from dabir.client.mailbox import delivery as received
from dabir.client.mailbox import read_statements
from dabir.client.recalling import StatedRecall, read_recall
from dabir.client.trust import Proven, SealedReceipt, Trust
from dabir.common.v1 import receipt_pb2
from dabir.directory.v1.directory_pb2 import CERTIFICATE_PURPOSE_SEAL
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import SignedReceipt
from dabir.intake.v1.sender_service_pb2 import GetLetterRequest, GetReceiptRequest

VERDICTS = {
    Event.CONSIGNMENT_ACCEPTANCE: (receipt_pb2.VERDICT_ACCEPTED,),
    Event.CONSIGNMENT_REJECTION: (receipt_pb2.VERDICT_REFUSED,),
    Event.RETURNED: (receipt_pb2.VERDICT_RETURNED,),
    Event.RECALL_ANSWERED: (receipt_pb2.VERDICT_RECALL_GRANTED, receipt_pb2.VERDICT_RECALL_REFUSED),
}
"""What a receipt may say where the hub states the event."""


@dataclass(frozen=True)
class StatedReceipt:
    """A receipt and the statement that the hub made of it."""

    receipt: SealedReceipt
    statement: Proven


@dataclass(frozen=True)
class Life:
    """What the ledger shows our body of a letter or delivery. `gaps`: places where the chains do not hold."""

    name: str
    statements: tuple[Proven, ...]
    receipts: tuple[StatedReceipt, ...]
    recalls: tuple[StatedRecall, ...]
    gaps: tuple[Gap, ...]


def read_life(hub: Hub, trust: Trust, directory: Directory, name: str) -> Life:
    """The life of a letter that our body sent, or of a delivery that came to it.

    Raises RefusedError, VerificationError.
    """
    told = read_statements(hub, trust, name)
    decided = sorted({proven.subject for proven in told if proven.event in VERDICTS})
    found = [stated for delivery in decided for stated in read_receipts(hub, trust, directory, delivery)]
    recalls = _recalls(hub, trust, directory, name)
    return Life(name, tuple(told), tuple(found), tuple(recalls), tuple(_gaps(hub, name, told)))


def _recalls(hub: Hub, trust: Trust, directory: Directory, name: str) -> list[StatedRecall]:
    """Those of a letter of ours, or the one that an accepted delivery of ours is asked back with."""
    if names.chain_kind(name) == "letter":
        given = list(hub.call(hub.sender.GetLetter, GetLetterRequest(name=name)).recalls)
        letter = name
    else:
        came = received(hub, name)
        given, letter = ([came.recall] if came.HasField("recall") else []), came.envelope.letter
    return [read_recall(trust, directory, letter, one) for one in given]


def read_receipts(hub: Hub, trust: Trust, directory: Directory, delivery: str) -> list[StatedReceipt]:
    """Every receipt of a delivery, checked against the statement of it. Raises RefusedError, VerificationError."""
    answer = hub.call(hub.sender.GetReceipt, GetReceiptRequest(delivery=delivery))
    return [_receipt(trust, directory, delivery, signed) for signed in answer.receipts]


def _receipt(trust: Trust, directory: Directory, delivery: str, signed: SignedReceipt) -> StatedReceipt:
    stated = trust.statement(signed.statement)
    says = stated.says
    sealed = trust.receipt(signed.receipt, signed.signature, stated.stated_at)
    directory.check_owner(sealed.signature.certificates[0], says.parties[-1].body, CERTIFICATE_PURPOSE_SEAL)
    ours = (delivery, delivery, sealed.sha256, [sealed.signature.sha256])
    theirs = (
        sealed.receipt.delivery,
        stated.subject,
        says.receipt_sha256,
        [signature.file_sha256 for signature in says.signatures],
    )
    if ours != theirs or not agree(sealed.receipt, stated):
        raise VerificationError(
            "RECEIPT_DISAGREES", f"{stated.name} does not state the receipt given with it; keep both, report it"
        )
    return StatedReceipt(sealed, stated)


def agree(receipt: receipt_pb2.Receipt, stated: Proven) -> bool:
    """Whether verdict, reason and what was decided on are those that are stated."""
    says = stated.says
    if receipt.verdict not in VERDICTS.get(stated.event, ()):
        return False
    if stated.event is Event.RECALL_ANSWERED:
        verdict = receipt_pb2.Verdict.Name(receipt.verdict)
        return (says.reason, says.recall_sha256) == (verdict, receipt.recall_sha256)
    reason = receipt_pb2.ReturnReason.Name(receipt.reason) if receipt.reason else ""
    return (says.reason, says.manifest_sha256) == (reason, receipt.manifest_sha256)


def _gaps(hub: Hub, name: str, told: Sequence[Proven]) -> list[Gap]:
    """Of the letter's and deliveries' own chains. Books are judged over a body's whole feed, not over one letter."""
    begins_from = {}
    if names.chain_kind(name) == "delivery":  # its recipient sees the letter's registration in the envelope only
        begins_from[name] = received(hub, name).envelope.submission_acceptance_sha256
    return gaps(told, first_digests=begins_from, judged=lambda chain: names.chain_kind(chain) in ("letter", "delivery"))
