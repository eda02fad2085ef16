"""What an answer asks for: later, no more, never again; and an end for what cannot be recorded."""

import random
import time
import uuid

import pytest
from aiohttp import web

from dabir.formats.statement import parse_statement
from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import ACCEPTANCE, Hub, Running, running
from tests.contract.notifications.receiver import receiving


def refused(status: int, retry_after: str) -> web.Response:
    return web.Response(status=status, headers={"Retry-After": retry_after})


async def enable(service: Running, name: str, who: str = "bank") -> pb.Endpoint:
    stub = await service.stub(who)
    answer = await stub.EnableEndpoint(pb.EnableEndpointRequest(name=name), timeout=DEADLINE_SECONDS)
    assert isinstance(answer, pb.EnableEndpointResponse)
    return answer.endpoint


async def listed(service: Running) -> pb.Endpoint:
    stub = await service.stub("bank")
    [endpoint] = (await stub.ListEndpoints(pb.ListEndpointsRequest(), timeout=DEADLINE_SECONDS)).endpoints
    assert isinstance(endpoint, pb.Endpoint)
    return endpoint


def waiting_seconds(hub: Hub) -> list[float]:
    query = b"SELECT extract(epoch FROM next_at - clock_timestamp())::float FROM notifications.attempt WHERE tries = 1"
    return [row[0] for row in hub.rows(query)]


async def test_chance_makes_a_try_later_by_up_to_the_jitter(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + 0.5 * (high - low))
    async with (
        running(hub, retry_seconds=(3600,), retry_jitter=0.5) as service,
        receiving(answer=lambda _count: web.Response(status=500)) as receiver,
    ):
        await service.endpoint(receiver)
        await service.notify(await hub.delivery())
        await until(lambda: waiting_seconds(hub) != [] and waiting_seconds(hub)[0] > 60)
    assert 4490 < waiting_seconds(hub)[0] <= 4500


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
async def test_retry_after_holds_all_that_goes_to_the_endpoint(hub: Hub, status: int, form: str) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    async with (
        running(hub, tries_per_endpoint=1) as service,
        receiving(answer=lambda _count: refused(status, "3600" if form == "seconds" else date)) as receiver,
        receiving() as other,
    ):
        name = await service.endpoint(receiver)
        other.secret = (await service.create(other.url, who="interior")).secret
        delivery = await hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(hub.rows(b"SELECT FROM notifications.endpoint WHERE not_before IS NOT NULL")))
        assert 3500 < waiting_seconds(hub)[0] <= 3600
        await service.notify(delivery, event_type="delivery.late")
        await service.notify(delivery, event_type="delivery.late", body="bodies/interior")
        await until(lambda: len(other.arrived) == 1)
        assert len(receiver.arrived) == 1
        receiver.answer = lambda _count: 200
        await enable(service, name)
        await until(lambda: len(receiver.arrived) == 2)


async def test_a_pause_is_never_longer_than_a_day(service: Running) -> None:
    async with receiving(answer=lambda _count: refused(429, "9999999")) as receiver:
        await service.endpoint(receiver)
        await service.notify(await service.hub.delivery())
        held = b"SELECT extract(epoch FROM not_before - clock_timestamp())::float FROM notifications.endpoint"
        await until(lambda: service.hub.rows(held)[0][0] is not None)
    assert 86000 < service.hub.rows(held)[0][0] <= 86400


async def test_gone_disables_until_its_owner_enables_it(hub: Hub) -> None:
    async with (
        running(hub, tries_per_endpoint=1, webhook_timeout_seconds=0.5, claim_seconds=1.0) as service,
        receiving(answer=lambda _count: 410) as receiver,
    ):
        name = await service.endpoint(receiver)
        delivery = await hub.delivery()
        await service.notify(delivery)
        await service.notify(delivery, event_type="delivery.late")
        done = b"SELECT last_result FROM notifications.attempt WHERE outcome = 'FAILED' ORDER BY 1"
        await until(lambda: len(hub.rows(done)) == 2)
        assert hub.rows(done) == [("ENDPOINT_DISABLED",), ("HTTP_410",)]
        assert len(receiver.arrived) == 1
        endpoint = await listed(service)
        assert (endpoint.state, endpoint.disable_reason) == (pb.ENDPOINT_STATE_DISABLED, "HTTP_410")
        assert endpoint.HasField("disable_time")
        assert await service.down_links() == []
        assert await service.notify(delivery, event_type="delivery.reminder") == 0
        receiver.answer = lambda _count: 200
        for _ in range(2):
            assert (await enable(service, name)).state == pb.ENDPOINT_STATE_ACTIVE
        assert await service.notify(delivery, event_type="delivery.reminder") == 1
        await until(lambda: len(receiver.arrived) == 2)
    assert [event for event, _ in hub.stated(delivery)] == [f"{ACCEPTANCE}Failure"]


async def test_enabling_is_for_the_owner(service: Running) -> None:
    name = (await service.create("https://hooks.bank.example/")).endpoint.name
    unknown = f"{name.rpartition('/')[0]}/{uuid.uuid4()}"
    for wrong, who in [(name, "interior"), ("nonsense", "bank"), (unknown, "bank")]:
        assert (await refusal(enable(service, wrong, who))).reason == "ENDPOINT_NOT_FOUND"


async def test_what_cannot_be_stated_is_recorded_without_it_and_sent_no_more(hub: Hub) -> None:
    """A delivery of which the ledger knows nothing: its statement would be refused for ever."""
    async with (
        running(hub, webhook_timeout_seconds=0.5, claim_seconds=1.0) as service,
        receiving() as receiver,
    ):
        await service.endpoint(receiver)
        letter = (await hub.delivery()).partition("/deliveries/")[0]
        await service.notify(f"{letter}/deliveries/500")
        told = b"SELECT outcome, statement, unstated_reason FROM notifications.notification"
        await until(lambda: hub.rows(told)[0][0] is not None)
        [(outcome, statement, reason)] = hub.rows(told)
        assert (outcome, statement, bool(reason)) == ("DELIVERED", None, True)
        assert hub.rows(b"SELECT outcome, tries FROM notifications.attempt") == [("DELIVERED", 1)]
        await service.notify(await hub.delivery())
        await until(lambda: len(receiver.arrived) == 2)
    assert len({one.id for one in receiver.arrived}) == 2


async def test_a_clock_set_back_while_it_is_stated_costs_no_statement(hub: Hub) -> None:
    delivery = await hub.delivery()
    hub.change(b"CREATE SEQUENCE ledger.read; GRANT USAGE ON SEQUENCE ledger.read TO PUBLIC")
    clock = b"CREATE OR REPLACE FUNCTION ledger.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT %s $$"
    hub.change(
        clock % b"clock_timestamp() - CASE nextval('ledger.read') WHEN 1 THEN interval '0' ELSE interval '2 s' END"
    )
    try:
        async with running(hub) as service, receiving() as receiver:
            await service.endpoint(receiver)
            await service.notify(delivery)
            await until(lambda: bool(hub.stated(delivery)))
    finally:
        hub.change(clock % b"clock_timestamp()")
        hub.change(b"DROP SEQUENCE ledger.read")
    assert hub.rows(b"SELECT outcome, unstated_reason FROM notifications.notification") == [("DELIVERED", None)]


async def test_a_service_that_may_not_state_ends_its_tries(hub: Hub) -> None:
    """Any permanent error of the database's, here a privilege that is missing."""
    hub.change(b"REVOKE EXECUTE ON FUNCTION ledger.lock FROM notifications")
    async with running(hub) as service, receiving(answer=lambda _count: 500) as receiver:
        await service.endpoint(receiver)
        delivery = await hub.delivery()
        await service.notify(delivery)
        told = b"SELECT outcome, unstated_reason FROM notifications.notification"
        await until(lambda: hub.rows(told)[0][0] is not None)
        assert hub.rows(told) == [("FAILED", "InsufficientPrivilege")]
        assert hub.rows(b"SELECT outcome, last_result FROM notifications.attempt") == [("FAILED", "HTTP_500")]
        hub.change(b"GRANT EXECUTE ON FUNCTION ledger.lock TO notifications")
        receiver.answer = lambda _count: 200
        [told_again] = await service.notifications()
        await service.replay(told_again.name)
        await until(lambda: bool(hub.stated(delivery)))
    assert [event for event, _ in hub.stated(delivery)] == [ACCEPTANCE]


async def test_a_try_that_never_gets_a_record_is_not_sent_for_ever(hub: Hub) -> None:
    async with running(hub, delivering=False, retry_seconds=(1,)) as service, receiving() as receiver:
        await service.endpoint(receiver)
        delivery = await hub.delivery()
        await service.notify(delivery)
        hub.change(b"UPDATE notifications.attempt SET tries = 5")
        async with running(hub, retry_seconds=(1,)):
            await until(lambda: bool(hub.stated(delivery)))
    assert receiver.arrived == []
    [(event, jws)] = hub.stated(delivery)
    assert parse_statement(jws).events[event].reason == "NOT_RECORDED"
