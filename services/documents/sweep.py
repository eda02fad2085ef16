"""Takes away what no letter needs, and takes up again what a crash interrupted. Runs in every replica; rows decide."""

import asyncio

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
    """A round is `resume_inspections`, then `run`; `forever` repeats it."""

    def __init__(self, config: DocumentsConfig, pool: Pool, objects: Objects, inspections: Inspections) -> None:
        self._periods = config.periods
        self._interval_seconds = config.sweep_interval_seconds
        # Well past what an inspection that still runs somewhere needs.
        self._interrupted_seconds = 2 * config.inspection_time_seconds
        self._pool = pool
        self._objects = objects
        self._inspections = inspections

    async def forever(self) -> None:
        """Rounds until cancelled. A round that fails is logged, and the next one tries again."""
        interrupted_seconds = 0.0  # at the start: whatever we left when we were killed
        while True:
            try:
                await self.resume_inspections(interrupted_seconds)
                await self.run()
            except Exception as error:
                log.warning("sweep_failed", error=type(error).__name__, exc_info=True)
            interrupted_seconds = self._interrupted_seconds
            await asyncio.sleep(self._interval_seconds)

    async def run(self) -> None:
        """Releases claims, deletes documents nobody claimed, and attempts nobody finished. Raises StoreUnavailable."""
        await self.release_claims()
        async with self._pool.connection() as connection, connection.transaction():
            due = await store.begin_sweep(connection, self._periods, _BATCH)
        for document in due:
            try:
                await self._delete(document)
            except DabirError as error:  # one that cannot be deleted must not keep the others
                log.warning("document_not_swept", document=document, reason=error.reason)
        async with self._pool.connection() as connection:
            abandoned = await store.abandoned_attempts(connection, self._periods, _BATCH)
        for document, number, attempt in abandoned:
            await self._objects.delete(segment_key(document, number, attempt), None)
            async with self._pool.connection() as connection:
                await store.forget_attempt(connection, document, number, attempt)

    async def release_claims(self) -> None:
        """A claim whose letter has no chain in the ledger is released, under its row lock; the others stand for good.

        A letter's statement is written in the transaction that registers it, so a letter without a chain does not
        exist; one that is being sent right now has claimed again, and its claim is young.
        """
        async with self._pool.connection() as connection, connection.transaction():
            for document, letter in await store.stale_claims(connection, self._periods, _BATCH):
                registered = await ledger.head(connection, letter) is not None
                await store.settle_claim(connection, document, registered=registered)
                if not registered:
                    log.info("claim_released", document=document, letter=letter)

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
