"""What members call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceServicer
from dabir.formats import names
from services.documents import store
from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.download import Acceptance, may_read, resolve_range
from services.documents.domain.upload import Content, Document, check_content
from services.documents.handover import Handover
from services.documents.seals import Seals
from services.documents.servicer.answers import document_answer
from services.documents.transfer import Chunk, Downloads, Finish, Places, Uploads
from services.runtime.database import Connection, Pool
from services.runtime.errors import DabirError
from services.runtime.identity import Caller, caller

_DRAIN_SECONDS = 2.0


class DocumentServicer(DocumentServiceServicer):
    """Upload, question, download, confirmation."""

    def __init__(
        self,
        config: DocumentsConfig,
        pool: Pool,
        uploads: Uploads,
        downloads: Downloads,
        seals: Seals,
        handover: Handover,
    ) -> None:
        self._config = config
        self._pool = pool
        self._uploads = uploads
        self._downloads = downloads
        self._seals = seals
        self._handover = handover
        self._places = Places(config.transfers_max, config.transfers_per_body)

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: object
    ) -> pb.UploadDocumentResponse:
        messages = aiter(request_iterator)
        try:
            document = await self._upload(messages)
        except DabirError:
            await _drain(messages)
            raise
        await _drain(messages)
        return pb.UploadDocumentResponse(document=document_answer(document))

    async def _upload(self, messages: AsyncIterator[pb.UploadDocumentRequest]) -> Document:
        """Raises UploadOutOfOrder, TransfersBusy and what check_content and Uploads.take raise."""
        first = await anext(messages, pb.UploadDocumentRequest())
        if first.WhichOneof("part") != "header":
            raise errors.UploadOutOfOrder(found=first.WhichOneof("part") or "nothing")
        header = first.header
        content = Content(header.media_type, header.size_bytes, header.sha256)
        check_content(
            content,
            allowed_media_types=self._config.allowed_media_types,
            max_bytes=self._config.document_max_bytes,
        )
        who = caller()
        with self._places.taken(who.body):
            return await self._uploads.take(who.body, who.clearance, header.document, content, _parts(messages))

    async def QueryUpload(self, request: pb.QueryUploadRequest, context: object) -> pb.QueryUploadResponse:
        document = await self._own(request.document)
        return pb.QueryUploadResponse(
            committed_bytes=await self._uploads.committed_bytes(document), document=document_answer(document)
        )

    async def GetDocument(self, request: pb.GetDocumentRequest, context: object) -> pb.GetDocumentResponse:
        return pb.GetDocumentResponse(document=document_answer(await self._own(request.name)))

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, context: object
    ) -> AsyncIterator[pb.DownloadDocumentResponse]:
        document = await self._readable(request.name, request.consignment_acceptance)
        wanted = resolve_range(request.offset, request.length, document.content.size_bytes)
        described: Document | None = document
        with self._places.taken(caller().body):
            async for chunk in self._downloads.send(document, wanted):
                yield pb.DownloadDocumentResponse(
                    offset=chunk.offset,
                    data=chunk.data,
                    document=document_answer(described) if described is not None else None,
                )
                described = None

    async def ConfirmDownload(self, request: pb.ConfirmDownloadRequest, context: object) -> pb.ConfirmDownloadResponse:
        confirmed = await self._handover.confirm(
            caller(), request.document, request.consignment_acceptance, request.sha256
        )
        return pb.ConfirmDownloadResponse(
            outstanding=confirmed.outstanding, content_handover=confirmed.content_handover
        )

    async def _own(self, name: str) -> Document:
        """Raises DocumentNotFound."""
        names.split_document(name, "name")
        async with self._pool.connection() as connection:
            document = await store.find_own(connection, caller().body, caller().clearance, name)
        if document is None:
            raise errors.DocumentNotFound(document=name)
        return document

    async def _readable(self, name: str, jws: str) -> Document:
        """The document, by the acceptance shown or as the caller's own. Raises what may_read and Seals.verify raise."""
        names.split_document(name, "name")
        who, acceptance = caller(), None
        if jws:
            acceptance = await self._seals.verify(jws, who.body)
        async with self._pool.connection() as connection:
            return may_read(await self._find(connection, name, who, acceptance), name, who.body, acceptance)

    @staticmethod
    async def _find(connection: Connection, name: str, who: Caller, acceptance: Acceptance | None) -> Document | None:
        if acceptance is None:
            return await store.find_own(connection, who.body, who.clearance, name)
        granted = acceptance.documents.get(name, b"")
        return await store.find_granted(connection, who.body, who.clearance, name, granted)


async def _parts(messages: AsyncIterator[pb.UploadDocumentRequest]) -> AsyncIterator[Chunk | Finish]:
    """The stream after its header. Raises UploadOutOfOrder."""
    async for message in messages:
        kind = message.WhichOneof("part")
        if kind == "chunk":
            yield Chunk(message.chunk.offset, message.chunk.data)
        elif kind == "finish":
            yield Finish(message.finish.size_bytes, message.finish.sha256)
        else:
            raise errors.UploadOutOfOrder(found=kind or "nothing")


async def _drain(messages: AsyncIterator[pb.UploadDocumentRequest]) -> None:
    """Reads for a moment what the client still sends.

    A client that is answered while it sends may take the answer for a broken stream: grpc.aio then says INTERNAL.
    """
    with suppress(TimeoutError, DabirError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in messages:
                pass
