"""What a body's system sends to documents, and what it is refused with."""

import hashlib
import os
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from dabir.documents.v1 import documents_pb2 as pb
from dabir.formats import names
from services.documents.domain.upload import SEGMENT_BYTES
from services.runtime.channel import reason_of
from tests.unit.documents import files

if TYPE_CHECKING:  # they exist for the type checker alone
    from dabir.documents.v1.documents_pb2_grpc import DocumentServiceAsyncStub

DEADLINE_SECONDS = 120.0
CHUNK_BYTES = 256 * 1024


def new_document() -> str:
    return names.document(str(uuid.uuid4()))


def new_letter() -> str:
    return names.letter(str(uuid.uuid4()))


class Member:
    """A body's system: uploads and downloads as a client does."""

    def __init__(self, stub: "DocumentServiceAsyncStub") -> None:
        self.stub = stub

    async def upload(
        self,
        data: bytes,
        *,
        name: str = "",
        media_type: str = "application/pdf",
        start: int = 0,
        until: int | None = None,
        **header: Any,
    ) -> pb.Document:
        """Uploads `data`, or its bytes from `start`; with `until` only up to there, and without a finish."""
        parts = upload_parts(data, name or new_document(), media_type, start=start, until=until, **header)
        return (await self.stub.UploadDocument(iter(parts), timeout=DEADLINE_SECONDS)).document

    async def query(self, name: str) -> pb.QueryUploadResponse:
        return await self.stub.QueryUpload(pb.QueryUploadRequest(document=name), timeout=DEADLINE_SECONDS)

    async def get(self, name: str) -> pb.Document:
        return (await self.stub.GetDocument(pb.GetDocumentRequest(name=name), timeout=DEADLINE_SECONDS)).document

    async def download(self, name: str, acceptance: str = "", offset: int = 0, length: int = 0) -> bytes:
        """The bytes; checks offsets, chunk sizes and that the first message says what is sent."""
        request = pb.DownloadDocumentRequest(name=name, consignment_acceptance=acceptance, offset=offset, length=length)
        messages = [m async for m in self.stub.DownloadDocument(request, timeout=DEADLINE_SECONDS)]
        assert messages[0].document.name == name
        position = offset
        for message in messages:
            assert message.offset == position
            assert len(message.data) <= CHUNK_BYTES
            position += len(message.data)
        return b"".join(message.data for message in messages)

    async def confirm(self, name: str, acceptance: str, sha256: bytes) -> pb.ConfirmDownloadResponse:
        request = pb.ConfirmDownloadRequest(document=name, consignment_acceptance=acceptance, sha256=sha256)
        return await self.stub.ConfirmDownload(request, timeout=DEADLINE_SECONDS)


def upload_parts(
    data: bytes, name: str, media_type: str, *, start: int = 0, until: int | None = None, **header: Any
) -> list[pb.UploadDocumentRequest]:
    """The messages of an upload; `header` replaces what its header says."""
    said = {"document": name, "media_type": media_type, "size_bytes": len(data), "sha256": sha256(data), **header}
    parts = [pb.UploadDocumentRequest(header=pb.UploadHeader(**said))]
    end = len(data) if until is None else until
    for offset in range(start, end, CHUNK_BYTES):
        chunk = pb.UploadChunk(offset=offset, data=data[offset : min(offset + CHUNK_BYTES, end)])
        parts.append(pb.UploadDocumentRequest(chunk=chunk))
    if until is None:
        finish = pb.UploadFinish(size_bytes=said["size_bytes"], sha256=said["sha256"])
        parts.append(pb.UploadDocumentRequest(finish=finish))
    return parts


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def refusal(call: Any) -> tuple[str, str]:
    """Code and reason of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, reason_of(caught.value)


def several_segments(count: int, more: int = 1000) -> bytes:
    """A PDF of `count` full segments and about `more` bytes."""
    bare = len(files.pdf(attachment=b"x"))
    return files.pdf(attachment=os.urandom(count * SEGMENT_BYTES + more - bare))
