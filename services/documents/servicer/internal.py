"""What the hub's own call."""

import asyncio
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceServicer
from services.documents import store
from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.claims import Wanted, check_distinct, check_retention, judge_claim
from services.documents.domain.upload import Content
from services.documents.objects import Objects
from services.runtime.database import Pool
from services.runtime.instants import timestamp


class DocumentInternalServicer(DocumentInternalServiceServicer):
    """Claims and retention."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects) -> None:
        self._config = config
        self._pool = pool
        self._objects = objects

    async def ClaimDocuments(self, request: pb.ClaimDocumentsRequest, context: object) -> pb.ClaimDocumentsResponse:
        wanted = [Wanted(d.document, Content(d.media_type, d.size_bytes, d.sha256)) for d in request.documents]
        names = [one.name for one in wanted]
        check_distinct(names)
        async with self._pool.connection() as connection, connection.transaction():
            found = await store.lock_for_claim(connection, names)
            judged = [
                judge_claim(one, *found.get(one.name, (None, None)), owner=request.owner, letter=request.letter)
                for one in wanted
            ]
            if not any(judgement.reason for judgement in judged):
                await store.claim(connection, request.letter, request.classification, names)
        return pb.ClaimDocumentsResponse(
            results=[
                pb.ClaimResult(document=j.document, claimed=not j.reason, reason=j.reason, message=j.message)
                for j in judged
            ]
        )

    async def SetRetention(self, request: pb.SetRetentionRequest, context: object) -> pb.SetRetentionResponse:
        check_distinct(request.documents)
        until = self._instant(request.retain_until)
        answer = pb.SetRetentionResponse()
        for name in request.documents:
            kept = await self._retain(request.letter, name, until)
            answer.retentions.add(document=name, retain_until=timestamp(kept))
        return answer

    async def _retain(self, letter: str, name: str, until: datetime) -> datetime:
        """Locks every segment; the earliest instant read back. Repeated, it finds what is locked already.

        Raises ClaimNotHeld, RetentionOutOfRange, RetentionNotKept, StoreUnavailable.
        """
        async with self._pool.connection() as connection:
            document = await store.find_claimed(connection, letter, name)
            segments = await store.stored_segments(connection, name)
        check_retention(document, until, datetime.now(UTC), self._config.retention_max_days)
        kept = min(await asyncio.gather(*(self._objects.retain(segment, until) for segment in segments)))
        async with self._pool.connection() as connection:
            await store.note_retention(connection, name, kept)
        return kept

    def _instant(self, given: Timestamp) -> datetime:
        """Raises RetentionOutOfRange for one outside of the years 1 to 9999."""
        try:
            return given.ToDatetime(UTC)
        except (ValueError, OverflowError):
            raise errors.RetentionOutOfRange(
                retain_until=f"{given.seconds} s", max_days=self._config.retention_max_days
            ) from None
