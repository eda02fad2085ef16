"""notifications on the wire: proto in, proto out."""

# ruff: noqa: N802 - the methods are named by the proto

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.notifications.v1 import notifications_pb2 as pb
from dabir.notifications.v1.notifications_pb2_grpc import (
    NotificationInternalServiceServicer,
    NotificationServiceServicer,
)
from services.notifications import domain, store
from services.notifications.config import NotificationsConfig
from services.runtime import page_token
from services.runtime.database import Pool
from services.runtime.identity import caller

DOWN_LINKS_MAX = 1000


class NotificationServicer(NotificationServiceServicer):
    """What members call."""

    def __init__(self, config: NotificationsConfig, pool: Pool) -> None:
        self._config, self._pool = config, pool

    async def CreateEndpoint(self, request: pb.CreateEndpointRequest, context: object) -> pb.CreateEndpointResponse:
        body, endpoint = caller().body, UUID(request.endpoint_id)
        domain.check_url(request.url, plain_allowed=bool(self._config.outgoing_allowed_networks))
        domain.check_event_types(request.event_types)
        async with self._pool.connection() as connection, connection.transaction():
            await store.lock_body(connection, body)
            stored = await store.find_endpoint(connection, endpoint)
            if stored is None:
                domain.check_room(await store.count_endpoints(connection, body), self._config.endpoints_per_body)
                secret = secrets.token_bytes(domain.SECRET_BYTES)
                stored = await store.insert_endpoint(
                    connection, body, endpoint, request.url, request.event_types, secret
                )
        domain.check_same_endpoint(stored, body, request.url, request.event_types)
        return pb.CreateEndpointResponse(endpoint=_endpoint(stored), secret=domain.secret_text(stored.secret))

    async def ListEndpoints(self, request: pb.ListEndpointsRequest, context: object) -> pb.ListEndpointsResponse:
        binding, limit = (caller().body, "ListEndpoints"), domain.page_size(request.page_size)
        after = page_token.decode(request.page_token, UUID, *binding) if request.page_token else None
        async with self._pool.connection() as connection:
            found = await store.list_endpoints(connection, caller().body, after=after, limit=limit + 1)
        token = page_token.encode([str(found[limit - 1].id)], *binding) if len(found) > limit else ""
        return pb.ListEndpointsResponse(endpoints=map(_endpoint, found[:limit]), next_page_token=token)

    async def DeleteEndpoint(self, request: pb.DeleteEndpointRequest, context: object) -> pb.DeleteEndpointResponse:
        body = caller().body
        endpoint = domain.split_endpoint(request.name, body)
        async with self._pool.connection() as connection, connection.transaction():
            claim_seconds = self._config.webhook_claim_seconds
            if not await store.end_endpoint(connection, body, endpoint, claim_seconds=claim_seconds):
                raise domain.EndpointNotFound
        return pb.DeleteEndpointResponse()


class NotificationInternalServicer(NotificationInternalServiceServicer):
    """What the workers call. `stored` is called after each notification, so that it goes out at once."""

    def __init__(self, pool: Pool, stored: Callable[[], None]) -> None:
        self._pool, self._stored = pool, stored

    async def Notify(self, request: pb.NotifyRequest, context: object) -> pb.NotifyResponse:
        new = domain.Notification(
            id=UUID(request.notification_id),
            body=request.body,
            event_type=request.event_type,
            letter=request.letter,
            delivery=request.delivery,
            sender_body=request.sender_body,
            occurred_at=request.occurred_at.ToDatetime(tzinfo=UTC),
        )
        domain.check_notification(new)
        async with self._pool.connection() as connection, connection.transaction():
            count = await store.insert_notification(connection, new)
            if count is None:
                known, count = await store.find_notification(connection, new.id)
                domain.check_same_notification(known, new)
        self._stored()
        return pb.NotifyResponse(endpoint_count=count)

    async def ListDownLinks(self, request: pb.ListDownLinksRequest, context: object) -> pb.ListDownLinksResponse:
        async with self._pool.connection() as connection:
            found = await store.down_links(connection, DOWN_LINKS_MAX)
        return pb.ListDownLinksResponse(links=map(_down_link, found))


def _endpoint(endpoint: domain.Endpoint) -> pb.Endpoint:
    return pb.Endpoint(
        name=endpoint.name,
        url=endpoint.url,
        event_types=endpoint.event_types,
        create_time=_timestamp(endpoint.created_at),
    )


def _down_link(link: store.DownLink) -> pb.DownLink:
    oldest = None if link.oldest is None else _timestamp(link.oldest)
    return pb.DownLink(body=link.body, since=_timestamp(link.since), waiting=link.waiting, oldest=oldest)


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
