"""What intake holds → what callers see."""

from collections.abc import Sequence
from datetime import datetime

from dabir.common.v1.manifest_pb2 import Classification, Priority, Recipient, RecipientKind
from dabir.common.v1.receipt_pb2 import ReturnReason, Verdict
from dabir.intake.v1 import letter_pb2 as pb
from dabir.intake.v1.internal_service_pb2 import CloseLetterResponse, DeliveryPlan, LetterPlan
from services.intake.domain import delivery as rules
from services.intake.domain import recall as recall_rules
from services.intake.domain.definition import Definition
from services.intake.domain.model import RETURNED, WITHDRAWN, Delivery, Letter, Recall, recall_of
from services.runtime.instants import optional_timestamp, timestamp


def letter(row: Letter) -> pb.Letter:
    """A letter, as its sender sees it."""
    return pb.Letter(
        name=row.name,
        state=_letter_state(row.state),
        unclaimed=row.unclaimed,
        registry_number=_number(row.book, row.sequence, row.number_text),
        registered_at=timestamp(row.registered_at),
        closed_at=optional_timestamp(row.closed_at),
        sender_office=row.sender_office,
        definition=row.definition,
        priority=Priority.ValueType(row.priority),
        classification=Classification.ValueType(row.classification),
        subject=row.subject,
        manifest_sha256=row.manifest_sha256,
        acceptance_due=optional_timestamp(row.acceptance_due),
        answer_due=optional_timestamp(row.answer_due),
        recipient_count=row.recipient_count,
    )


def sent_delivery(row: Delivery, recall: Recall | None) -> pb.SentDelivery:
    """A delivery, as the letter's sender sees it, with the recall that names it."""
    return pb.SentDelivery(
        name=row.name,
        recipient_office=row.recipient_office,
        kind=_kind(row.kind),
        state=_delivery_state(row.state),
        times=_times(row),
        reason=ReturnReason.ValueType(row.reason or 0),
        answer=row.answer or "",
        first_reading=_first_reading(row),
        recall=_recall_progress(row, recall),
    )


def envelope(row: Delivery, its_letter: Letter, recall: Recall | None) -> pb.Envelope:
    """What a recipient sees before it signs; `recall`: the one that names the delivery."""
    own = Recipient(
        office=row.recipient_office,
        position=row.position,
        kind=_kind(row.kind),
        documents=row.documents,
        acceptance_needed=row.acceptance_needed,
        answer_needed=row.answer_needed,
    )
    return pb.Envelope(
        delivery=row.name,
        letter=row.letter,
        sender_office=row.sender_office,
        recipient_office=row.recipient_office,
        in_number=_number(row.book, row.sequence, row.number_text),
        registry_number=_number(its_letter.book, its_letter.sequence, its_letter.number_text),
        registered_at=timestamp(its_letter.registered_at),
        priority=Priority.ValueType(its_letter.priority),
        classification=Classification.ValueType(row.classification),
        recipient=own,
        manifest_sha256=its_letter.manifest_sha256,
        submission_acceptance_sha256=its_letter.submission_acceptance_sha256,
        state=_delivery_state(row.state),
        times=_times(row),
        definition=its_letter.definition,
        reason=ReturnReason.ValueType(row.reason or 0),
        answer=row.answer or "",
        first_reading=_first_reading(row),
        recall=_recall_progress(row, recall),
    )


def letter_plan(row: Letter, recalls: Sequence[Recall], deliveries: list[DeliveryPlan], sequence: int) -> LetterPlan:
    """Where a letter stands and what is to come: no content. `sequence`: of the last statement in its own chain."""
    return LetterPlan(
        letter=row.name,
        state=_letter_state(row.state),
        sender_body=row.sender_body,
        registry_number=row.number_text,
        definition=row.definition,
        priority=Priority.ValueType(row.priority),
        registered_at=timestamp(row.registered_at),
        documents=row.documents,
        retain_until=timestamp(row.retain_until),
        close_at=timestamp(row.close_at),
        urgent_unacked_at=optional_timestamp(row.urgent_unacked_at),
        deliveries=deliveries,
        recalls_sha256=[recall.sha256 for recall in recalls],
        sequence=sequence,
    )


def delivery_plan(
    row: Delivery, definition: Definition, recalls: Sequence[Recall], sequence: int, now: datetime
) -> DeliveryPlan:
    """Where a delivery stands and what is to come. `sequence`: of the last statement in its chain."""
    recall = recall_of(row, recalls)
    return DeliveryPlan(
        delivery=row.name,
        recipient_body=row.recipient_body,
        kind=_kind(row.kind),
        state=_delivery_state(row.state),
        times=_times(row),
        answer_needed=row.answer_needed,
        remind_at=[timestamp(at) for at in rules.reminders(row, definition, now)],
        return_until=optional_timestamp(row.return_until),
        sequence=sequence,
        recall_pending=recall_rules.is_pending(row, recalls),
        recall_asked=recall_rules.is_asked(row, recalls),
        recalled_at=optional_timestamp(recall.asked_at if recall else None),
        recall_answered_at=optional_timestamp(row.recall_answered_at),
    )


def closing(judged: rules.Closing) -> CloseLetterResponse:
    """Whether a letter closed, and what keeps it open."""
    return CloseLetterResponse(
        state=pb.LETTER_STATE_CLOSED if judged.closes else pb.LETTER_STATE_OPEN,
        waiting_deliveries=judged.waiting,
        next_at=optional_timestamp(judged.next_at),
    )


def letter_state(state: pb.LetterState.ValueType) -> str:
    """The stored state of a filter; empty for all."""
    return pb.LetterState.Name(state).removeprefix("LETTER_STATE_") if state else ""


def delivery_state(state: pb.DeliveryState.ValueType) -> str:
    """The stored state of a filter; empty for all."""
    return pb.DeliveryState.Name(state).removeprefix("DELIVERY_STATE_") if state else ""


def _times(row: Delivery) -> pb.DeliveryTimes:
    return pb.DeliveryTimes(
        available_at=optional_timestamp(row.available_at),
        decided_at=optional_timestamp(row.decided_at),
        answered_at=optional_timestamp(row.answered_at),
        acceptance_due=optional_timestamp(row.acceptance_due),
        answer_due=optional_timestamp(row.answer_due),
        late_acceptance=row.late_acceptance,
        late_answer=row.late_answer,
        returned_at=optional_timestamp(row.ended_at) if row.state == RETURNED else None,
        withdrawn_at=optional_timestamp(row.ended_at) if row.state == WITHDRAWN else None,
        return_until=optional_timestamp(row.return_until),
    )


def _first_reading(row: Delivery) -> pb.Reading | None:
    if row.first_read_at is None:
        return None
    return pb.Reading(position=row.first_read_by or "", read_at=timestamp(row.first_read_at))


def _recall_progress(row: Delivery, recall: Recall | None) -> pb.RecallProgress | None:
    if recall is None:
        return None
    return pb.RecallProgress(
        sha256=recall.sha256,
        asked_at=timestamp(recall.asked_at),
        verdict=Verdict.ValueType(row.recall_answer or 0),
        answered_at=optional_timestamp(row.recall_answered_at),
    )


def _number(book: str | None, sequence: int | None, text: str | None) -> pb.RegistryNumber:
    return pb.RegistryNumber(book=book or "", sequence=sequence or 0, text=text or "")


def _letter_state(state: str) -> pb.LetterState.ValueType:
    return pb.LetterState.Value(f"LETTER_STATE_{state}")


def _delivery_state(state: str) -> pb.DeliveryState.ValueType:
    return pb.DeliveryState.Value(f"DELIVERY_STATE_{state}")


def _kind(kind: str) -> RecipientKind.ValueType:
    return RecipientKind.Value(f"RECIPIENT_KIND_{kind}")
