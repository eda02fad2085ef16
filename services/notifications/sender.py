"""Sends what is due: a few tries at a time at each endpoint, so that a dead one costs the others nothing.

A try is claimed, sent, recorded; no transaction is open while it is sent. Whoever dies in between leaves a claim that
ends, and the same goes out again under the same id.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from services.notifications.config import NotificationsConfig
from services.notifications.domain import link, quiet, tries
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result
from services.notifications.places import Keep, Places
from services.notifications.recorder import Recorder
from services.notifications.store import attempts, endpoints, links
from services.notifications.store.attempts import Claimed
from services.runtime import logs
from services.runtime.database import AWAY, Connection, Pool
from services.runtime.logs import log

STOP_SECONDS = 5.0
"""How long a stopping process waits for what is under way."""


class Channel(Protocol):
    """A way to tell. `at_once`: tries under way over all endpoints of this kind, per process."""

    at_once: int

    async def send(self, endpoint: Endpoint, notification: Notification, keep: Keep, /) -> Result:
        """Send it once, in bounded time; whatever goes wrong is the result. A look-up that still goes on: `keep` it."""


class Sender:
    """The sending loop of one process; any number of processes may run it. `channels` by `Endpoint.channel`."""

    def __init__(
        self,
        config: NotificationsConfig,
        pool: Pool,
        recorder: Recorder,
        channels: Mapping[str, Channel],
        registry: CollectorRegistry,
    ) -> None:
        self._config, self._pool, self._recorder, self._channels = config, pool, recorder, channels
        self._places = Places(config.tries_per_endpoint)
        self._awake = asyncio.Event()
        self._tries = Counter("dabir_notification_tries", "Tries, by what came of them.", ["result"], registry=registry)

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        try:
            while not _is_cancelled():
                self._awake.clear()
                try:
                    await self._start_due()
                except AWAY as error:
                    log.warning("sender_waits_for_the_database", error=type(error).__name__)
                # Not wait_for: see _is_cancelled.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._config.poll_seconds):
                        await self._awake.wait()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """What is under way may still be recorded: otherwise it would be sent again."""
        if tasks := self._places.tasks():
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _start_due(self) -> None:
        """For each endpoint as many tries as it has room for: one that hangs takes nobody else's place."""
        async with self._pool.connection() as connection:
            rated = await links.rated_bodies(connection)
            for endpoint in await attempts.due_endpoints(connection):
                room = self._places.free(endpoint, self._channels[endpoint.channel].at_once)
                if room > 0:
                    async with connection.transaction():
                        claimed = await self._claim(connection, endpoint, room, at_rate=endpoint.body in rated)
                        # As it stands now: it may have been enabled, and what it missed replayed, since it was listed.
                        current = await endpoints.find(connection, endpoint.id) if claimed else None
                    for one in claimed:
                        self._start(current or endpoint, one)

    async def _claim(self, connection: Connection, endpoint: Endpoint, room: int, *, at_rate: bool) -> list[Claimed]:
        """What may go now: not what quiet hours hold, and no more than the link's rate lets through."""
        now = datetime.now(UTC)
        until = quiet.held_until(endpoint.quiet_hours, now)
        is_quiet = until is not None
        if until is not None:
            await attempts.hold(connection, endpoint.id, until)
        seconds = self._config.claim_seconds
        if not at_rate:
            return await attempts.claim(connection, endpoint.id, room, seconds, at_rate=False, quiet=is_quiet)
        found = await links.lock_rated(connection, endpoint.body)
        if found is None or found.rate_per_minute is None or found.counted_to is None:
            return []
        room = min(room, link.allowance(found.rate_per_minute, found.counted_to, now))
        claimed = (
            await attempts.claim(connection, endpoint.id, room, seconds, at_rate=True, quiet=is_quiet) if room else []
        )
        counted_to = link.spent(found.rate_per_minute, found.counted_to, now, len(claimed))
        await links.count(connection, endpoint.body, counted_to)
        return claimed

    def _start(self, endpoint: Endpoint, claimed: Claimed) -> None:
        task = asyncio.create_task(self._try(endpoint, claimed))
        self._places.take(endpoint, task)
        task.add_done_callback(lambda ended: self._ended(endpoint.id, ended))

    def _ended(self, endpoint: UUID, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("try_failed", endpoint=str(endpoint), exc_info=error)
        self.wake()

    async def _try(self, endpoint: Endpoint, claimed: Claimed) -> None:
        """One notification at one endpoint, sent and recorded."""
        logs.begin(claimed.notification.letter.removeprefix("letters/"))
        claim_ends = time.monotonic() + self._config.claim_seconds
        notification = str(claimed.notification.id)
        result = await self._send(endpoint, claimed)
        self._tries.labels(result.word).inc()
        log.info("notification_tried", notification=notification, tries=claimed.tries, result=result.word)
        # When the claim is over it is another's, but for an arrival, which nobody else knows of.
        while result.arrived or time.monotonic() < claim_ends:
            try:
                return await self._recorder.record(endpoint, claimed, result)
            except AWAY as error:
                log.warning("try_not_recorded", notification=notification, error=type(error).__name__)
                if _is_cancelled():
                    break
                await asyncio.sleep(self._config.poll_seconds)
        return None

    async def _send(self, endpoint: Endpoint, claimed: Claimed) -> Result:
        if endpoint.ended_at is not None:
            return Result("ENDPOINT_ENDED", final=True, blameless=True)
        if endpoint.disabled_at is not None:
            return Result("ENDPOINT_DISABLED", final=True, blameless=True)
        if not tries.may_send(claimed.tries, self._config.retry_seconds):
            return Result("NOT_RECORDED", final=True, blameless=True)
        keep = partial(self._places.keep, endpoint)
        return await self._channels[endpoint.channel].send(endpoint, claimed.notification, keep)


def _is_cancelled() -> bool:
    """In Python 3.11 the pool's own wait_for may swallow that we are cancelled; the task still knows."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
