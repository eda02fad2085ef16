"""Documents up and down: in chunks, from where a broken transfer stopped, the digest checked at the end.

A transfer is tried again for as long as it gets further: `TRIES_WITHOUT_PROGRESS` in a row that moved nothing end it.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dabir.client.errors import RefusedError, UnavailableError, VerificationError
from dabir.client.hub import Hub
from dabir.client.journal import sync_folder
from dabir.documents.v1 import documents_pb2 as pb

CHUNK_BYTES = 256 << 10
TRIES_WITHOUT_PROGRESS = 5
TRANSFER_TIMEOUT_SECONDS = 120.0
"""Deadline of one try, beyond the time its bytes take at `SLOWEST_BYTES_PER_SECOND`."""
SLOWEST_BYTES_PER_SECOND = 128 << 10

Progress = Callable[[int], None]
"""Told how many bytes of the document have been moved so far."""


@dataclass(frozen=True)
class Upload:
    """A document to be uploaded: `name` is `documents/{uuid}`, `file` its bytes."""

    name: str
    file: Path
    media_type: str
    size_bytes: int
    sha256: bytes


def upload(hub: Hub, document: Upload, progress: Progress, *, resumed: bool = False) -> pb.Document:
    """Uploads a document and returns it READY. `resumed`: an earlier run may have sent a part of it.

    Raises RefusedError with the hub's reason for a document that inspection rejects, UnavailableError.
    """
    transfer = _Tries(_timeout_seconds(document.size_bytes))
    offset = _committed(hub, document) if resumed else 0
    while True:
        try:
            return _ready(_upload_from(hub, document, offset, progress, transfer.timeout_seconds))
        except UnavailableError as error:
            transfer.failed(error, offset)
        except RefusedError as error:
            # A stream of ours that broke was still being stored when we asked how far it got: no word on the document.
            if error.reason != "WRONG_OFFSET":
                raise
            transfer.failed(UnavailableError(error.reason, str(error)), offset)
        offset = _committed(hub, document)


def _upload_from(hub: Hub, document: Upload, offset: int, progress: Progress, timeout_seconds: float) -> pb.Document:
    metadata = hub.metadata()
    with hub.errors(metadata):
        parts = _parts(document, offset, progress)
        answer = hub.documents.UploadDocument(parts, timeout=timeout_seconds, metadata=metadata)
        return answer.document


def _parts(document: Upload, offset: int, progress: Progress) -> Iterator[pb.UploadDocumentRequest]:
    size_bytes, sha256 = document.size_bytes, document.sha256
    header = pb.UploadHeader(
        document=document.name, media_type=document.media_type, size_bytes=size_bytes, sha256=sha256
    )
    yield pb.UploadDocumentRequest(header=header)
    progress(offset)
    with document.file.open("rb") as reading:
        reading.seek(offset)
        while data := reading.read(CHUNK_BYTES):
            yield pb.UploadDocumentRequest(chunk=pb.UploadChunk(offset=offset, data=data))
            offset += len(data)
            progress(offset)
    yield pb.UploadDocumentRequest(finish=pb.UploadFinish(size_bytes=size_bytes, sha256=sha256))


def _committed(hub: Hub, document: Upload) -> int:
    """How far an earlier try got; 0 for a document that the hub has not heard of."""
    try:
        return hub.call(hub.documents.QueryUpload, pb.QueryUploadRequest(document=document.name)).committed_bytes
    except RefusedError as error:
        if error.code == "NOT_FOUND":
            return 0
        raise


def _ready(document: pb.Document) -> pb.Document:
    if document.state == pb.DOCUMENT_STATE_READY:
        return document
    if document.state == pb.DOCUMENT_STATE_REJECTED:
        raise RefusedError(
            document.rejection_reason, document.rejection_message, code="REJECTED", metadata={"document": document.name}
        )
    raise UnavailableError("DOCUMENT_NOT_READY", f"{document.name} is still being inspected; try again")


def download(
    hub: Hub, name: str, consignment_acceptance: str, target: Path, size_bytes: int, sha256: bytes, progress: Progress
) -> None:
    """Downloads `documents/{uuid}` to `target`, which appears only when its size and digest are right, and is on the
    disk when this returns.

    A `.part` file left by an earlier run is gone on with. Raises VerificationError if the hub gave other bytes,
    RefusedError, UnavailableError, OSError.
    """
    part = target.with_name(f"{target.name}.part")
    transfer = _Tries(_timeout_seconds(size_bytes))
    while True:
        at = part.stat().st_size if part.exists() else 0
        try:
            if at < size_bytes:
                request = pb.DownloadDocumentRequest(
                    name=name, consignment_acceptance=consignment_acceptance, offset=at
                )
                _download_from(hub, request, part, size_bytes, progress, transfer.timeout_seconds)
            break
        except UnavailableError as error:
            transfer.failed(error, at)
    _check(part, name, size_bytes, sha256)
    with part.open("rb") as whole:
        os.fsync(whole.fileno())  # whoever wrote it: an earlier run may have been killed before it could
    part.replace(target)
    sync_folder(target.parent)


def _download_from(
    hub: Hub,
    request: pb.DownloadDocumentRequest,
    part: Path,
    size_bytes: int,
    progress: Progress,
    timeout_seconds: float,
) -> None:
    """Never writes beyond `size_bytes`: the hub does not say how much of our disk is filled."""
    metadata, at = hub.metadata(), request.offset
    with hub.errors(metadata), part.open("ab") as writing:
        for piece in hub.documents.DownloadDocument(request, timeout=timeout_seconds, metadata=metadata):
            if piece.offset != at:
                raise VerificationError(
                    "WRONG_OFFSET", f"the hub sent byte {piece.offset} of {request.name} where {at} was due; report it"
                )
            if at + len(piece.data) > size_bytes:
                raise VerificationError(
                    "TOO_LONG", f"the hub sent more of {request.name} than the manifest's {size_bytes} bytes; report it"
                )
            writing.write(piece.data)
            at += len(piece.data)
            progress(at)


def _check(part: Path, name: str, size_bytes: int, sha256: bytes) -> None:
    with part.open("rb") as reading:
        digest = hashlib.file_digest(reading, "sha256").digest()
    if (part.stat().st_size, digest) != (size_bytes, sha256):
        part.unlink()
        raise VerificationError(
            "WRONG_DIGEST", f"what the hub gave as {name} is not what the manifest names; try once more, then report it"
        )


class _Tries:
    """Counts tries that moved nothing, and waits between them."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._left = TRIES_WITHOUT_PROGRESS
        self._furthest = -1

    def failed(self, error: UnavailableError, offset: int) -> None:
        """Raises `error` when enough was tried; else returns when it is time to try again."""
        self._left = TRIES_WITHOUT_PROGRESS if offset > self._furthest else self._left - 1
        self._furthest = max(self._furthest, offset)
        if self._left == 0:
            raise error
        time.sleep(error.retry_after_seconds or 0.2 * 2 ** (TRIES_WITHOUT_PROGRESS - self._left))


def _timeout_seconds(size_bytes: int) -> float:
    return TRANSFER_TIMEOUT_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND


def quiet(_moved_bytes: int) -> None:
    """Progress for nobody."""
