"""What a document is, how it lies in segments, and what an upload must be."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.documents.domain import errors

SEGMENT_BYTES = 8 * 1024 * 1024
"""Of every segment but a document's last."""
FORMAT = 1
"""How bytes lie in S3: as uploaded, in segments. Another encoding is another number."""


class State(StrEnum):
    """Where a document stands; what is being swept exists for nobody."""

    UPLOADING = "UPLOADING"
    INSPECTING = "INSPECTING"
    READY = "READY"
    REJECTED = "REJECTED"
    SWEEPING = "SWEEPING"


@dataclass(frozen=True)
class Content:
    """What an uploader declares: together with the id it names the upload."""

    media_type: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True)
class Document:
    """A row of documents.document. `name` is `documents/{uuid}`, `owner_body` `bodies/{body}`."""

    name: str
    owner_body: str
    content: Content
    state: State
    rejection_reason: str
    rejection_message: str
    pages: int
    created_at: datetime
    retain_until: datetime | None


@dataclass(frozen=True)
class Segment:
    """A stored segment: `sha256` of its bytes, 32 bytes; `version` as S3 named it."""

    document: str
    number: int
    attempt: int
    size_bytes: int
    sha256: bytes
    version: str

    @property
    def key(self) -> str:
        return segment_key(self.document, self.number, self.attempt)


def segment_key(document: str, number: int, attempt: int) -> str:
    """The S3 key of one attempt to store a segment; used once."""
    return f"{document}/{number}/{attempt}"


def segment_size(number: int, size_bytes: int) -> int:
    """Bytes of the `number`-th segment (1-based) of a document of `size_bytes`."""
    return min(SEGMENT_BYTES, size_bytes - (number - 1) * SEGMENT_BYTES)


def check_content(content: Content, *, allowed_media_types: Collection[str], max_bytes: int) -> None:
    """Refuses what will not be taken before a byte of it is. Raises MediaTypeNotAllowed, DocumentTooLarge."""
    if content.media_type not in allowed_media_types:
        allowed = ", ".join(sorted(allowed_media_types))
        raise errors.MediaTypeNotAllowed(media_type=content.media_type, allowed=allowed)
    if content.size_bytes > max_bytes:
        raise errors.DocumentTooLarge(size_bytes=content.size_bytes, max_bytes=max_bytes)


def check_same_upload(document: Document, caller_body: str, content: Content) -> None:
    """An id stands for one uploader and one content. Raises DocumentIdReused."""
    if document.owner_body != caller_body or document.content != content:
        raise errors.DocumentIdReused(document=document.name)


def check_finish(content: Content, size_bytes: int, sha256: bytes) -> None:
    """What the finish says against the header. Raises FinishDiffers."""
    if (size_bytes, sha256) != (content.size_bytes, content.sha256):
        raise errors.FinishDiffers
