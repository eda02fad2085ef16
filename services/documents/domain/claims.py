"""Whether a letter may claim documents, and how long they may be locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.documents.domain import errors
from services.documents.domain.upload import Content, Document, State
from services.runtime import instants


@dataclass(frozen=True)
class Wanted:
    """A document as a letter's manifest describes it."""

    name: str
    content: Content


@dataclass(frozen=True)
class Judgement:
    """Whether a letter may claim a document: `reason` is empty, or says why not, and `message` what to do."""

    document: str
    reason: str = ""
    message: str = ""


def judge_claim(
    wanted: Wanted, document: Document | None, claimed_by: str | None, *, owner: str, letter: str
) -> Judgement:
    """Whether `letter` of `owner` may claim a document. What is another body's is as absent as what does not exist."""

    def no(reason: str, message: str) -> Judgement:
        return Judgement(wanted.name, reason, message)

    if document is None or document.owner_body != owner:
        return no(
            "DOCUMENT_NOT_FOUND", f"{owner} has no document {wanted.name}. Upload it, then send the letter again."
        )
    if claimed_by is not None and claimed_by != letter:
        return no("DOCUMENT_CLAIMED", f"{wanted.name} belongs to another letter. Upload a copy under a new id.")
    if document.state is State.REJECTED:
        return no("DOCUMENT_REJECTED", f"{wanted.name} was rejected at its upload: {document.rejection_message}")
    for field, reason in (
        ("sha256", "DIGEST_MISMATCH"),
        ("size_bytes", "SIZE_MISMATCH"),
        ("media_type", "MEDIA_TYPE_MISMATCH"),
    ):
        if getattr(document.content, field) != getattr(wanted.content, field):
            return no(
                reason,
                f"The manifest gives another {field} for {wanted.name} than its upload. Correct the manifest and sign "
                f"it again, or upload the document meant under a new id.",
            )
    if document.state is not State.READY:
        return no("DOCUMENT_NOT_READY", f"The upload of {wanted.name} is not finished. Finish it (QueryUpload says how "
                  f"far it got), then send the letter again.")  # fmt: skip
    return Judgement(wanted.name)


def check_distinct(names: Sequence[str]) -> None:
    """A letter lists a document once. Raises DocumentTwice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise errors.DocumentTwice(document=name)


def check_retention(document: Document, until: datetime, now: datetime, max_days: int) -> None:
    """A lock lies ahead and is not absurdly long; one that the document already has may be asked for again.

    Raises RetentionOutOfRange.
    """
    held = document.retain_until is not None and until <= document.retain_until
    if not held and not now < until <= now + timedelta(days=max_days):
        raise errors.RetentionOutOfRange(retain_until=instants.text(until), max_days=max_days)
