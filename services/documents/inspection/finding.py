"""What an inspection says of a file."""

from dataclasses import dataclass
from enum import StrEnum

INSPECTED_MEDIA_TYPES = frozenset(
    {
        "application/pdf", "image/png", "image/jpeg", "image/tiff", "text/plain", "text/xml", "application/xml",
        "application/json",
    }
)  # fmt: skip
"""What the child can look into."""


class Rejection(StrEnum):
    """Why no letter can carry a document: a closed list, as in dabir.documents.v1.Document.rejection_reason."""

    MEDIA_TYPE_MISMATCH = "MEDIA_TYPE_MISMATCH"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    DAMAGED = "DAMAGED"
    ENCRYPTED = "ENCRYPTED"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    INSPECTION_LIMIT = "INSPECTION_LIMIT"


@dataclass(frozen=True)
class Finding:
    """A file is sound if `rejection` is None; else `message` says what is wrong and what to do."""

    rejection: Rejection | None = None
    message: str = ""
    pages: int = 0
    """Pages of a PDF, frames of an image; 0 where that means nothing."""


@dataclass(frozen=True)
class Limits:
    """What one file may cost and hold."""

    memory_bytes: int
    """Address space of the child, interpreter included."""
    cpu_seconds: int
    """Processor time for one file."""
    time_seconds: float
    """Wall time for one file."""
    pages_max: int
    image_pixels_max: int
    """Of one page of an image."""


def reject(rejection: Rejection, message: str) -> Finding:
    """A finding against the file."""
    return Finding(rejection, message)


def too_costly(what: str) -> Finding:
    """The finding for a file that cannot be looked into within the limits."""
    return reject(
        Rejection.INSPECTION_LIMIT,
        f"The document cannot be inspected within the limits ({what}): unpacked it is far larger than it looks, or it "
        f"is made to be costly. Save it in a simpler form and upload it under a new id.",
    )
