"""What intake holds of a letter, a delivery and a receipt. Fields are the columns (infra/schema/004_intake.sql)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dabir.common.v1 import manifest_pb2 as manifests
from services.runtime.identity import Role

OPEN, CLOSED = "OPEN", "CLOSED"
CREATED, AVAILABLE, ACCEPTED, REFUSED = "CREATED", "AVAILABLE", "ACCEPTED", "REFUSED"
RETURNED, ANSWERED, WITHDRAWN = "RETURNED", "ANSWERED", "WITHDRAWN"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A registered letter without its bytes. Instants in UTC, microseconds."""

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
    book: str
    sequence: int
    number_text: str
    registered_at: datetime
    acceptance_due: datetime | None
    answer_due: datetime | None
    retain_until: datetime
    close_at: datetime
    urgent_unacked_at: datetime | None
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
    answer_needed: bool
    acceptance_due: datetime | None
    answer_due: datetime | None
    granted: list[int]
    state: str
    book: str | None
    sequence: int | None
    number_text: str | None
    available_at: datetime | None
    decided_at: datetime | None
    decision: UUID | None
    reason: int | None
    return_until: datetime | None
    answered_at: datetime | None
    answer: str | None
    late_acceptance: bool
    late_answer: bool


def clearance(roles: Collection[Role]) -> int:
    """The most secret classification that a certificate with these roles may deal with."""
    if Role.CLEARANCE_HIGHLY_CONFIDENTIAL in roles:
        return manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL
    if Role.CLEARANCE_CONFIDENTIAL in roles:
        return manifests.CLASSIFICATION_CONFIDENTIAL
    return manifests.CLASSIFICATION_NORMAL
