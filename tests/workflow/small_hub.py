"""The workers' neighbours for tests of workflows: real gRPC servers over a real ledger, with the real evidence.

Intake, documents and notifications are small here: their real contract, over state that a test reads and changes. What
these tests need is that a neighbour refuses, is out or says something unusable on demand. The line with all real
services stands in tests/integration.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio

from dabir.documents.v1 import documents_pb2 as documents
from dabir.documents.v1.documents_pb2_grpc import (
    DocumentInternalServiceServicer,
    add_DocumentInternalServiceServicer_to_server,
)
from dabir.evidence.v1.evidence_pb2_grpc import add_EvidenceInternalServiceServicer_to_server
from dabir.intake.v1.internal_service_pb2_grpc import (
    add_IntakeInternalServiceServicer_to_server,
)
from dabir.notifications.v1 import notifications_pb2 as notifications
from dabir.notifications.v1.notifications_pb2_grpc import (
    NotificationInternalServiceServicer,
    add_NotificationInternalServiceServicer_to_server,
)
from services.evidence import sequencer
from services.evidence.servicer import EvidenceInternalServicer
from services.runtime.database import Pool
from services.runtime.error_mapping import status_of
from services.runtime.errors import DabirError, FailedPrecondition
from tests.workflow.small_intake import LetterNotFound, OutageOrdered, RefusalOrdered, SmallIntake, now, stamp


class LinkPaused(FailedPrecondition):
    reason = "LINK_PAUSED"
    template = "The link is paused."


@dataclass
class Faults(grpc.aio.ServerInterceptor):
    """Counts calls by method and lets a test order what a method answers instead."""

    calls: Counter[str] = field(default_factory=Counter)
    ordered: dict[str, DabirError] = field(default_factory=dict)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method).rpartition("/")[2]

        async def respond(request: Any, context: Any) -> Any:
            self.calls[method] += 1
            try:
                if method in self.ordered:
                    raise self.ordered[method]
                return await handler.unary_unary(request, context)
            except DabirError as error:
                status = status_of(error, persian=False)
                details = (("grpc-status-details-bin", status.SerializeToString()),)
                await context.abort(grpc.StatusCode[error.code], error.message, details)

        return grpc.unary_unary_rpc_method_handler(
            respond,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class SmallDocuments(DocumentInternalServiceServicer):
    """Retentions as set."""

    def __init__(self) -> None:
        self.retained: dict[str, datetime] = {}
        self.shortened_by = timedelta()

    async def SetRetention(  # noqa: N802
        self, request: documents.SetRetentionRequest, context: object
    ) -> documents.SetRetentionResponse:
        until = request.retain_until.ToDatetime(tzinfo=UTC) - self.shortened_by
        self.retained |= dict.fromkeys(request.documents, until)
        return documents.SetRetentionResponse(
            retentions=[documents.Retention(document=name, retain_until=stamp(until)) for name in request.documents]
        )

    async def ClaimDocuments(self, request: documents.ClaimDocumentsRequest, context: object) -> Any:  # noqa: N802
        raise LetterNotFound(letter=request.letter)


class SmallNotifications(NotificationInternalServiceServicer):
    """Notifications as told, by id, and links as a test puts them."""

    def __init__(self) -> None:
        self.told: dict[str, notifications.NotifyRequest] = {}
        self.links: dict[str, notifications.DownLink] = {}
        """Those that are down, by body."""
        self.orders: dict[str, notifications.PauseLinkRequest | notifications.ResumeLinkRequest] = {}
        """As obeyed, by request id."""

    def types_told(self, delivery: str) -> list[tuple[str, str]]:
        return [(told.event_type, told.body) for told in self.told.values() if told.delivery == delivery]

    async def Notify(self, request: notifications.NotifyRequest, context: object) -> notifications.NotifyResponse:  # noqa: N802
        self.told.setdefault(request.notification_id, request)
        return notifications.NotifyResponse(endpoint_count=1)

    async def ListDownLinks(  # noqa: N802
        self, request: notifications.ListDownLinksRequest, context: object
    ) -> notifications.ListDownLinksResponse:
        links, begin = list(self.links.values()), int(request.page_token or 0)
        token = str(begin + 2) if begin + 2 < len(links) else ""  # pages of two, so that a test sees several
        return notifications.ListDownLinksResponse(links=links[begin : begin + 2], next_page_token=token)

    async def PauseLink(  # noqa: N802
        self, request: notifications.PauseLinkRequest, context: object
    ) -> notifications.PauseLinkResponse:
        if request.request_id not in self.orders:
            if self.links[request.body].HasField("pause_time"):
                raise LinkPaused
            self.links[request.body].pause_time.CopyFrom(stamp(now()))
            self.orders[request.request_id] = request
        return notifications.PauseLinkResponse()

    async def ResumeLink(  # noqa: N802
        self, request: notifications.ResumeLinkRequest, context: object
    ) -> notifications.ResumeLinkResponse:
        if request.request_id not in self.orders:
            self.links[request.body].ClearField("pause_time")
            self.orders[request.request_id] = request
        return notifications.ResumeLinkResponse()


@dataclass
class SmallHub:
    """All of it, and the channel to it."""

    intake: SmallIntake
    documents: SmallDocuments
    notifications: SmallNotifications
    faults: Faults
    channel: grpc.aio.Channel
    pool: Pool

    def out(self, *methods: str) -> None:
        """From here on these methods are out."""
        self.faults.ordered |= dict.fromkeys(methods, OutageOrdered())

    def refuse(self, *methods: str) -> None:
        """From here on these methods refuse."""
        self.faults.ordered |= dict.fromkeys(methods, RefusalOrdered())

    def mend(self) -> None:
        self.faults.ordered.clear()


@contextlib.asynccontextmanager
async def small_hub(intake_url: str, evidence_url: str) -> AsyncIterator[SmallHub]:
    """A running hub. The URLs are of the database roles `intake` and `evidence`."""
    async with (
        Pool(intake_url, per_body=1, open=False, kwargs={"autocommit": True}) as pool,
        Pool(evidence_url, per_body=1, open=False, kwargs={"autocommit": True}) as evidence_pool,
    ):
        faults = Faults()
        server = grpc.aio.server(interceptors=[faults])
        hub_intake, hub_documents, hub_notifications = SmallIntake(pool), SmallDocuments(), SmallNotifications()
        add_IntakeInternalServiceServicer_to_server(hub_intake, server)
        add_DocumentInternalServiceServicer_to_server(hub_documents, server)
        add_NotificationInternalServiceServicer_to_server(hub_notifications, server)
        add_EvidenceInternalServiceServicer_to_server(EvidenceInternalServicer(evidence_pool), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        numbering = asyncio.create_task(_number(evidence_pool))
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield SmallHub(hub_intake, hub_documents, hub_notifications, faults, channel, pool)
        finally:
            numbering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await numbering
            await server.stop(None)


async def _number(pool: Pool) -> None:
    while True:
        await sequencer.number_once(pool, 1000)
        await asyncio.sleep(0.02)
