"""What members call."""

import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from dabir.notifications.v1 import notifications_pb2 as pb
from dabir.notifications.v1.notifications_pb2_grpc import NotificationServiceServicer
from services.notifications.config import NotificationsConfig
from services.notifications.domain import endpoint as rules
from services.notifications.domain import notification as told
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.errors import (
    EmailNotOffered,
    EndpointNotFound,
    NoEndpoint,
    NotificationNotFound,
    RequestIdReused,
)
from services.notifications.servicer import messages
from services.notifications.store import endpoints, notifications
from services.notifications.store.notifications import Attempt, Told
from services.runtime import page_token
from services.runtime.database import Connection, Pool
from services.runtime.identity import caller
from services.runtime.instants import timestamp

PAGE_DEFAULT, PAGE_MAX = 50, 200


class NotificationServicer(NotificationServiceServicer):
    """`wake` is called when something is to be sent at once."""

    def __init__(self, config: NotificationsConfig, pool: Pool, wake: Callable[[], None]) -> None:
        self._config, self._pool, self._wake = config, pool, wake

    async def CreateEndpoint(self, request: pb.CreateEndpointRequest, context: object) -> pb.CreateEndpointResponse:
        who, endpoint, target = caller(), UUID(request.endpoint_id), messages.target(request)
        config = self._config
        rules.check_target(target, plain_allowed=bool(config.outgoing_allowed_networks), ports=config.webhook_ports)
        rules.check_event_types(request.event_types)
        if target.url is None and not self._config.smtp_host:
            raise EmailNotOffered
        async with self._pool.connection() as connection, connection.transaction():
            await endpoints.lock_body(connection, who.body)
            stored = await endpoints.find(connection, endpoint)
            if stored is None:
                rules.check_room(await endpoints.count(connection, who.body), config.endpoints_per_body)
                made, next_seconds = await endpoints.made_lately(connection, who.body)
                rules.check_made(made, config.endpoints_made_per_day, next_seconds)
                secret = secrets.token_bytes(rules.SECRET_BYTES)
                stored = await endpoints.insert(
                    connection, who.body, who.clearance, endpoint, target, request.event_types, secret
                )
        rules.check_same_endpoint(stored, who.body, who.clearance, target, request.event_types)
        secret_text = rules.secret_text(stored.secret) if stored.channel == rules.WEBHOOK else ""
        return pb.CreateEndpointResponse(endpoint=messages.endpoint(stored), secret=secret_text)

    async def ListEndpoints(self, request: pb.ListEndpointsRequest, context: object) -> pb.ListEndpointsResponse:
        who, size = caller(), page_token.size(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        binding = (who.body, "ListEndpoints")
        after = page_token.after(request.page_token, UUID, *binding)
        async with self._pool.connection() as connection:
            found = await endpoints.list_of_body(connection, who.body, who.clearance, after=after, limit=size + 1)
        shown, token = page_token.cut(found, size, lambda endpoint: [str(endpoint.id)], *binding)
        return pb.ListEndpointsResponse(endpoints=map(messages.endpoint, shown), next_page_token=token)

    async def DeleteEndpoint(self, request: pb.DeleteEndpointRequest, context: object) -> pb.DeleteEndpointResponse:
        who = caller()
        endpoint = rules.split_endpoint(request.name, who.body)
        async with self._pool.connection() as connection, connection.transaction():
            claim_seconds = self._config.claim_seconds
            if not await endpoints.end(connection, who.body, who.clearance, endpoint, claim_seconds=claim_seconds):
                raise EndpointNotFound
        return pb.DeleteEndpointResponse()

    async def EnableEndpoint(self, request: pb.EnableEndpointRequest, context: object) -> pb.EnableEndpointResponse:
        async with self._pool.connection() as connection, connection.transaction():
            endpoint = await _mine(connection, request.name)
            await endpoints.enable(connection, endpoint.id)
            stored = await _mine(connection, request.name)
        self._wake()
        return pb.EnableEndpointResponse(endpoint=messages.endpoint(stored))

    async def RotateEndpointSecret(
        self, request: pb.RotateEndpointSecretRequest, context: object
    ) -> pb.RotateEndpointSecretResponse:
        request_id, secret = UUID(request.request_id), secrets.token_bytes(rules.SECRET_BYTES)
        async with self._pool.connection() as connection, connection.transaction():
            endpoint = await _mine(connection, request.name)
            stored = await endpoints.find_rotation(connection, request_id)
            if stored is None:
                rules.check_rotation(endpoint)
                overlap_seconds = self._config.webhook_secret_overlap_seconds
                stored = await endpoints.rotate(connection, request_id, endpoint.id, secret, overlap_seconds)
        if stored.endpoint != endpoint.id:
            raise RequestIdReused(request_id=request_id)
        return pb.RotateEndpointSecretResponse(
            secret=rules.secret_text(stored.secret), previous_expire_time=timestamp(stored.replaced_until)
        )

    async def SetQuietHours(self, request: pb.SetQuietHoursRequest, context: object) -> pb.SetQuietHoursResponse:
        quiet = messages.quiet_hours(request)
        async with self._pool.connection() as connection, connection.transaction():
            endpoint = await _mine(connection, request.name)
            await endpoints.set_quiet_hours(connection, endpoint.id, quiet)
            stored = await _mine(connection, request.name)
        return pb.SetQuietHoursResponse(endpoint=messages.endpoint(stored))

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: object
    ) -> pb.ListNotificationsResponse:
        who, size = caller(), page_token.size(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        state = messages.STATE_NAMES.get(request.state)
        binding = (who.body, "ListNotifications", state or "")
        before = page_token.after(request.page_token, _read_place, *binding)
        async with self._pool.connection() as connection:
            found = await notifications.list_of_body(
                connection, who.body, who.clearance, state=state, before=before, limit=size + 1
            )
            shown, token = page_token.cut(found, size, _place, *binding)
            ids = [one.notification.id for one in shown]
            by_notification: dict[UUID, list[Attempt]] = defaultdict(list)
            for attempt in await notifications.attempts_of(connection, who.body, ids):
                by_notification[attempt.notification].append(attempt)
        return pb.ListNotificationsResponse(
            notifications=[messages.notification(one, by_notification[one.notification.id]) for one in shown],
            next_page_token=token,
        )

    async def ReplayNotification(
        self, request: pb.ReplayNotificationRequest, context: object
    ) -> pb.ReplayNotificationResponse:
        who, request_id = caller(), UUID(request.request_id)
        wanted = told.split_notification(request.name, who.body)
        async with self._pool.connection() as connection, connection.transaction():
            notification = await notifications.lock_of_body(connection, who.body, who.clearance, wanted)
            if notification is None:
                raise NotificationNotFound
            stored = await notifications.find_replay(connection, request_id)
            if stored is None:
                told.check_replayable(
                    await notifications.replayable_in(
                        connection,
                        wanted,
                        pause_seconds=self._config.replay_pause_seconds,
                        claim_seconds=self._config.claim_seconds,
                    )
                )
                stored = await notifications.replay(connection, request_id, notification)
        if stored.notification != wanted:
            raise RequestIdReused(request_id=request_id)
        if stored.endpoint_count == 0:
            raise NoEndpoint(event_type=notification.event_type)
        self._wake()
        return pb.ReplayNotificationResponse(endpoint_count=stored.endpoint_count)


async def _mine(connection: Connection, name: str) -> Endpoint:
    """The caller's endpoint, locked. Raises EndpointNotFound, also for one deleted or above the caller's clearance."""
    who = caller()
    found = await endpoints.lock(connection, who.body, who.clearance, rules.split_endpoint(name, who.body))
    if found is None:
        raise EndpointNotFound
    return found


def _place(listed: Told) -> list[str]:
    return [listed.created_at.isoformat(), str(listed.notification.id)]


def _read_place(created_at: str, notification: str) -> tuple[datetime, UUID]:
    at, name = page_token.instant_and_name(created_at, notification)
    return at, UUID(name)
