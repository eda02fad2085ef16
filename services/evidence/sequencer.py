"""The sequencer: gives committed statements their gap-free positions, and measures how far their followers are.

Any number of replicas may run it: they take turns at one row.
"""

import asyncio
import time

from prometheus_client import CollectorRegistry, Gauge

from services.evidence import store
from services.evidence.config import EvidenceConfig
from services.runtime import database
from services.runtime.database import Pool
from services.runtime.logs import log


class Figures:
    """What says that the hub is healthy: nothing waits to be numbered or told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.position = Gauge("dabir_ledger_position", "The last position given.", registry=registry)
        self.unnumbered = Gauge("dabir_ledger_unnumbered", "Statements without a position.", registry=registry)
        self.lag = Gauge("dabir_cursor_lag", "Numbered statements not yet dealt with.", ["follower"], registry=registry)
        self.refused = Gauge(
            "dabir_statements_refused", "Statements not told: NEEDS_ATTENTION.", ["follower"], registry=registry
        )

    async def measure(self, pool: Pool) -> None:
        """Read them once."""
        async with pool.connection() as connection:
            last = await store.last_position(connection)
            self.position.set(last)
            self.unnumbered.set(await store.count_unnumbered(connection))
            for follower, position, refusals in await store.cursors(connection):
                self.lag.labels(follower).set(max(0, last - position))
                self.refused.labels(follower).set(refusals)


async def run(pool: Pool, config: EvidenceConfig, figures: Figures) -> None:
    """Number until cancelled. A database that is away is waited for; nothing is lost meanwhile."""
    measure_at = 0.0
    while True:
        try:
            if time.monotonic() >= measure_at:
                await figures.measure(pool)
                measure_at = time.monotonic() + config.measure_seconds
            numbered = await number_once(pool, config.sequencer_batch)
        except database.AWAY as error:
            log.warning("sequencer_waits_for_the_database", error=str(error))
            await asyncio.sleep(config.sequencer_retry_seconds)
            continue
        if numbered < config.sequencer_batch:
            await asyncio.sleep(config.sequencer_poll_ms / 1000)


async def number_once(pool: Pool, batch: int) -> int:
    """Number what waits, at most `batch` statements; returns how many."""
    async with pool.connection() as connection:
        if not await store.has_unnumbered(connection):
            return 0
        return await store.number_statements(connection, batch)
