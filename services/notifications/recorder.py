"""Records what came of a try, and in the same transaction what the notification came to, with its statement."""

import random

import psycopg
from prometheus_client import CollectorRegistry, Counter

from dabir.common.v1.statement_pb2 import StatementEvent
from services.notifications.config import NotificationsConfig
from services.notifications.domain import notification as told
from services.notifications.domain import tries
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result
from services.notifications.store import attempts, endpoints, notifications
from services.notifications.store.attempts import Claimed
from services.runtime.database import AWAY, Connection, Pool
from services.runtime.ledger import Ledger, statement_id
from services.runtime.logs import log


class Recorder:
    """`record` is called once for each try, and again after an outage."""

    def __init__(self, config: NotificationsConfig, pool: Pool, ledger: Ledger, registry: CollectorRegistry) -> None:
        self._config, self._pool, self._ledger = config, pool, ledger
        self._unstated = Counter(
            "dabir_notifications_unstated", "Outcomes that could not be stated, for ever.", registry=registry
        )

    async def record(self, endpoint: Endpoint, claimed: Claimed, result: Result) -> None:
        """Raises one of `database.AWAY` with nothing recorded.

        What cannot be stated is recorded without its statement, with the reason: unrecorded, it would be sent for ever.
        """
        try:
            try:
                await self._record(endpoint, claimed, result, None)
            except psycopg.errors.InvalidParameterValue:
                # The ledger's, where the clock was set back between two readings of it: the second time it is not.
                await self._record(endpoint, claimed, result, None)
        except AWAY:
            raise
        except Exception as error:
            self._unstated.inc()
            log.exception("outcome_not_stated", notification=str(claimed.notification.id))
            await self._record(endpoint, claimed, result, type(error).__name__)

    async def _record(self, endpoint: Endpoint, claimed: Claimed, result: Result, unstated_reason: str | None) -> None:
        notification = claimed.notification
        async with self._pool.connection() as connection, connection.transaction():
            await notifications.lock(connection, notification.id)
            await self._record_try(connection, endpoint, claimed, result)
            outcome = told.decided(await notifications.standing(connection, notification.id))
            if outcome is not None:
                await self._decide(connection, endpoint, notification, outcome, result, unstated_reason)

    async def _record_try(self, connection: Connection, endpoint: Endpoint, claimed: Claimed, result: Result) -> None:
        config, notification = self._config, claimed.notification.id
        if result.arrived:
            await attempts.arrive(connection, notification, endpoint.id, result.word)
            await endpoints.answers(connection, endpoint.id)
            return
        added = random.uniform(0, config.retry_jitter)  # noqa: S311 - a schedule, no secret
        seconds = tries.next_try_seconds(
            claimed.tries, config.retry_seconds, added=added, asked_seconds=result.asked_seconds
        )
        if seconds is None or result.final:
            await attempts.fail(connection, notification, endpoint.id, claimed.tries, result.word)
        else:
            await attempts.try_later(connection, notification, endpoint.id, claimed.tries, seconds, result.word)
        if result.gone:
            claim_seconds = config.claim_seconds
            await endpoints.disable(connection, endpoint.id, result.word, claim_seconds=claim_seconds)
        if result.throttles:
            await endpoints.hold_back(connection, endpoint.id, result.asked_seconds)
        if not result.blameless:
            await endpoints.fails(connection, endpoint.id)

    async def _decide(
        self,
        connection: Connection,
        endpoint: Endpoint,
        notification: Notification,
        outcome: str,
        result: Result,
        unstated_reason: str | None,
    ) -> None:
        """The notification's outcome, stated where it is evidence. Nothing is locked after the delivery's chain."""
        event, statement = told.event_of(notification, outcome), None
        if event is not None and unstated_reason is None:
            chains = await self._ledger.open(connection, [notification.delivery])
            stated = await chains.append(
                event=event,
                subject=notification.delivery,
                txn=notification.letter,
                chains=[notification.delivery],
                fields=StatementEvent(channel=endpoint.channel, reason=result.word if outcome == told.FAILED else ""),
                sender_body=notification.sender_body or None,
                recipient_body=notification.body,
                assurance="hub",
            )
            statement = statement_id(stated)
        await notifications.decide(connection, notification.id, outcome, statement, unstated_reason)
