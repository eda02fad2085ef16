"""What the workers call."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from dabir.notifications.v1 import notifications_pb2 as pb
from dabir.notifications.v1.notifications_pb2_grpc import NotificationInternalServiceServicer
from services.notifications.config import NotificationsConfig
from services.notifications.domain import link, notification
from services.notifications.domain.errors import LinkNotFound
from services.notifications.domain.link import LinkOrder
from services.notifications.domain.notification import Notification
from services.notifications.servicer import messages
from services.notifications.store import links, notifications
from services.runtime import page_token
from services.runtime.database import Connection, Pool

DOWN_LINKS_MAX = 1000


class NotificationInternalServicer(NotificationInternalServiceServicer):
    """`wake` is called when something is to be sent at once."""

    def __init__(self, config: NotificationsConfig, pool: Pool, wake: Callable[[], None]) -> None:
        self._config, self._pool, self._wake = config, pool, wake

    async def Notify(self, request: pb.NotifyRequest, context: object) -> pb.NotifyResponse:
        new = Notification(
            id=UUID(request.notification_id),
            body=request.body,
            event_type=request.event_type,
            letter=request.letter,
            delivery=request.delivery,
            sender_body=request.sender_body,
            occurred_at=request.occurred_at.ToDatetime(tzinfo=UTC),
            priority=request.priority,
        )
        notification.check_notification(new)
        async with self._pool.connection() as connection, connection.transaction():
            count = await notifications.insert(connection, new)
            if count is None:
                known, count = await notifications.find(connection, new.id)
                notification.check_same_notification(known, new)
        self._wake()
        return pb.NotifyResponse(endpoint_count=count)

    async def ListDownLinks(self, request: pb.ListDownLinksRequest, context: object) -> pb.ListDownLinksResponse:
        size = page_token.size(request.page_size, DOWN_LINKS_MAX, DOWN_LINKS_MAX)
        after = page_token.after(request.page_token, str, "ListDownLinks")
        async with self._pool.connection() as connection:
            found = await links.down(connection, after=after or "", limit=size + 1)
        shown, token = page_token.cut(found, size, lambda link: [link.body], "ListDownLinks")
        return pb.ListDownLinksResponse(links=map(messages.down_link, shown), next_page_token=token)

    async def PauseLink(self, request: pb.PauseLinkRequest, context: object) -> pb.PauseLinkResponse:
        await self._obey(LinkOrder(UUID(request.request_id), request.body, None))
        return pb.PauseLinkResponse()

    async def ResumeLink(self, request: pb.ResumeLinkRequest, context: object) -> pb.ResumeLinkResponse:
        await self._obey(LinkOrder(UUID(request.request_id), request.body, request.rate_per_minute))
        self._wake()
        return pb.ResumeLinkResponse()

    async def _obey(self, order: LinkOrder) -> None:
        """Once: the same order again changes nothing, whatever was ordered meanwhile."""
        async with self._pool.connection() as connection, connection.transaction():
            stands = await links.lock(connection, order.body)
            known = await links.find_order(connection, order.id)
            if known is None:
                link.check_order(stands, order)
                if order.rate_per_minute is None and not await links.has_endpoint(connection, order.body):
                    raise LinkNotFound(body=order.body)
                if await links.insert_order(connection, order):
                    await _apply(connection, order, self._config.claim_seconds)
                known = await links.find_order(connection, order.id)
            assert known is not None  # noqa: S101 - it is there now, its own or another body's, and none is ever deleted
            link.check_same_order(known, order)


async def _apply(connection: Connection, order: LinkOrder, claim_seconds: float) -> None:
    if order.rate_per_minute is None:
        await links.pause(connection, order.body)
    elif order.rate_per_minute == 0:
        await links.resume(connection, order.body, None, None, claim_seconds)
    else:
        counted_to = link.resumed_to(order.rate_per_minute, datetime.now(UTC))
        await links.resume(connection, order.body, order.rate_per_minute, counted_to, claim_seconds)
