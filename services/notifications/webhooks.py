"""Delivers what waits: a few tries at a time at each endpoint, so that a dead one costs the others nothing.

A try is claimed, sent, recorded; no transaction is open while it is sent. Whoever dies in between leaves a claim that
ends, and the same webhook goes out again under the same id.
"""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from prometheus_client import CollectorRegistry, Counter
from psycopg_pool import PoolTimeout, TooManyRequests

from dabir.common.v1.statement_pb2 import StatementEvent
from services.notifications import domain, store
from services.notifications.config import NotificationsConfig
from services.notifications.domain import Endpoint, Notification
from services.notifications.store import Claimed
from services.runtime import logs
from services.runtime.database import Pool
from services.runtime.ledger import Ledger
from services.runtime.logs import log
from services.runtime.outgoing import Answer, Outgoing, OutgoingFailed

GONE = 410
STOP_SECONDS = 5.0
"""How long a stopping process waits for webhooks that are under way."""
_DATABASE_AWAY = (psycopg.Error, PoolTimeout, TooManyRequests)


class Webhooks:
    """The delivery loop of one process; any number of processes may run it."""

    def __init__(
        self, config: NotificationsConfig, pool: Pool, ledger: Ledger, outgoing: Outgoing, registry: CollectorRegistry
    ) -> None:
        self._config, self._pool, self._ledger, self._outgoing = config, pool, ledger, outgoing
        self._under_way: dict[UUID, set[asyncio.Task[None]]] = defaultdict(set)
        self._awake = asyncio.Event()
        self._tries = Counter("dabir_webhook_tries", "Tries, by what came of them.", ["result"], registry=registry)

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        try:
            while True:
                self._awake.clear()
                try:
                    await self._start_due()
                except _DATABASE_AWAY as error:
                    log.warning("webhooks_wait_for_the_database", error=type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), self._config.webhook_poll_seconds)
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """What is under way may still be recorded: otherwise it would be sent again."""
        if tasks := [task for tasks in self._under_way.values() for task in tasks]:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _start_due(self) -> None:
        """For each endpoint as many tries as it has room for: one that hangs takes nobody else's place."""
        async with self._pool.connection() as connection:
            for endpoint in await store.due_endpoints(connection):
                room = self._room(endpoint)
                if room > 0:
                    seconds = self._config.webhook_claim_seconds
                    for claimed in await store.claim(connection, endpoint.id, room, seconds):
                        self._start(endpoint, claimed)

    def _room(self, endpoint: Endpoint) -> int:
        config = self._config
        limit = 1 if endpoint.failing_since is not None else config.webhook_per_endpoint
        total = sum(map(len, self._under_way.values()))
        return min(limit - len(self._under_way.get(endpoint.id, ())), config.webhooks_at_once - total)

    def _start(self, endpoint: Endpoint, claimed: Claimed) -> None:
        task = asyncio.create_task(self._try(endpoint, claimed))
        self._under_way[endpoint.id].add(task)
        task.add_done_callback(lambda ended: self._ended(endpoint.id, ended))

    def _ended(self, endpoint: UUID, task: asyncio.Task[None]) -> None:
        self._under_way[endpoint].discard(task)
        if not self._under_way[endpoint]:
            del self._under_way[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhook_failed", endpoint=str(endpoint), exc_info=error)
        self.wake()

    async def _try(self, endpoint: Endpoint, claimed: Claimed) -> None:
        """One webhook, sent and recorded."""
        logs.begin(claimed.notification.letter.removeprefix("letters/"))
        claim_ends = time.monotonic() + self._config.webhook_claim_seconds
        notification = claimed.notification
        answer, result = await self._send(endpoint, notification)
        self._tries.labels(result).inc()
        log.info("webhook_tried", notification=str(notification.id), tries=claimed.tries, result=result)
        while time.monotonic() < claim_ends:  # afterwards it is another's
            try:
                return await self._record(endpoint, claimed, answer, result)
            except _DATABASE_AWAY as error:
                log.warning("webhook_not_recorded", notification=str(notification.id), error=type(error).__name__)
                await asyncio.sleep(self._config.webhook_poll_seconds)
        return None

    async def _send(self, endpoint: Endpoint, notification: Notification) -> tuple[Answer | None, str]:
        """What came back, if anything did, and that in a word."""
        if endpoint.ended_at is not None:
            return None, "ENDPOINT_ENDED"
        body = domain.payload(notification)
        headers = domain.headers(notification.id, body, endpoint.secret, datetime.now(UTC))
        try:
            answer = await self._outgoing.post(endpoint.url, body, headers)
        except OutgoingFailed as failure:
            return None, failure.reason
        return answer, f"HTTP_{answer.status}"

    async def _record(self, endpoint: Endpoint, claimed: Claimed, answer: Answer | None, result: str) -> None:
        """What came of a try, and in the same transaction what the notification came to, with its statement."""
        config, notification = self._config, claimed.notification
        async with self._pool.connection() as connection, connection.transaction():
            await store.lock_notification(connection, notification.id)
            if _arrived(answer):
                await store.end_attempt(connection, notification.id, endpoint.id, "DELIVERED", result)
                await store.endpoint_answers(connection, endpoint.id)
            else:
                gone = answer is not None and answer.status == GONE
                asked = answer.retry_after if answer is not None else ""
                seconds = domain.retry_after(
                    claimed.tries, config.webhook_retry_seconds, config.webhook_retry_jitter, asked
                )
                if seconds is None or gone or endpoint.ended_at is not None:
                    await store.end_attempt(connection, notification.id, endpoint.id, "FAILED", result)
                else:
                    await store.try_later(connection, notification.id, endpoint.id, claimed.tries, seconds, result)
                await store.endpoint_fails(connection, endpoint.id, gone=gone)
            outcome = domain.decided(await store.standing(connection, notification.id))
            if outcome is not None:
                await self._decide(connection, notification, outcome, result)

    async def _decide(
        self, connection: store.Connection, notification: Notification, outcome: str, result: str
    ) -> None:
        """The notification's outcome, stated where it is evidence. Nothing is locked after the delivery's chain."""
        event, statement = domain.event_of(notification, outcome), None
        if event is not None:
            chains = await self._ledger.open(connection, [notification.delivery])
            stated = await chains.append(
                event=event,
                subject=notification.delivery,
                txn=notification.letter,
                chains=[notification.delivery],
                fields=StatementEvent(channel=domain.CHANNEL, reason=result if outcome == "FAILED" else ""),
                sender_body=notification.sender_body or None,
                recipient_body=notification.body,
                assurance="hub",
            )
            statement = UUID(stated.name.removeprefix("statements/"))
        await store.decide(connection, notification.id, outcome, statement)


def _arrived(answer: Answer | None) -> bool:
    return answer is not None and 200 <= answer.status < 300
