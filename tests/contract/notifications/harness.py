"""A running notifications, those who call it, and letters to be told of."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.formats.signer import FileSigner
from dabir.formats.statement import events_of
from dabir.notifications.v1 import notifications_pb2 as pb
from dabir.notifications.v1.notifications_pb2_grpc import (
    NotificationInternalServiceStub,
    NotificationServiceStub,
    add_NotificationInternalServiceServicer_to_server,
    add_NotificationServiceServicer_to_server,
)
from services.notifications.channels import open_channels
from services.notifications.config import NotificationsConfig
from services.notifications.recorder import Recorder
from services.notifications.sender import Sender
from services.notifications.servicer.internal import NotificationInternalServicer
from services.notifications.servicer.members import NotificationServicer
from services.runtime.database import open_pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger
from services.runtime.metrics import Metrics
from services.runtime.seals import open_ledger
from services.runtime.server import Server, Service
from tests.conftest import Postgres
from tests.contract.harness import DEADLINE_SECONDS, EVERY_ROLE, Identities, Listed
from tests.contract.notifications.receiver import Receiver
from tests.integration.ledger.writer import HUB, SENDERS, consign, register

BANK, OTHER = "bodies/bank", "bodies/interior"
CLEARED = {
    "bank-half-cleared": Role.CLEARANCE_CONFIDENTIAL,
    "bank-cleared": Role.CLEARANCE_HIGHLY_CONFIDENTIAL,
}
"""Further certificates of bank's."""
ACCEPTANCE = "http://uri.etsi.org/19522/Event/NotificationForAcceptance"


class Hub:
    """What stands around the service: its database, its identities, and letters that intake registered."""

    def __init__(self, folder: Path, postgres: Postgres, identities: Identities) -> None:
        self.folder, self.postgres, self.identities = folder, postgres, identities
        self.listed = Listed()
        for body in ("bank", "interior"):
            self.listed.add(identities.sha256(body), f"bodies/{body}")
        for who, role in CLEARED.items():
            self.listed.add(identities.sha256(who), BANK, EVERY_ROLE | {role})
        seal = identities.pki.seal_pair("intake", folder / "intake", events_of("intake"))
        self._ledger = Ledger(hub=HUB, source="intake", signer=FileSigner(seal.key, seal.certificate))

    def config(self, **settings: Any) -> NotificationsConfig:
        pair, pki = self.identities.pair("notifications"), self.identities.pki
        seal = pki.seal_pair("notifications", self.folder / "notifications", events_of("notifications"))
        url_file = self.folder / "database-url"
        url_file.write_text(self.postgres.database_url("notifications"), encoding="utf-8")
        given: dict[str, Any] = {
            "hub": HUB,
            "source": "notifications",
            "environment": "development",
            "tls_certificate": pair.certificate,
            "tls_key": pair.key,
            "tls_roots": pki.root,
            "tls_service_issuers": pki.hub_ca,
            "seal_certificate": seal.certificate,
            "seal_key": seal.key,
            "metrics_listen": "",
            "listen": "127.0.0.1:0",
            "database_url_file": url_file,
            "allowed_services": ("worker",),
            "directory_target": "127.0.0.1:1",
            "outgoing_allowed_networks": ("127.0.0.0/8",),
            "webhook_timeout_seconds": 5.0,
            "claim_seconds": 10.0,
            "smtp_timeout_seconds": 5.0,
            "poll_seconds": 0.05,
            "retry_seconds": (1, 1),
            "retry_jitter": 0.0,
        }
        return NotificationsConfig(**(given | settings))

    async def delivery(self, classification: int | None = None) -> str:
        """A delivery to bank, in its mailbox."""
        url = self.postgres.database_url("intake")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            registered = await register(connection, self._ledger, SENDERS[0], classification)
            return (await consign(connection, self._ledger, registered))[0].subject

    def rows(self, query: bytes, *wanted: object) -> list[Any]:
        with psycopg.connect(self.postgres.owner_url) as connection:
            return connection.execute(query, wanted).fetchall()

    def change(self, query: bytes, *wanted: object) -> None:
        """What a test arranges behind the service's back."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            connection.execute(query, wanted)

    def stated(self, delivery: str) -> list[tuple[str, str]]:
        """Event and JWS of what notifications stated of a delivery."""
        query = (
            b"SELECT event, jws FROM ledger.statement WHERE subject = %s AND source = 'notifications' ORDER BY ordinal"
        )
        return [(event, jws) for event, jws in self.rows(query, delivery)]


class Running:
    """The running service, and callers."""

    def __init__(self, hub: Hub, port: int) -> None:
        self.hub, self._port = hub, port
        self._channels = contextlib.AsyncExitStack()

    async def stub(self, who: str, kind: Any = NotificationServiceStub) -> Any:
        return kind(await self._channels.enter_async_context(self.hub.identities.channel(self._port, who)))

    async def close(self) -> None:
        await self._channels.aclose()

    async def create(self, url: str, *event_types: str, who: str = "bank", id: str = "") -> pb.CreateEndpointResponse:  # noqa: A002
        request = pb.CreateEndpointRequest(endpoint_id=id or str(uuid.uuid4()), url=url, event_types=event_types)
        answer = await (await self.stub(who)).CreateEndpoint(request, timeout=DEADLINE_SECONDS)
        assert isinstance(answer, pb.CreateEndpointResponse)
        return answer

    async def endpoint(self, receiver: Receiver, *event_types: str, who: str = "bank") -> str:
        """An endpoint of bank's at a receiver; its name."""
        made = await self.create(receiver.url, *event_types, who=who)
        receiver.secret = made.secret
        return made.endpoint.name

    async def email(
        self, address: str, language: pb.Language.ValueType = pb.LANGUAGE_UNSPECIFIED, *event_types: str, url: str = ""
    ) -> pb.CreateEndpointResponse:
        """An endpoint of bank's by e-mail."""
        request = pb.CreateEndpointRequest(
            endpoint_id=str(uuid.uuid4()),
            url=url,
            event_types=event_types,
            email=pb.Email(address=address, language=language),
        )
        answer = await (await self.stub("bank")).CreateEndpoint(request, timeout=DEADLINE_SECONDS)
        assert isinstance(answer, pb.CreateEndpointResponse)
        return answer

    async def notify(self, delivery: str, /, **fields: Any) -> int:
        """How many endpoints will be told."""
        stub = await self.stub("worker", NotificationInternalServiceStub)
        answer = await stub.Notify(notification(delivery, **fields), timeout=DEADLINE_SECONDS)
        return int(answer.endpoint_count)

    async def notifications(self, who: str = "bank", **query: Any) -> list[pb.Notification]:
        """What `who` was told, newest first; one page."""
        return list((await self.notifications_page(who, **query)).notifications)

    async def notifications_page(self, who: str = "bank", **query: Any) -> pb.ListNotificationsResponse:
        stub = await self.stub(who)
        answer = await stub.ListNotifications(pb.ListNotificationsRequest(**query), timeout=DEADLINE_SECONDS)
        assert isinstance(answer, pb.ListNotificationsResponse)
        return answer

    async def replay(self, name: str, who: str = "bank", request_id: str = "") -> int:
        """To how many endpoints."""
        request = pb.ReplayNotificationRequest(name=name, request_id=request_id or str(uuid.uuid4()))
        answer = await (await self.stub(who)).ReplayNotification(request, timeout=DEADLINE_SECONDS)
        return int(answer.endpoint_count)

    async def down_links(self) -> list[pb.DownLink]:
        stub = await self.stub("worker", NotificationInternalServiceStub)
        return list((await stub.ListDownLinks(pb.ListDownLinksRequest(), timeout=DEADLINE_SECONDS)).links)


def notification(delivery: str, /, **fields: Any) -> pb.NotifyRequest:
    given: dict[str, Any] = {
        "notification_id": str(uuid.uuid4()),
        "body": BANK,
        "event_type": "delivery.available",
        "letter": delivery.partition("/deliveries/")[0],
        "delivery": delivery,
        "occurred_at": Timestamp(seconds=1795342473, nanos=123456000),
        "sender_body": OTHER,
    }
    return pb.NotifyRequest(**(given | fields))


@contextlib.asynccontextmanager
async def running(hub: Hub, *, delivering: bool = True, **settings: Any) -> AsyncIterator[Running]:
    """The service on a free port, its sending under way unless that is another process's here."""
    config, metrics = hub.config(**settings), Metrics()
    async with open_pool(config) as pool, open_channels(config) as channels:
        recorder = Recorder(config, pool, open_ledger(config), metrics.registry)
        sender = Sender(config, pool, recorder, channels, metrics.registry)
        services = [
            Service(
                "dabir.notifications.v1.NotificationService",
                add_NotificationServiceServicer_to_server,
                NotificationServicer(config, pool, sender.wake),
            ),
            Service(
                "dabir.notifications.v1.NotificationInternalService",
                add_NotificationInternalServiceServicer_to_server,
                NotificationInternalServicer(config, pool, sender.wake),
            ),
        ]
        server = Server(config, services, hub.listed, metrics)
        started = Running(hub, await server.start())
        tasks = [asyncio.create_task(sender.run())] if delivering else []
        try:
            yield started
        finally:
            await started.close()
            await server.stop()
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
