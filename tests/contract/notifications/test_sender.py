"""The sender at the edges of a try: a name that hangs, a database away, an endpoint that changed, its own end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from services.notifications.domain.endpoint import WEBHOOK, Endpoint
from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result
from services.notifications.places import Keep
from services.notifications.recorder import Recorder
from services.notifications.sender import Channel, Sender
from services.notifications.webhooks import Webhooks
from services.runtime.database import Pool, open_pool
from services.runtime.metrics import Metrics
from services.runtime.outgoing import Outgoing
from services.runtime.seals import open_ledger
from tests.contract.harness import until
from tests.contract.notifications.harness import BANK, OTHER, Hub, running
from tests.contract.notifications.receiver import receiving
from tests.contract.notifications.slow_names import SlowNames


class Watched:
    """The pool, and how often a connection was asked for."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self.asked = pool, 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        self.asked += 1
        await self.wait()
        async with self._pool.connection() as connection:
            yield connection

    async def wait(self) -> None:
        """No longer than the pool's own."""


class Swallowing(Watched):
    """Its first wait swallows a cancellation that meets its time-out, as the pool's may: Python 3.11's wait_for."""

    async def wait(self) -> None:
        if self.asked == 1:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            raise PoolTimeout


class Arriving:
    """A channel of the test's own, by which all arrives once it may."""

    def __init__(self) -> None:
        self.at_once, self.sent, self.may = 8, 0, asyncio.Event()

    async def send(self, _endpoint: Endpoint, _notification: Notification, _keep: Keep, /) -> Result:
        self.sent += 1
        await self.may.wait()
        return Result("HTTP_200", arrived=True)


@dataclass
class Sending:
    """The sending loop alone, and the pools by which it claims and records."""

    task: asyncio.Task[None]
    claims: Watched
    records: Watched

    async def is_cancelled(self) -> None:
        """Once, and it ends; or asks for a connection again."""
        before = self.claims.asked, self.records.asked
        self.task.cancel()
        await until(lambda: self.task.done() or before != (self.claims.asked, self.records.asked))
        assert self.task.done()


@asynccontextmanager
async def sender_of(
    hub: Hub, channel: Channel, *, claims: type[Watched] = Watched, records: type[Watched] = Watched, **settings: Any
) -> AsyncIterator[Sending]:
    config, registry = hub.config(**settings), Metrics().registry
    async with open_pool(config) as pool:
        claiming: Any = claims(pool)
        recording: Any = records(pool)
        recorder = Recorder(config, recording, open_ledger(config), registry)
        task = asyncio.create_task(Sender(config, claiming, recorder, {WEBHOOK: channel}, registry).run())
        try:
            yield Sending(task, claiming, recording)
        finally:
            task.cancel()
            await asyncio.wait([task])


def tried(hub: Hub, body: str) -> list[Any]:
    """Of one body: tries and last result of each attempt, by both."""
    return hub.rows(
        b"""
        SELECT a.tries, a.last_result FROM notifications.attempt AS a
            JOIN notifications.endpoint AS e ON e.id = a.endpoint
        WHERE e.body = %s ORDER BY 1, 2
        """,
        body,
    )


async def test_a_name_that_hangs_keeps_its_place_until_its_thread_is_free(hub: Hub, slow: SlowNames) -> None:
    """Of two places one is for failing endpoints: that of the thread, though the try has long ended."""
    outgoing = Outgoing(
        allowed_networks=["127.0.0.0/8"], timeout_seconds=5.0, connect_seconds=0.2, at_once=2, resolve=slow
    )
    async with receiving() as receiver, running(hub, delivering=False) as service, outgoing:
        delivery = await hub.delivery()
        hanging = await service.create(f"http://slow.bank.example:{receiver.port}/hook")
        for _ in range(2):
            await service.notify(delivery, event_type="delivery.late")
        async with sender_of(hub, Webhooks(outgoing, 2)):
            await until(lambda: tried(hub, BANK) == [(0, None), (1, "TIMEOUT")])
            sound = await service.create(f"http://hooks.interior.example:{receiver.port}/hook", who="interior")
            receiver.secret = sound.secret
            await service.notify(delivery, event_type="delivery.late", body=OTHER)
            await until(lambda: len(receiver.arrived) == 1)
            # The loop has passed the other's due notification, too.
            assert tried(hub, BANK) == [(0, None), (1, "TIMEOUT")]
            assert len(slow.threads()) == 1
            receiver.secret = hanging.secret
            slow.answer.set()
            await until(lambda: len(receiver.arrived) == 2)
    assert receiver.hosts[0] == f"hooks.interior.example:{receiver.port}"


@pytest.mark.parametrize("sqlstate", ["cannot_connect_now", "read_only_sql_transaction"])
async def test_an_arrival_is_recorded_however_long_the_database_is_away(hub: Hub, sqlstate: str) -> None:
    """Also when its claim is long over: nobody else knows of it, and forgotten, it would be sent again."""
    channel = Arriving()
    await one_waits(hub)
    claim: dict[str, Any] = {"webhook_timeout_seconds": 0.001, "claim_seconds": 0.002}
    async with sender_of(hub, channel, tries_per_endpoint=1, **claim) as sending:
        await until(lambda: channel.sent == 1)
        with away(hub, sqlstate):
            channel.may.set()
            await until(lambda: sending.records.asked > 2)  # the second may be of what cannot be stated
            sending.task.cancel()  # only what is under way goes on
        await asyncio.wait([sending.task])
    assert tried(hub, BANK) == [(1, "HTTP_200")]


@pytest.mark.parametrize(
    ("was", "becomes", "result"),
    [
        (b"", b"disabled_at = now(), disabled_reason = 'HTTP_410'", "ENDPOINT_DISABLED"),
        (b"", b"ended_at = now()", "ENDPOINT_ENDED"),
        (
            b"disabled_at = now(), disabled_reason = 'HTTP_410'",
            b"disabled_at = NULL, disabled_reason = NULL",
            "HTTP_200",
        ),
    ],
    ids=["disabled", "deleted", "enabled"],
)
async def test_an_endpoint_that_changed_since_it_was_listed_counts_as_it_is(
    hub: Hub, was: bytes, becomes: bytes, result: str
) -> None:
    channel = Arriving()
    channel.may.set()
    await one_waits(hub)
    if was:
        hub.change(b"UPDATE notifications.endpoint SET " + was)
    async with await psycopg.AsyncConnection.connect(hub.postgres.owner_url) as order:
        await order.execute("LOCK TABLE notifications.attempt IN SHARE MODE")  # may be read, not claimed
        async with sender_of(hub, channel):
            waits = b"SELECT FROM pg_locks WHERE NOT granted AND relation = 'notifications.attempt'::regclass"
            await until(lambda: bool(hub.rows(waits)))
            await order.execute(b"UPDATE notifications.endpoint SET " + becomes)
            await order.commit()
            await until(lambda: tried(hub, BANK) == [(1, result)])
    assert channel.sent == (result == "HTTP_200")


async def test_the_loop_ends_though_its_cancellation_was_swallowed(hub: Hub) -> None:
    async with sender_of(hub, Arriving(), claims=Swallowing) as sending:
        await until(lambda: sending.claims.asked == 1)
        await sending.is_cancelled()


async def test_a_try_ends_though_its_cancellation_was_swallowed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifications.sender.STOP_SECONDS", 0.0)
    channel = Arriving()
    channel.may.set()
    await one_waits(hub)
    async with sender_of(hub, channel, records=Swallowing) as sending:
        await until(lambda: sending.records.asked == 1)
        await sending.is_cancelled()
    assert tried(hub, BANK) == [(1, None)]


async def one_waits(hub: Hub) -> None:
    """One notification of bank's for one endpoint; nobody sends."""
    async with running(hub, delivering=False) as service:
        await service.create("https://hooks.bank.example/")
        await service.notify(await hub.delivery(), event_type="delivery.late")


@contextlib.contextmanager
def away(hub: Hub, sqlstate: str) -> Iterator[None]:
    """PostgreSQL takes no change of an attempt, with the word of a server that is stopping, or of a standby."""
    hub.change(
        b"""
        CREATE FUNCTION notifications.away() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'the database is away' USING ERRCODE = '%b'; END $$;
        CREATE TRIGGER away BEFORE UPDATE ON notifications.attempt EXECUTE FUNCTION notifications.away()
        """
        % sqlstate.encode()
    )
    try:
        yield
    finally:
        hub.change(b"DROP TRIGGER away ON notifications.attempt; DROP FUNCTION notifications.away()")
