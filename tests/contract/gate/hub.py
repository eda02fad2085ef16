"""A server whose servicer does what the test says, behind the real gate."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio

from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import (
    DocumentServiceServicer,
    DocumentServiceStub,
    add_DocumentServiceServicer_to_server,
)
from services.runtime.authentication import Resolver
from services.runtime.config import ServiceConfig
from services.runtime.metrics import Metrics
from services.runtime.server import Server, Service
from tests.contract.harness import Identities, Listed

if TYPE_CHECKING:
    from dabir.documents.v1.documents_pb2_grpc import DocumentServiceAsyncStub  # stands in the stubs' types only

# ruff: noqa: N802 - the methods are named by the proto

MEMBERS = ("interior", "bank")
Act = Callable[[], Coroutine[Any, Any, None]]


async def nothing() -> None:
    """What the servicer does where the test does not say."""


class Documents(DocumentServiceServicer):
    """Does `act` and answers; says what it saw of its streams."""

    def __init__(self) -> None:
        self.act: Act = nothing
        self.calls = 0
        self.offsets: list[int] = []
        self.ended = asyncio.Event()

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Any) -> pb.GetDocumentResponse:
        self.calls += 1
        await self.act()
        return pb.GetDocumentResponse(document=pb.Document(name=request.name))

    async def ConfirmDownload(self, request: pb.ConfirmDownloadRequest, context: Any) -> pb.ConfirmDownloadResponse:
        self.calls += 1
        await self.act()
        return pb.ConfirmDownloadResponse()

    async def QueryUpload(self, request: pb.QueryUploadRequest, context: Any) -> pb.QueryUploadResponse:
        return pb.QueryUploadResponse()

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: Any
    ) -> pb.UploadDocumentResponse:
        try:
            async for request in request_iterator:
                self.offsets.append(request.chunk.offset)
            return pb.UploadDocumentResponse()
        finally:
            self.ended.set()

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, context: Any
    ) -> AsyncIterator[pb.DownloadDocumentResponse]:
        try:
            for offset in range(request.offset, request.offset + request.length):
                yield pb.DownloadDocumentResponse(offset=offset, data=b"\0" * 262_144)
                await self.act()
        finally:
            self.ended.set()


class Hub:
    """The running server and those who call it."""

    def __init__(self, server: Server, port: int, documents: Documents, listed: Listed, identities: Identities) -> None:
        self.server, self.port, self.documents, self.listed, self.identities = (
            server,
            port,
            documents,
            listed,
            identities,
        )
        self._channels = AsyncExitStack()

    async def stub(self, who: str = "interior") -> "DocumentServiceAsyncStub":
        return DocumentServiceStub(await self.channel(who))

    async def channel(self, who: str = "interior") -> grpc.aio.Channel:
        return await self._channels.enter_async_context(self.identities.channel(self.port, who))

    async def close(self) -> None:
        await self._channels.aclose()
        await self.server.stop()


def config_of(identities: Identities, **settings: Any) -> ServiceConfig:
    """`documents`, whom intake and the workers may call."""
    pair = identities.pair("documents")
    config = ServiceConfig(
        hub="log.dabir.example/1",
        source="documents",
        environment="development",
        tls_certificate=pair.certificate,
        tls_key=pair.key,
        tls_roots=identities.pki.root,
        tls_service_issuers=identities.pki.hub_ca,
        metrics_listen="",
        listen="127.0.0.1:0",
        database_url_file=Path("/dev/null"),
        allowed_services=("intake", "worker"),
        stop_grace_seconds=0.2,
    )
    return dataclasses.replace(config, **settings)


@asynccontextmanager
async def running(
    identities: Identities, resolver: Resolver | None = None, metrics: Metrics | None = None, **settings: Any
) -> AsyncIterator[Hub]:
    """A server with these settings; interior and bank are listed with every role of a member."""
    listed, documents = Listed(), Documents()
    for body in MEMBERS:
        listed.add(identities.sha256(body), f"bodies/{body}")
    service = Service("dabir.documents.v1.DocumentService", add_DocumentServiceServicer_to_server, documents)
    server = Server(config_of(identities, **settings), [service], resolver or listed, metrics)
    hub = Hub(server, await server.start(), documents, listed, identities)
    try:
        yield hub
    finally:
        await hub.close()
