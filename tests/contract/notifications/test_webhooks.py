"""Webhooks: what arrives, how often, and what is stated of it."""

import asyncio
import uuid

from aiohttp import web

from dabir.formats.statement import parse_statement
from tests.contract.harness import until
from tests.contract.notifications.harness import ACCEPTANCE, BANK, OTHER, Hub, Running, running
from tests.contract.notifications.receiver import receiving


async def test_a_webhook_arrives_signed_and_is_stated_once(service: Running) -> None:
    hub = service.hub
    async with receiving() as receiver:
        await service.endpoint(receiver)
        delivery, told = await hub.delivery(), str(uuid.uuid4())
        assert await service.notify(delivery, notification_id=told) == 1
        await until(lambda: bool(hub.stated(delivery)))
        arrived = receiver.arrived[0]
    assert arrived.id == told
    letter = delivery.partition("/deliveries/")[0]
    timestamp = "2026-11-22T10:14:33.123456Z"
    data = {"letter": letter, "delivery": delivery}
    assert arrived.said == {"type": "delivery.available", "timestamp": timestamp, "data": data}
    [(event, jws)] = hub.stated(delivery)
    said = parse_statement(jws)
    assert (event, said.sub, said.txn) == (ACCEPTANCE, delivery, letter)
    assert said.events[event].channel == "webhook"
    assert said.events[event].links[0].sequence == 2
    parties = b"SELECT sender_body, recipient_body FROM ledger.statement WHERE event = %s AND subject = %s"
    assert hub.rows(parties, event, delivery) == [(OTHER, BANK)]
    assert (
        hub.rows(
            b"SELECT count(*) FROM notifications.notification WHERE outcome = 'DELIVERED' AND statement IS NOT NULL"
        )[0][0]
        == 1
    )


async def test_a_repeated_notify_sends_nothing_more(service: Running) -> None:
    async with receiving() as receiver:
        await service.endpoint(receiver)
        delivery, told = await service.hub.delivery(), str(uuid.uuid4())
        for _ in range(3):
            assert await service.notify(delivery, notification_id=told) == 1
        await until(lambda: bool(service.hub.stated(delivery)))
        assert await service.notify(delivery, notification_id=told) == 1
    assert len(receiver.arrived) == 1
    assert len(service.hub.stated(delivery)) == 1


async def test_a_failure_is_tried_again_under_the_same_id(service: Running) -> None:
    async with receiving(answer=lambda count: 200 if count == 3 else 503) as receiver:
        await service.endpoint(receiver)
        delivery = await service.hub.delivery()
        await service.notify(delivery)
        await until(
            lambda: (
                len(receiver.arrived) == 1
                and bool(service.hub.rows(b"SELECT FROM notifications.endpoint WHERE failing_since IS NOT NULL"))
            )
        )
        [link] = await service.down_links()
        assert (link.body, link.waiting) == (BANK, 1)
        await until(lambda: bool(service.hub.stated(delivery)))
        assert len({(one.id, one.body) for one in receiver.arrived}) == 1
        assert len(receiver.arrived) == 3
        assert await service.down_links() == []


async def test_what_never_arrives_is_stated_as_failed(service: Running) -> None:
    async with receiving(answer=lambda _count: 500) as receiver:
        await service.endpoint(receiver)
        delivery = await service.hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(service.hub.stated(delivery)))
    [(event, jws)] = service.hub.stated(delivery)
    assert event == f"{ACCEPTANCE}Failure"
    assert parse_statement(jws).events[event].reason == "HTTP_500"
    assert len(receiver.arrived) == 3


async def test_one_statement_for_a_body_with_several_endpoints(service: Running) -> None:
    async with receiving(answer=lambda _count: 500) as broken, receiving() as sound:
        await service.endpoint(broken)
        await service.endpoint(sound)
        delivery = await service.hub.delivery()
        assert await service.notify(delivery) == 2
        done = b"SELECT count(*) FROM notifications.attempt WHERE outcome IS NOT NULL"
        await until(lambda: service.hub.rows(done)[0][0] == 2)
    assert [event for event, _ in service.hub.stated(delivery)] == [ACCEPTANCE]
    assert broken.arrived[0].id == sound.arrived[0].id


async def test_without_an_endpoint_nothing_is_sent_or_stated(service: Running) -> None:
    async with receiving() as receiver:
        await service.endpoint(receiver, "delivery.late")
        delivery = await service.hub.delivery()
        assert await service.notify(delivery) == 0
        assert await service.notify(delivery, event_type="delivery.late") == 1
        await until(lambda: bool(receiver.arrived))
        done = b"SELECT count(*) FROM notifications.notification WHERE outcome = 'DELIVERED'"
        await until(lambda: service.hub.rows(done)[0][0] == 1)
    assert [one.said["type"] for one in receiver.arrived] == ["delivery.late"]
    assert service.hub.stated(delivery) == []


async def test_redirects_are_failures_and_gone_ends_the_endpoint(service: Running) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        moved = web.Response(status=307, headers={"Location": elsewhere.url})
        receiver.answer = lambda count: moved if count == 1 else 410
        elsewhere.secret = (await service.create(receiver.url)).secret
        receiver.secret = elsewhere.secret
        delivery = await service.hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(service.hub.stated(delivery)))
        assert (len(receiver.arrived), len(elsewhere.arrived)) == (2, 0)
        assert await service.notify(delivery) == 0
    assert parse_statement(service.hub.stated(delivery)[0][1]).events[f"{ACCEPTANCE}Failure"].reason == "HTTP_410"


async def test_a_dead_endpoint_costs_the_others_nothing(hub: Hub) -> None:
    never = asyncio.Event()

    async def hang() -> int:
        await never.wait()
        return 200

    async with (
        running(hub, tries_per_endpoint=2, webhook_timeout_seconds=30.0, claim_seconds=60.0) as service,
        receiving(answer=lambda _count: hang()) as dead,
        receiving() as sound,
    ):
        await service.endpoint(dead)
        delivery = await hub.delivery()
        for _ in range(50):
            await service.notify(delivery, event_type="delivery.late")
        await until(lambda: dead.under_way == 2)
        made = await service.create(sound.url, who="interior")
        sound.secret = made.secret
        for _ in range(20):
            await service.notify(delivery, event_type="delivery.late", body=OTHER)
        await until(lambda: len({one.id for one in sound.arrived}) == 20)
        assert dead.most_under_way == 2
        assert hub.rows(b"SELECT count(*) FROM notifications.attempt WHERE outcome IS NULL AND tries = 0") == [(48,)]
        assert sound.most_under_way <= 2
        never.set()


async def test_two_processes_share_what_is_due(hub: Hub) -> None:
    async with running(hub) as service, running(hub), receiving() as receiver:
        await service.endpoint(receiver)
        delivery = await hub.delivery()
        for _ in range(40):
            await service.notify(delivery, event_type="delivery.late")
        done = b"SELECT count(*) FROM notifications.attempt WHERE outcome = 'DELIVERED' AND tries = 1"
        await until(lambda: hub.rows(done)[0][0] == 40)
    assert len(receiver.arrived) == 40
    assert len({one.id for one in receiver.arrived}) == 40
