"""What intake holds: fields are columns of the tables intake.letter, intake.delivery and intake.recall."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

OPEN, CLOSED = "OPEN", "CLOSED"
CREATED, AVAILABLE, ACCEPTED, REFUSED = "CREATED", "AVAILABLE", "ACCEPTED", "REFUSED"
RETURNED, ANSWERED, WITHDRAWN = "RETURNED", "ANSWERED", "WITHDRAWN"


@dataclass(frozen=True, kw_only=True)
class NewLetter:
    """A letter with its number, about to be stated. Instants in UTC, microseconds; dues in whole seconds."""

    name: str
    request_sha256: bytes
    sender_body: str
    sender_office: str
    sender_certificate_sha256: bytes
    definition: str
    definition_sha256: bytes
    priority: int
    """The number of dabir.common.v1.Priority."""
    classification: int
    """The number of dabir.common.v1.Classification: more is more secret."""
    subject: str
    recipient_count: int
    manifest_sha256: bytes
    documents: list[str]
    """`documents/{uuid}` in the manifest's order."""
    documents_sha256: list[bytes]
    book: str
    sequence: int
    number_text: str
    registered_at: datetime
    acceptance_due: datetime | None
    answer_due: datetime | None
    retain_until: datetime
    close_at: datetime
    urgent_unacked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Letter(NewLetter):
    """A registered letter without its bytes."""

    submission_acceptance: UUID
    submission_acceptance_sha256: bytes
    state: str
    unclaimed: bool
    closed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One letter to one recipient. Instants in UTC, microseconds."""

    name: str
    letter: str
    number: int
    sender_body: str
    sender_office: str
    recipient_body: str
    recipient_office: str
    classification: int
    kind: str
    """`TO` or `COPY`"""
    position: str
    documents: list[int]
    """As in the manifest: indexes of the documents it gets; empty means all."""
    acceptance_needed: bool
    answer_needed: bool
    acceptance_due: datetime | None
    answer_due: datetime | None
    state: str = CREATED
    book: str | None = None
    sequence: int | None = None
    number_text: str | None = None
    available_at: datetime | None = None
    decided_at: datetime | None = None
    decision: UUID | None = None
    reason: int | None = None
    return_until: datetime | None = None
    """Until when it may be returned; set by its acceptance."""
    answered_at: datetime | None = None
    answer: str | None = None
    late_acceptance: bool = False
    late_answer: bool = False
    ended_at: datetime | None = None
    ended_by: UUID | None = None
    """The statement that ended it: returned, answered, withdrawn or, of a granted recall, recall-answered."""
    first_read_at: datetime | None = None
    first_read_by: str | None = None
    """The position of who read it first."""
    recall_answer: int | None = None
    """The number of dabir.common.v1.Verdict."""
    recall_answered_at: datetime | None = None
    recall_answered_by: UUID | None = None
    """The statement of the recall's answer."""


@dataclass(frozen=True, kw_only=True)
class Recall:
    """A registered recall without its bytes."""

    letter: str
    sha256: bytes
    numbers: list[int]
    """Of the deliveries recalled, ascending; all of them written out."""
    statement: UUID
    asked_at: datetime


def granted(delivery: Delivery, letter: NewLetter) -> list[int]:
    """The indexes of the documents that its recipient gets."""
    return delivery.documents or list(range(1, len(letter.documents) + 1))


def is_open(delivery: Delivery) -> bool:
    """Whether its content is open to its recipient: it was accepted, whatever came of it since."""
    return delivery.return_until is not None


def recall_of(delivery: Delivery, recalls: Iterable[Recall]) -> Recall | None:
    """The one of its letter's recalls that names a delivery: at most one does."""
    return next((recall for recall in recalls if delivery.number in recall.numbers), None)
