"""Links that are down, paused and resumed at a rate; nothing sent meanwhile, nothing lost."""

import asyncio
import time
import uuid

import pytest

from dabir.notifications.v1 import notifications_pb2 as pb
from dabir.notifications.v1.notifications_pb2_grpc import NotificationInternalServiceStub
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import BANK, OTHER, Hub, Running, running
from tests.contract.notifications.receiver import receiving

URL = "https://hooks.bank.example/dabir"


async def pause(service: Running, body: str = BANK, request_id: str = "", who: str = "worker") -> None:
    stub = await service.stub(who, NotificationInternalServiceStub)
    request = pb.PauseLinkRequest(body=body, request_id=request_id or str(uuid.uuid4()))
    await stub.PauseLink(request, timeout=DEADLINE_SECONDS)


async def resume(service: Running, rate: int = 0, body: str = BANK, request_id: str = "", who: str = "worker") -> None:
    stub = await service.stub(who, NotificationInternalServiceStub)
    request = pb.ResumeLinkRequest(body=body, request_id=request_id or str(uuid.uuid4()), rate_per_minute=rate)
    await stub.ResumeLink(request, timeout=DEADLINE_SECONDS)


async def test_while_paused_nothing_is_sent_and_nothing_is_lost(service: Running) -> None:
    hub = service.hub
    async with receiving() as receiver, receiving() as other:
        await service.endpoint(receiver)
        other.secret = (await service.create(other.url, who="interior")).secret
        delivery = await hub.delivery()
        await pause(service)
        for _ in range(5):
            assert await service.notify(delivery, event_type="delivery.late") == 1
        await service.notify(delivery, event_type="delivery.late", body=OTHER)
        await until(lambda: len(other.arrived) == 1)
        [link] = await service.down_links()
        assert (link.body, link.waiting, link.oldest.seconds) == (BANK, 5, 1795342473)
        assert link.since == link.pause_time
        assert receiver.arrived == []
        # Of the body's own: that the other's arrived may not be recorded yet.
        tries = b"SELECT sum(tries) FROM notifications.attempt JOIN notifications.notification ON id = notification"
        assert hub.rows(tries + b" WHERE body = %s", BANK) == [(0,)]
        await resume(service)
        await until(lambda: len({one.id for one in receiver.arrived}) == 5)
        assert await service.down_links() == []
    assert len(receiver.arrived) == 5


async def test_a_pause_outlives_the_process(hub: Hub) -> None:
    async with receiving() as receiver:
        async with running(hub) as service:
            await service.endpoint(receiver)
            await pause(service)
            await service.notify(await hub.delivery(), event_type="delivery.late")
        async with running(hub) as service:
            await service.notify(await hub.delivery(), event_type="delivery.late")
            assert [link.waiting for link in await service.down_links()] == [2]
            assert receiver.arrived == []
            await resume(service)
            await until(lambda: len(receiver.arrived) == 2)


async def test_what_waits_is_sent_at_the_rate_by_all_processes_together(hub: Hub) -> None:
    async with running(hub) as service, running(hub), receiving() as receiver:
        await service.endpoint(receiver)
        delivery = await hub.delivery()
        await pause(service)
        for _ in range(25):
            await service.notify(delivery, event_type="delivery.late")
        began = time.monotonic()
        await resume(service, rate=600)
        await until(lambda: len(receiver.arrived) == 25)
        took = time.monotonic() - began
        # The first goes at once, and no more than ten a second after it.
        assert took >= 2.3
        ended = b"SELECT rate_per_minute, counted_to FROM notifications.link"
        await service.notify(delivery, event_type="delivery.late")
        await until(lambda: hub.rows(ended) == [(None, None)])


async def test_what_failed_before_the_pause_does_not_wait_for_its_schedule(hub: Hub) -> None:
    async with (
        running(hub, retry_seconds=(3600,)) as service,
        receiving(answer=lambda count: 500 if count == 1 else 200) as receiver,
    ):
        await service.endpoint(receiver)
        await service.notify(await hub.delivery(), event_type="delivery.late")
        await until(lambda: bool(hub.rows(b"SELECT FROM notifications.attempt WHERE last_result IS NOT NULL")))
        [link] = await service.down_links()
        assert not link.HasField("pause_time")
        await pause(service)
        [paused] = await service.down_links()
        assert (paused.since, paused.waiting) == (link.since, 1)
        await resume(service, rate=60)
        await until(lambda: len(receiver.arrived) == 2)


async def test_an_order_is_obeyed_once(service: Running) -> None:
    name = (await service.create(URL)).endpoint.name
    paused, resumed = str(uuid.uuid4()), str(uuid.uuid4())
    for _ in range(2):
        await pause(service, request_id=paused)
    for _ in range(2):
        await resume(service, 60, request_id=resumed)
    await (await service.stub("bank")).DeleteEndpoint(pb.DeleteEndpointRequest(name=name), timeout=DEADLINE_SECONDS)
    await pause(service, request_id=paused)
    assert service.hub.rows(b"SELECT paused_at, rate_per_minute FROM notifications.link") == [(None, 60)]
    assert service.hub.rows(b"SELECT count(*) FROM notifications.link_order") == [(2,)]


async def test_many_at_once_pause_it_once(service: Running) -> None:
    await service.create(URL)
    request_id = str(uuid.uuid4())
    await asyncio.gather(*(pause(service, request_id=request_id) for _ in range(10)))
    assert service.hub.rows(b"SELECT count(*) FROM notifications.link_order") == [(1,)]


async def test_what_makes_no_sense_is_refused(service: Running) -> None:
    refused = await refusal(pause(service))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "LINK_NOT_FOUND")
    await service.create(URL)
    await service.create(URL, who="interior")
    refused = await refusal(resume(service))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "LINK_NOT_PAUSED")
    request_id = str(uuid.uuid4())
    await pause(service, request_id=request_id)
    refused = await refusal(pause(service))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "LINK_PAUSED")
    for reused in (pause(service, OTHER, request_id), resume(service, 60, request_id=request_id)):
        refused = await refusal(reused)
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    for wrong in (
        resume(service, -1),
        resume(service, 60001),
        resume(service, body="bank"),
        pause(service, body="bank"),
        pause(service, request_id="7"),
        resume(service, request_id="7"),
    ):
        assert (await refusal(wrong)).reason == "REQUEST_INVALID"
    assert service.hub.rows(b"SELECT count(*) FROM notifications.link_order") == [(1,)]


@pytest.mark.parametrize("call", [pause, resume])
async def test_members_may_not(service: Running, call: object) -> None:
    refused = await refusal(call(service, who="bank"))  # type: ignore[operator]  # one of the two above
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_links_that_are_down_come_page_by_page(service: Running) -> None:
    await service.create(URL)
    await service.create(URL, who="interior")
    await pause(service)
    await pause(service, OTHER)
    stub = await service.stub("worker", NotificationInternalServiceStub)
    first = await stub.ListDownLinks(pb.ListDownLinksRequest(page_size=1), timeout=DEADLINE_SECONDS)
    request = pb.ListDownLinksRequest(page_size=1, page_token=first.next_page_token)
    second = await stub.ListDownLinks(request, timeout=DEADLINE_SECONDS)
    assert [link.body for link in (*first.links, *second.links)] == [BANK, OTHER]
    assert second.next_page_token == ""
    wrongs = [
        (pb.ListDownLinksRequest(page_token="nonsense"), "PAGE_TOKEN_INVALID"),  # noqa: S106 - no password
        (pb.ListDownLinksRequest(page_size=-1), "REQUEST_INVALID"),
    ]
    for wrong, reason in wrongs:
        call = stub.ListDownLinks(wrong, timeout=DEADLINE_SECONDS)
        assert (await refusal(call)).reason == reason
