"""What a recall must be to be registered, and where it stands with each delivery it names."""

from collections.abc import Collection, Iterable
from datetime import datetime

from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats import names
from services.intake.domain import errors, receipt_errors
from services.intake.domain.model import ACCEPTED, AVAILABLE, CLOSED, CREATED, Delivery, Letter, Recall, recall_of
from services.runtime.errors import FieldViolation

RECALLS_MAX = 8


def check_recall(said: receipts.Recall, letter: Letter, *, hub: str) -> None:
    """That a recall is for this hub and letter. Raises WrongHub, RecallMismatch, DeliveryNotFound."""
    if said.hub != hub:
        raise errors.WrongHub(given=said.hub, hub=hub)
    fields = {"letter": said.letter == letter.name, "manifestSha256": said.manifest_sha256 == letter.manifest_sha256}
    wrong = [field for field, right in fields.items() if not right]
    if wrong:
        violations = [FieldViolation(f"recall.{field}", "Take it from the letter.") for field in wrong]
        raise receipt_errors.RecallMismatch(field=wrong[0], letter=letter.name, field_violations=violations)
    if beyond := [number for number in numbers(said, letter) if number > letter.recipient_count]:
        raise errors.DeliveryNotFound(delivery=names.delivery(letter.name, beyond[0]))


def numbers(said: receipts.Recall, letter: Letter) -> list[int]:
    """Of the deliveries that it recalls, ascending: those it names, or all."""
    named = [names.split_delivery(name)[1] for name in said.deliveries]
    return named or list(range(1, letter.recipient_count + 1))


def check_new(wanted: Collection[int], letter: Letter, recalls: Collection[Recall]) -> None:
    """That a further recall may be registered. Raises LetterClosed, DeliveryRecalled, TooManyRecalls."""
    if letter.state == CLOSED:
        raise receipt_errors.LetterClosed(letter=letter.name)
    if twice := sorted({number for recall in recalls for number in recall.numbers} & set(wanted)):
        raise receipt_errors.DeliveryRecalled(delivery=names.delivery(letter.name, twice[0]))
    if len(recalls) >= RECALLS_MAX:
        raise receipt_errors.TooManyRecalls(letter=letter.name, allowed=RECALLS_MAX)


def is_pending(delivery: Delivery, recalls: Iterable[Recall]) -> bool:
    """Whether a recall is still to withdraw it: whoever holds its lock next does."""
    return pending_since(delivery, recalls) is not None


def pending_since(delivery: Delivery, recalls: Iterable[Recall]) -> datetime | None:
    """When a recall was asked that is still to withdraw it."""
    found = recall_of(delivery, recalls)
    return found.asked_at if found is not None and delivery.state in (CREATED, AVAILABLE) else None


def is_asked(delivery: Delivery, recalls: Iterable[Recall]) -> bool:
    """Whether its recipient is still to answer a recall."""
    return delivery.state == ACCEPTED and delivery.recall_answer is None and recall_of(delivery, recalls) is not None
