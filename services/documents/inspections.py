"""Inspects whole documents: INSPECTING → READY or REJECTED. What a crash interrupts is begun again.

There is no lease: two replicas that inspect the same document find the same, and the first finding stands.
"""

import asyncio
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO
from weakref import WeakValueDictionary

from services.documents import store
from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.upload import Document, Segment, State
from services.documents.inspection.finding import Finding, Rejection, reject
from services.documents.inspection.inspector import Inspector, InspectorDiedError
from services.documents.objects import Objects
from services.runtime.database import Pool
from services.runtime.logs import log


@asynccontextmanager
async def open_inspections(config: DocumentsConfig, pool: Pool, objects: Objects) -> AsyncIterator["Inspections"]:
    """Ends what runs, and the inspecting processes, when the context closes."""
    inspections = Inspections(config, pool, objects)
    try:
        yield inspections
    finally:
        await inspections.close()


class Turns:
    """Places that bodies take in turn: of each body one waits for a place, and its others wait behind that one."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)  # first come, first served
        self._first: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def taken(self, body: str) -> AsyncIterator[None]:
        """A place, for `body`, until the context closes."""
        first = self._first.setdefault(body, asyncio.Lock())
        async with first:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()


class Inspections:
    """At most `inspection_processes` at once, bodies in turn, and of one document in this process one."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects) -> None:
        self._folder = config.inspection_folder
        self._pool = pool
        self._objects = objects
        self._inspector = Inspector(config.limits, processes=config.inspection_processes)
        self._turns = Turns(config.inspection_processes)
        self._per_body = config.inspections_per_body
        self._of_body: Counter[str] = Counter()
        self._running: dict[str, asyncio.Task[None]] = {}

    def check_room(self, body: str) -> None:
        """For a further upload of `body`, before its bytes are taken. Raises InspectionsBusy."""
        if self._of_body[body] >= self._per_body:
            raise errors.InspectionsBusy(limit=self._per_body, retry_after_seconds=5.0)

    async def of(self, name: str, body: str) -> None:
        """Returns when the document of `body` is inspected. A caller that gives up leaves the inspection running.

        Raises StoreUnavailable, SegmentDamaged, InspectionInterrupted: then it is still INSPECTING.
        """
        await asyncio.shield(self.begin(name, body))

    def begin(self, name: str, body: str) -> asyncio.Task[None]:
        """The inspection of the document of `body`, begun now if it is not under way."""
        task = self._running.get(name)
        if task is None:
            task = asyncio.create_task(self._inspect(name, body))
            self._running[name] = task
            self._of_body[body] += 1
            task.add_done_callback(lambda ended: self._ended(name, body, ended))
        return task

    async def close(self) -> None:
        """Ends what runs, and the inspecting processes."""
        for task in (running := list(self._running.values())):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._inspector.close()

    def _ended(self, name: str, body: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        self._of_body[body] -= 1
        self._of_body += Counter()  # forgets bodies that have none
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("inspection_interrupted", document=name, error=type(error).__name__)

    async def _inspect(self, name: str, body: str) -> None:
        """Raises StoreUnavailable, SegmentDamaged, InspectionInterrupted."""
        async with self._turns.taken(body):
            async with self._pool.connection() as connection:
                document = await store.find_any(connection, name)
                segments = await store.stored_segments(connection, name)
            if document is None or document.state is not State.INSPECTING:
                return
            try:
                finding = await self._look(document, segments)
            except (InspectorDiedError, OSError) as error:
                log.error("inspection_failed", document=name, error=str(error))
                raise errors.InspectionInterrupted(document=name, retry_after_seconds=5.0) from error
            async with self._pool.connection() as connection:
                await store.record_finding(connection, name, finding)
        log.info("document_inspected", document=name, rejection=finding.rejection)

    async def _look(self, document: Document, segments: list[Segment]) -> Finding:
        """Copies the segments into a file without a name, its digest taken on the way, and has the file inspected.

        Raises StoreUnavailable, SegmentDamaged, InspectorDiedError, and OSError where there is no room for the copy.
        """
        whole = hashlib.sha256()
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            for segment in segments:
                await asyncio.to_thread(_append, file, whole, await self._objects.get(segment))
            if whole.digest() != document.content.sha256:
                return reject(
                    Rejection.DIGEST_MISMATCH,
                    "The bytes that came have another SHA-256 than was declared. Compute it again over the file and "
                    "upload it under a new id.",
                )
            # The child opens it anew through us, read only.
            path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            return await self._inspector.inspect(path, document.content.media_type)


def _append(file: BinaryIO, whole: "hashlib._Hash", data: bytearray) -> None:
    whole.update(data)
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
