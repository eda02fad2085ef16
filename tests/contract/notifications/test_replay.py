"""What a body was told, listed and told again on its request."""

import asyncio
import uuid

from google.rpc.error_details_pb2 import RetryInfo

from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import refusal, until
from tests.contract.notifications.harness import ACCEPTANCE, Hub, Running, running
from tests.contract.notifications.receiver import receiving


async def test_lists_are_the_bodys_own_by_state_page_by_page(service: Running) -> None:
    hub = service.hub
    async with receiving(answer=lambda count: 200 if count == 1 else 500) as receiver:
        delivery = await hub.delivery()
        await service.notify(delivery)
        endpoint = await service.endpoint(receiver)
        await service.notify(delivery)
        await until(lambda: len(hub.stated(delivery)) == 1)
        await service.notify(delivery, event_type="delivery.late")
        failed = b"SELECT FROM notifications.notification WHERE outcome = 'FAILED'"
        await until(lambda: bool(hub.rows(failed)))
        await service.notify(delivery, event_type="delivery.late", body="bodies/interior")
    shown = await service.notifications()
    states = [pb.NOTIFICATION_STATE_FAILED, pb.NOTIFICATION_STATE_DELIVERED, pb.NOTIFICATION_STATE_NOT_TOLD]
    assert [one.state for one in shown] == states
    assert [one.event_type for one in shown] == ["delivery.late", "delivery.available", "delivery.available"]
    assert [bool(one.statement) for one in shown] == [False, True, False]
    [attempt] = shown[0].attempts
    assert (attempt.endpoint, attempt.tries, attempt.last_result) == (endpoint, 3, "HTTP_500")
    assert {one.delivery for one in shown} == {delivery}
    for state, expected in zip(states, shown, strict=True):
        assert await service.notifications(state=state) == [expected]
    assert await service.notifications(state=pb.NOTIFICATION_STATE_WAITING) == []
    first = await service.notifications_page(page_size=2)
    second = await service.notifications_page(page_size=2, page_token=first.next_page_token)
    assert [*first.notifications, *second.notifications] == shown
    assert second.next_page_token == ""
    for who, query in [("interior", {}), ("bank", {"state": states[0]})]:
        token = first.next_page_token
        assert (
            await refusal(service.notifications_page(who, page_token=token, **query))
        ).reason == "PAGE_TOKEN_INVALID"
    assert (await refusal(service.notifications(state=9))).reason == "REQUEST_INVALID"
    assert (await refusal(service.notifications(page_size=-1))).reason == "REQUEST_INVALID"
    assert len(await service.notifications("interior")) == 1


async def test_what_failed_is_told_again_under_the_same_id_and_stated(service: Running) -> None:
    async with receiving(answer=lambda _count: 500) as receiver:
        await service.endpoint(receiver)
        delivery = await service.hub.delivery()
        await service.notify(delivery)
        await until(lambda: len(service.hub.stated(delivery)) == 1)
        [told] = await service.notifications()
        receiver.answer = lambda _count: 200
        assert await service.replay(told.name) == 1
        await until(lambda: len(service.hub.stated(delivery)) == 2)
        [told] = await service.notifications()
    assert told.state == pb.NOTIFICATION_STATE_DELIVERED
    assert len({(one.id, one.body) for one in receiver.arrived}) == 1
    assert [event for event, _ in service.hub.stated(delivery)] == [f"{ACCEPTANCE}Failure", ACCEPTANCE]


async def test_a_replay_goes_once_to_all_that_want_it_now(service: Running) -> None:
    hub = service.hub
    async with receiving() as first, receiving() as later, receiving() as unwanted:
        await service.endpoint(first)
        delivery = await hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(hub.stated(delivery)))
        await service.endpoint(later)
        await service.endpoint(unwanted, "delivery.late")
        [told] = await service.notifications()
        request_id = str(uuid.uuid4())
        assert [await service.replay(told.name, request_id=request_id) for _ in range(3)] == [2, 2, 2]
        done = b"SELECT count(*) FROM notifications.attempt WHERE outcome = 'DELIVERED'"
        await until(lambda: hub.rows(done)[0][0] == 2)
        assert await service.replay(told.name, request_id=request_id) == 2
        await service.notify(delivery, event_type="delivery.late")
        await until(lambda: len(unwanted.arrived) == 1)
        available = [one for one in first.arrived if one.said["type"] == "delivery.available"]
        assert len(available) == 2
    assert len({one.id for one in available}) == 1
    assert len(hub.stated(delivery)) == 1


async def test_what_waits_for_a_later_try_is_told_at_once(hub: Hub) -> None:
    async with running(hub, retry_seconds=(3600,)) as service:
        async with receiving(answer=lambda count: 500 if count == 1 else 200) as receiver:
            await service.endpoint(receiver)
            delivery = await hub.delivery()
            await service.notify(delivery)
            await until(lambda: bool(hub.rows(b"SELECT FROM notifications.attempt WHERE last_result IS NOT NULL")))
            [told] = await service.notifications()
            assert told.attempts[0].HasField("next_time")
            await service.replay(told.name)
            await until(lambda: bool(hub.stated(delivery)))


async def test_what_makes_no_sense_is_refused(service: Running) -> None:
    delivery = await service.hub.delivery()
    for _ in range(2):
        await service.notify(delivery)
    one, other = await service.notifications()
    for wrong, who in [
        (one.name, "interior"),
        (one.name.replace("bank", "interior"), "interior"),
        (f"bodies/bank/notifications/{uuid.uuid4()}", "bank"),
        ("nonsense", "bank"),
    ]:
        refused = await refusal(service.replay(wrong, who))
        assert (refused.code, refused.reason) == ("NOT_FOUND", "NOTIFICATION_NOT_FOUND")
    assert (await refusal(service.replay(one.name, request_id="7"))).reason == "REQUEST_INVALID"
    refused = await refusal(service.replay(one.name))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "NO_ENDPOINT")
    assert service.hub.rows(b"SELECT FROM notifications.replay") == []
    await service.create("https://hooks.bank.example/")
    request_id = str(uuid.uuid4())
    await service.replay(one.name, request_id=request_id)
    assert (await refusal(service.replay(other.name, request_id=request_id))).reason == "REQUEST_ID_REUSED"


async def test_it_is_not_told_again_and_again_nor_while_it_is_being_sent(hub: Hub) -> None:
    never = asyncio.Event()

    async def hang() -> int:
        await never.wait()
        return 200

    async with running(hub) as service, receiving(answer=lambda _count: hang()) as receiver:
        await service.endpoint(receiver)
        delivery = await hub.delivery()
        await service.notify(delivery)
        await until(lambda: receiver.under_way == 1)
        [told] = await service.notifications()
        refused = await refusal(service.replay(told.name))
        assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "REPLAYED_TOO_SOON")
        assert 0 < refused.detail(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 10
        never.set()
        await until(lambda: bool(hub.stated(delivery)))
        request_id = str(uuid.uuid4())
        assert await service.replay(told.name, request_id=request_id) == 1
        await until(lambda: len(receiver.arrived) == 2)
        refused = await refusal(service.replay(told.name))
        assert refused.reason == "REPLAYED_TOO_SOON"
        assert 500 < refused.detail(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 600
        assert await service.replay(told.name, request_id=request_id) == 1
    assert len(hub.rows(b"SELECT FROM notifications.replay")) == 1
