"""Takes away what no letter needs, and takes up again what a crash interrupted. Runs in every replica; rows decide."""

import asyncio
import time

from services.documents import store
from services.documents.config import DocumentsConfig
from services.documents.domain.upload import segment_key
from services.documents.inspections import Inspections
from services.documents.objects import Objects
from services.runtime import ledger
from services.runtime.database import Pool
from services.runtime.errors import DabirError
from services.runtime.logs import log

_BATCH = 100


class Sweep:
    """A round is `resume_inspections`, then `run` while there is more to do; `forever` repeats it."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects, inspections: Inspections) -> None:
        self._periods = config.periods
        self._interval_seconds = config.sweep_interval_seconds
        # Well past what an inspection that still runs somewhere needs, asked of a second child too.
        self._interrupted_seconds = 4 * config.inspection_time_seconds
        self._pool = pool
        self._objects = objects
        self._inspections = inspections

    async def forever(self) -> None:
        """A round at each interval until cancelled. One that fails is logged, and the next one tries again."""
        interrupted_seconds = 0.0  # at the start: whatever we left when we were killed
        while True:
            next_at = time.monotonic() + self._interval_seconds
            try:
                await self.resume_inspections(interrupted_seconds)
                while await self.run() and time.monotonic() < next_at:
                    pass
            except Exception as error:
                log.warning("sweep_failed", error=type(error).__name__, exc_info=True)
            interrupted_seconds = self._interrupted_seconds
            await asyncio.sleep(next_at - time.monotonic())

    async def run(self) -> bool:
        """Releases claims, deletes documents nobody claimed, and attempts nobody finished: some of each.

        Says whether there is more that can be done now. Raises StoreUnavailable.
        """
        return any([await self._release_claims(), await self._delete_documents(), await self._delete_attempts()])

    async def _release_claims(self) -> bool:
        """A claim whose letter has no chain in the ledger is released, under its row lock; the others stand for good.

        A letter's statement is written in the transaction that registers it, so a letter without a chain does not
        exist; one that is being sent right now has claimed again, and its claim is young. Says whether there are more.
        """
        async with self._pool.connection() as connection, connection.transaction():
            stale = await store.stale_claims(connection, self._periods, _BATCH)
            for document, letter in stale:
                registered = await ledger.head(connection, letter) is not None
                await store.settle_claim(connection, document, registered=registered)
                if not registered:
                    log.info("claim_released", document=document, letter=letter)
        return len(stale) == _BATCH

    async def _delete_documents(self) -> bool:
        """Says whether there are more that can be deleted now."""
        async with self._pool.connection() as connection, connection.transaction():
            due = await store.begin_sweep(connection, self._periods, _BATCH)
        deleted = 0
        for document in due:
            try:
                await self._delete(document)
                deleted += 1
            except DabirError as error:  # one that cannot be deleted must not keep the others
                log.warning("document_not_swept", document=document, reason=error.reason)
        return len(due) >= _BATCH and deleted > 0

    async def _delete_attempts(self) -> bool:
        """Says whether there are more. Raises StoreUnavailable."""
        async with self._pool.connection() as connection:
            abandoned = await store.abandoned_attempts(connection, self._periods, _BATCH)
        for document, number, attempt in abandoned:
            await self._objects.delete(segment_key(document, number, attempt), None)
            async with self._pool.connection() as connection:
                await store.forget_attempt(connection, document, number, attempt)
        return len(abandoned) == _BATCH

    async def resume_inspections(self, older_than_seconds: float) -> None:
        """Begins again the inspections that a crash interrupted; they run beside the sweep."""
        async with self._pool.connection() as connection:
            interrupted = await store.uninspected(connection, older_than_seconds, _BATCH)
        for name, body in interrupted:
            self._inspections.begin(name, body)

    async def _delete(self, document: str) -> None:
        """Objects before rows: what is interrupted is found marked by the next round. Raises StoreUnavailable."""
        async with self._pool.connection() as connection:
            attempts = await store.attempts_of(connection, document)
        for number, attempt, version in attempts:
            await self._objects.delete(segment_key(document, number, attempt), version)
        async with self._pool.connection() as connection:
            await store.end_sweep(connection, document)
        log.info("document_swept", document=document)
