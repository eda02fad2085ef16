"""The structure of a PDF (ISO 32000-2), read by qpdf. Signed PDFs are PDFs: they are only read."""

import re
from typing import BinaryIO

import pikepdf

from services.documents.inspection.finding import Finding, Limits, Rejection, reject

_DETAIL_CHARACTERS = 160
_NO_MEMORY = "bad_alloc"
"""What qpdf's message holds when it asked for more memory than the limit."""


def inspect_pdf(file: BinaryIO, limits: Limits) -> Finding:
    """Cross-reference, trailer, page tree and what draws each page; encrypted and damaged files are rejected.

    Without recovery: what qpdf would have to guess, another reader guesses otherwise, and both parties must see the
    same letter. Streamed, not mapped: a mapping would count against the address space.
    """
    try:
        with pikepdf.open(
            file, access_mode=pikepdf.AccessMode.stream, attempt_recovery=False, suppress_warnings=True
        ) as pdf:
            return _inspect(pdf, limits)
    except pikepdf.PasswordError:
        return _encrypted()
    except (pikepdf.PdfError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        # Beside PdfError: pikepdf's answers to a tree that is too deep or holds a number where a dictionary belongs.
        if _NO_MEMORY in str(error):
            raise MemoryError from error
        return _damaged(str(error))


def _inspect(pdf: pikepdf.Pdf, limits: Limits) -> Finding:
    if pdf.is_encrypted:
        # Also what opens with an empty password: the owner's password restricts printing and copying.
        return _encrypted()
    pages = len(pdf.pages)
    if pages == 0:
        return _damaged("it has no page")
    if pages > limits.pages_max:
        return reject(
            Rejection.TOO_MANY_PAGES,
            f"The PDF has {pages} pages; at most {limits.pages_max} are taken. Split it into several documents.",
        )
    for page in pdf.pages:
        _decode_contents(page)
    return Finding(pages=pages)


def _decode_contents(page: pikepdf.Page) -> None:
    """Unpacks what draws the page. Images and attachments are left packed: they may be as large as the file."""
    contents = page.obj.get("/Contents", pikepdf.Array())
    for stream in contents if isinstance(contents, pikepdf.Array) else [contents]:
        if not isinstance(stream, pikepdf.Stream):
            raise TypeError("a page's contents are no stream")
        stream.read_bytes()


def _encrypted() -> Finding:
    return reject(
        Rejection.ENCRYPTED,
        "The PDF is encrypted or restricted by a password, so its recipients may not be able to read it. Save it "
        "without a password and upload it under a new id.",
    )


def _damaged(detail: str) -> Finding:
    # qpdf puts the name of our stream first, and may quote bytes of the file.
    said = re.sub(r"^stream <[^>]*>(?: |: )?", "", detail)
    said = "".join(c if c.isascii() and c.isprintable() else "?" for c in said)[:_DETAIL_CHARACTERS]
    return reject(
        Rejection.DAMAGED,
        f"The PDF is damaged ({said}). Save it again with the program that made it and upload it under a new id.",
    )
