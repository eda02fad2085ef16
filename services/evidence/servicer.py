"""evidence on the wire: proto in, proto out."""

from typing import Any
from uuid import uuid4

import grpc.aio

from dabir.evidence.v1 import evidence_pb2 as pb
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceInternalServiceServicer, EvidenceServiceServicer
from services.evidence import domain, store
from services.evidence.feed import Feed
from services.runtime.database import Pool
from services.runtime.identity import caller


class EvidenceServicer(EvidenceServiceServicer):
    """What members call."""

    def __init__(self, pool: Pool, feed: Feed) -> None:
        self._pool, self._feed = pool, feed

    async def ListStatements(self, request: pb.ListStatementsRequest, context: object) -> pb.ListStatementsResponse:
        body, clearance = caller().body, caller().clearance
        page = domain.page(body, request.parent, request.page_size, request.page_token)
        async with self._pool.connection() as connection:
            found = await store.list_statements(
                connection,
                body,
                clearance,
                parent=page.parent,
                txn=page.txn,
                after=page.after,
                limit=page.size + 1,
                room_bytes=domain.PAGE_MAX_BYTES,
            )
        shown = found[: domain.fitting([len(one.jws) for one in found], page.size)]
        more = len(found) > len(shown)
        token = domain.token_after(body, request.parent, shown[-1].position) if more else ""
        return pb.ListStatementsResponse(statements=shown, next_page_token=token)

    # It writes by itself, as grpc allows, for only a write can be waited for no longer than is set.
    async def WatchStatements(  # type: ignore[override]  # the stub's type knows generators only
        self, request: pb.WatchStatementsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        async with self._pool.connection() as connection:
            head = await store.last_position(connection)
        domain.check_after(request.after_position, head)
        with self._feed.stream(caller()) as stream:
            async for message in stream.messages(request.after_position, head):
                await self._feed.taken(context.write(message))


class EvidenceInternalServicer(EvidenceInternalServiceServicer):
    """What the workers call."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def Follow(self, request: pb.FollowRequest, context: object) -> pb.FollowResponse:
        token, seconds = uuid4(), request.lease_duration.ToTimedelta().total_seconds()
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await store.lease(connection, request.follower, request.holder, token, seconds)
            head = await store.last_position(connection)
            if not cursor.held:
                return pb.FollowResponse(lease_held=True, cursor=cursor.position, head=head)
            limit = request.max_statements or domain.BATCH_DEFAULT
            batch = await store.after_cursor(connection, cursor.position, limit)
        return pb.FollowResponse(lease=str(token), statements=batch, cursor=cursor.position, head=head)

    async def Advance(self, request: pb.AdvanceRequest, context: object) -> pb.AdvanceResponse:
        start, end, token = getattr(request, "from"), request.to, domain.lease(request.lease)
        refused = [(one.position, one.reason) for one in request.refused]
        async with self._pool.connection() as connection, connection.transaction():
            domain.check_advance(start, end, await store.last_position(connection), refused)
            moved = await store.advance(connection, request.follower, token, start=start, end=end, refused=refused)
            if not moved:
                cursor = await store.find_cursor(connection, request.follower, token)
                domain.check_repeated(request.follower, cursor.position, end, held=cursor.held)
        return pb.AdvanceResponse(cursor=end)
