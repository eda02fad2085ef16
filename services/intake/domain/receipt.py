"""What a receipt must be, and what it may still decide: a verdict that comes second decides nothing."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from dabir.common.v1 import receipt_pb2 as pb
from dabir.common.v1.receipt_pb2 import Receipt, ReturnReason, Verdict
from services.intake.domain import errors, receipt_errors
from services.intake.domain.definition import Definition
from services.intake.domain.model import ACCEPTED, AVAILABLE, Delivery, Letter, Recall, granted
from services.runtime import instants
from services.runtime.errors import FieldViolation

RECALL_VERDICTS = (pb.VERDICT_RECALL_GRANTED, pb.VERDICT_RECALL_REFUSED)


def check_receipt(
    receipt: Receipt, verdicts: Collection[Verdict.ValueType], delivery: Delivery, letter: Letter, *, hub: str
) -> None:
    """That a receipt is for this delivery and this call. Raises WrongHub, VerdictWrong, ReceiptMismatch."""
    if receipt.hub != hub:
        raise errors.WrongHub(given=receipt.hub, hub=hub)
    if receipt.verdict not in verdicts:
        wanted = " or ".join(Verdict.Name(verdict) for verdict in verdicts)
        raise receipt_errors.VerdictWrong(given=Verdict.Name(receipt.verdict), wanted=wanted)
    fields = {
        "delivery": receipt.delivery == delivery.name,
        "letter": receipt.letter == letter.name,
        "manifestSha256": receipt.manifest_sha256 == letter.manifest_sha256,
        "submissionAcceptanceSha256": receipt.submission_acceptance_sha256 == letter.submission_acceptance_sha256,
        "inNumber": (receipt.in_number.book, receipt.in_number.sequence) == (delivery.book, delivery.sequence),
    }
    wrong = [field for field, right in fields.items() if not right]
    if wrong:
        violations = [FieldViolation(f"receipt.{field}", "Take it from the envelope.") for field in wrong]
        raise receipt_errors.ReceiptMismatch(field=wrong[0], delivery=delivery.name, field_violations=violations)


def check_content(receipt: Receipt, delivery: Delivery, letter: Letter, definition: Definition) -> None:
    """What the definition permits, and what was downloaded.

    Raises RefusalReasonNotPermitted, ReturnReasonNotPermitted, ReturnedDocumentWrong.
    """
    given = ReturnReason.Name(receipt.reason)
    if receipt.verdict == pb.VERDICT_REFUSED and receipt.reason not in definition.demands.refusal_reasons:
        raise receipt_errors.RefusalReasonNotPermitted(given=given, definition=definition.name)
    if receipt.verdict == pb.VERDICT_RETURNED and receipt.reason not in definition.demands.return_reasons:
        raise receipt_errors.ReturnReasonNotPermitted(given=given, definition=definition.name)
    digests = {index: letter.documents_sha256[index - 1] for index in granted(delivery, letter)}
    for document in receipt.documents:
        if digests.get(document.index) != document.sha256:
            raise receipt_errors.ReturnedDocumentWrong(index=document.index, delivery=delivery.name)


def may_decide(receipt: Receipt, delivery: Delivery, recall: Recall | None) -> bool:
    """Whether it decides, under the delivery's lock; if not, the delivery is decided by now.

    `recall`: the one that names the delivery. Raises NotAccepted, NoRecall, ReceiptMismatch.
    """
    if receipt.verdict in (pb.VERDICT_ACCEPTED, pb.VERDICT_REFUSED):
        return delivery.state == AVAILABLE
    if delivery.state == AVAILABLE:
        raise receipt_errors.NotAccepted(delivery=delivery.name, state=delivery.state)
    if receipt.verdict == pb.VERDICT_RETURNED:
        return delivery.state == ACCEPTED
    if recall is None:
        raise receipt_errors.NoRecall(delivery=delivery.name)
    if receipt.recall_sha256 != recall.sha256:
        violation = FieldViolation("receipt.recallSha256", "Take it from the recall of GetDelivery.")
        raise receipt_errors.ReceiptMismatch(field="recallSha256", delivery=delivery.name, field_violations=[violation])
    return delivery.state == ACCEPTED and delivery.recall_answer is None


def check_window(delivery: Delivery, now: datetime) -> None:
    """That an accepted delivery may still be returned. Raises ReturnWindowOver."""
    until = delivery.return_until
    if until is None or now >= until:
        said = instants.text(until) if until else "never"
        raise receipt_errors.ReturnWindowOver(delivery=delivery.name, until=said)


def outcome(verdict: Verdict.ValueType, delivery: Delivery) -> UUID | None:
    """The jti of the statement that a receipt with `verdict` is answered with, whoever decided."""
    if verdict in (pb.VERDICT_ACCEPTED, pb.VERDICT_REFUSED):
        return delivery.decision or delivery.ended_by
    if verdict == pb.VERDICT_RETURNED:
        return delivery.ended_by or delivery.decision
    return delivery.recall_answered_by or delivery.ended_by or delivery.decision
