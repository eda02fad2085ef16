"""What may happen between a try and its record: an order, another try; step by step."""

import uuid
from typing import Any

import psycopg

from dabir.common.v1.manifest_pb2 import Priority
from services.notifications.store import attempts, endpoints, links
from tests.contract.harness import until
from tests.contract.notifications.harness import BANK, Hub, running

URL = "https://hooks.bank.example/dabir"
CLAIM_SECONDS = 60.0


async def connect(hub: Hub) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(hub.postgres.database_url("notifications"), autocommit=True)


async def waiting(hub: Hub, count: int = 1) -> uuid.UUID:
    """So many notifications wait for the one endpoint, whose id it is; nobody sends."""
    async with running(hub, delivering=False) as service:
        name = (await service.create(URL)).endpoint.name
        for _ in range(count):
            await service.notify(await hub.delivery(), event_type="delivery.late")
    return uuid.UUID(name.rpartition("/")[2])


async def test_what_arrived_has_arrived_though_another_try_was_recorded_as_failed(hub: Hub) -> None:
    endpoint = await waiting(hub)
    async with await connect(hub) as connection:
        [first] = await attempts.claim(connection, endpoint, 1, 0.0, at_rate=False)
        [second] = await attempts.claim(connection, endpoint, 1, CLAIM_SECONDS, at_rate=False)
        await attempts.fail(connection, second.notification.id, endpoint, second.tries, "HTTP_500")
        await attempts.arrive(connection, first.notification.id, endpoint, "HTTP_200")
    assert hub.rows(b"SELECT outcome FROM notifications.attempt") == [("DELIVERED",)]


async def test_resuming_a_link_sends_nothing_again_that_is_under_way(hub: Hub) -> None:
    endpoint = await waiting(hub, 2)
    async with await connect(hub) as connection:
        [under_way] = await attempts.claim(connection, endpoint, 1, CLAIM_SECONDS, at_rate=False)
        hub.change(
            b"UPDATE notifications.attempt SET next_at = now() + interval '1 hour' WHERE notification <> %s",
            under_way.notification.id,
        )
        await links.lock(connection, BANK)
        await links.resume(connection, BANK, None, None, CLAIM_SECONDS)
        [resumed] = await attempts.claim(connection, endpoint, 5, CLAIM_SECONDS, at_rate=False)
    assert resumed.notification.id != under_way.notification.id


async def test_who_did_not_see_that_a_link_got_a_rate_claims_nothing(hub: Hub) -> None:
    endpoint = await waiting(hub)
    async with await connect(hub) as connection:
        await links.lock(connection, BANK)
        hub.change(b"UPDATE notifications.link SET rate_per_minute = 60, counted_to = now()")
        assert await attempts.claim(connection, endpoint, 5, CLAIM_SECONDS, at_rate=False) == []
        assert len(await attempts.claim(connection, endpoint, 5, CLAIM_SECONDS, at_rate=True)) == 1


async def test_two_that_are_told_410_at_once_do_not_wait_for_each_other(hub: Hub) -> None:
    endpoint = await waiting(hub, 2)
    async with await connect(hub) as one, await connect(hub) as other:
        first, second = await attempts.claim(one, endpoint, 2, CLAIM_SECONDS, at_rate=False)
        await one.execute("BEGIN")
        await other.execute("BEGIN")
        await attempts.fail(one, first.notification.id, endpoint, first.tries, "HTTP_410")
        await attempts.fail(other, second.notification.id, endpoint, second.tries, "HTTP_410")
        await endpoints.disable(one, endpoint, "HTTP_410", claim_seconds=CLAIM_SECONDS)
        await one.execute("COMMIT")
        await endpoints.disable(other, endpoint, "HTTP_410", claim_seconds=CLAIM_SECONDS)
        await other.execute("COMMIT")
    await until(lambda: hub.rows(b"SELECT disabled_reason FROM notifications.endpoint") == [("HTTP_410",)])
    assert hub.rows(b"SELECT DISTINCT outcome FROM notifications.attempt") == [("FAILED",)]


async def test_what_may_wait_and_comes_after_all_else_was_held_is_not_sent_in_quiet_hours(hub: Hub) -> None:
    endpoint = await waiting(hub)
    hub.change(b"UPDATE notifications.notification SET priority = %s", Priority.PRIORITY_NORMAL)
    async with await connect(hub) as connection:
        assert await attempts.claim(connection, endpoint, 1, CLAIM_SECONDS, at_rate=False, quiet=True) == []
        assert len(await attempts.claim(connection, endpoint, 1, CLAIM_SECONDS, at_rate=False)) == 1
