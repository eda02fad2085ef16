"""Bytes in and bytes out: a stream into segments, segments into a stream. Memory does not grow with their number."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.documents import store
from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.download import CHUNK_BYTES, segments_of
from services.documents.domain.upload import (
    SEGMENT_BYTES,
    Content,
    Document,
    Segment,
    State,
    check_finish,
    check_same_upload,
    segment_key,
    segment_size,
)
from services.documents.inspections import Inspections
from services.documents.objects import Objects
from services.runtime.database import Pool


@dataclass(frozen=True)
class Chunk:
    """Some bytes of an upload, and where they belong."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Finish:
    """The end of an upload: the size and SHA-256 of the whole."""

    size_bytes: int
    sha256: bytes


class Places:
    """The places for transfers, whose memory is bounded; none free is said at once, not waited for.

    A body takes no more than it leaves free (dynamic thresholds, Choudhury and Hahne): a few cannot hold all.
    """

    def __init__(self, places: int, per_body: int) -> None:
        self._places, self._per_body = places, per_body
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, body: str) -> Iterator[None]:
        """One of them, for `body`, until the context closes. Raises TransfersBusy."""
        free = self._places - self._taken.total()
        if not free:
            raise errors.TransfersBusy(places=self._places, whose="", retry_after_seconds=2.0)
        if (own := self._taken[body]) >= min(self._per_body, free):
            raise errors.TransfersBusy(places=own, whose=" of your body", retry_after_seconds=2.0)
        self._taken[body] += 1
        try:
            yield
        finally:
            self._taken[body] -= 1
            self._taken += Counter()  # forgets bodies that hold none


class Pace:
    """How far the other end of a transfer is behind the least rate; being ahead of it earns nothing."""

    def __init__(self, config: DocumentsConfig) -> None:
        self._slowest = config.transfer_slowest_bytes_per_second
        self._late_seconds_max = config.transfer_late_seconds
        self._late_seconds = 0.0

    def moved(self, size_bytes: int, seconds: float) -> None:
        """So many bytes, for which we waited so long. Raises TransferTooSlow."""
        self._late_seconds = max(0.0, self._late_seconds + seconds - size_bytes / self._slowest)
        if self._late_seconds > self._late_seconds_max:
            raise errors.TransferTooSlow(bytes_per_second=self._slowest)


class Uploads:
    """Takes uploads in, on whichever replica they come."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects, inspections: Inspections) -> None:
        self._config = config
        self._pool = pool
        self._objects = objects
        self._inspections = inspections

    async def take(
        self, caller_body: str, clearance: int, name: str, content: Content, parts: AsyncIterator[Chunk | Finish]
    ) -> Document:
        """Takes the rest of an upload and inspects it; the document as it stands then, READY or REJECTED.

        An upload that was taken before is not read again. Raises DocumentIdReused, FinishDiffers, WrongOffset,
        UploadTooLong, UploadIncomplete, UploadOvertaken, InspectionsBusy, TransferTooSlow; StoreUnavailable,
        SegmentDamaged, InspectionInterrupted; DocumentNotFound for what belongs to a letter above `clearance`.
        """
        async with self._pool.connection() as connection:
            document = await store.begin_upload(connection, caller_body, name, content)
        check_same_upload(document, caller_body, content)
        if document.state is State.UPLOADING:
            self._inspections.check_room(caller_body)
            await self._receive(document, parts)
            async with self._pool.connection() as connection:
                if not await store.finish_upload(connection, name):
                    raise errors.UploadOvertaken(document=name)
        if document.state in (State.UPLOADING, State.INSPECTING):
            await self._inspections.of(name, caller_body)
        async with self._pool.connection() as connection:
            found = await store.find_own(connection, caller_body, clearance, name)
        if found is None:
            raise errors.DocumentNotFound(document=name)
        return found

    async def _receive(self, document: Document, parts: AsyncIterator[Chunk | Finish]) -> None:
        """Stores chunks as segments, up to the finish. What fills no segment when a stream breaks is sent again.

        Raises FinishDiffers, WrongOffset, UploadTooLong, UploadIncomplete, UploadOvertaken, TransferTooSlow,
        StoreUnavailable.
        """
        size = document.content.size_bytes
        position = await self.committed_bytes(document)
        number, pending = -(-position // SEGMENT_BYTES) + 1, bytearray()
        pace, waits_since = Pace(self._config), time.monotonic()
        async for part in parts:
            if isinstance(part, Finish):
                check_finish(document.content, part.size_bytes, part.sha256)
                break
            pace.moved(len(part.data), time.monotonic() - waits_since)
            if part.offset != position:
                raise errors.WrongOffset(given=part.offset, expected=position)
            position += len(part.data)
            if position > size:
                raise errors.UploadTooLong(size_bytes=size)
            pending += part.data
            while pending and len(pending) >= (wanted := segment_size(number, size)):
                await self._store(document.name, number, bytes(memoryview(pending)[:wanted]))
                del pending[:wanted]
                number += 1
            waits_since = time.monotonic()
        else:  # a stream that just ends is a broken one
            raise errors.UploadIncomplete(received=position, size_bytes=size)
        if position < size:
            raise errors.UploadIncomplete(received=position, size_bytes=size)

    async def _store(self, document: str, number: int, data: bytes) -> None:
        """The row first: whatever a crash leaves in S3 stands in the table. Once the row has a version it is safe.

        Raises UploadOvertaken, StoreUnavailable.
        """
        async with self._pool.connection() as connection:
            attempt = await store.begin_segment(connection, document, number, len(data))
        sha256, version = await self._objects.put(segment_key(document, number, attempt), data)
        async with self._pool.connection() as connection:
            await store.store_segment(connection, Segment(document, number, attempt, len(data), sha256, version))

    async def committed_bytes(self, document: Document) -> int:
        """How many bytes are safe: whole segments, from the first."""
        async with self._pool.connection() as connection:
            stored = await store.count_stored(connection, document.name)
        return min(stored * SEGMENT_BYTES, document.content.size_bytes)


class Downloads:
    """Sends bytes out, each segment checked before any of it is sent."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects) -> None:
        self._config = config
        self._pool = pool
        self._objects = objects

    async def send(self, document: Document, wanted: range) -> AsyncIterator[Chunk]:
        """The bytes `wanted` of a document the caller may read, in chunks.

        Raises StoreUnavailable, SegmentDamaged, TransferTooSlow.
        """
        async with self._pool.connection() as connection:
            segments = {segment.number: segment for segment in await store.stored_segments(connection, document.name)}
        position, pace = wanted.start, Pace(self._config)
        for number, part in segments_of(wanted):
            data = memoryview(await self._objects.get(segments[number]))[part]
            for begins in range(0, len(data), CHUNK_BYTES):
                chunk = Chunk(position, bytes(data[begins : begins + CHUNK_BYTES]))
                position += len(chunk.data)
                waits_since = time.monotonic()
                yield chunk
                pace.moved(len(chunk.data), time.monotonic() - waits_since)
