"""Quiet hours hold what may wait, never an immediate letter, and never a webhook whose owner did not ask for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dabir.common.v1.manifest_pb2 import Priority
from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import Hub, Running, running
from tests.contract.notifications.receiver import receiving


def now_quiet() -> dict[str, str]:
    now = datetime.now(UTC)
    start, end = ((now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 2))
    return {"start": start, "end": end, "time_zone": "Etc/UTC"}


async def set_quiet_hours(service: Running, name: str, who: str = "bank", **hours: str) -> pb.Endpoint:
    request = pb.SetQuietHoursRequest(name=name, quiet_hours=pb.QuietHours(**hours) if hours else None)
    answer = await (await service.stub(who)).SetQuietHours(request, timeout=DEADLINE_SECONDS)
    assert isinstance(answer, pb.SetQuietHoursResponse)
    return answer.endpoint


async def test_what_may_wait_waits_and_what_is_immediate_goes(service: Running) -> None:
    hub = service.hub
    async with receiving() as receiver, receiving() as awake:
        name = await service.endpoint(receiver)
        awake.secret = (await service.create(awake.url)).secret
        await set_quiet_hours(service, name, **now_quiet())
        delivery = await hub.delivery()
        for priority in (Priority.PRIORITY_NORMAL, Priority.PRIORITY_URGENT):
            await service.notify(delivery, event_type="delivery.late", priority=priority)
        await until(lambda: len(awake.arrived) == 2)
        immediate = await notify_and_note(service, delivery, Priority.PRIORITY_IMMEDIATE)
        unsaid = await notify_and_note(service, delivery, Priority.PRIORITY_UNSPECIFIED)
        await until(lambda: len(receiver.arrived) == 2)
        assert {one.id for one in receiver.arrived} == {immediate, unsaid}
        held = b"""
            SELECT count(*), sum(tries) FROM notifications.attempt
            WHERE outcome IS NULL AND next_at > clock_timestamp() + interval '1 hour'
            """
        await until(lambda: hub.rows(held) == [(2, 0)])
        assert await service.down_links() == []


async def notify_and_note(service: Running, delivery: str, priority: int) -> str:
    """Its id."""
    await service.notify(delivery, event_type="delivery.reminder", priority=priority)
    [newest, *_] = await service.notifications()
    return newest.name.rpartition("/")[2]


async def test_what_was_held_goes_when_the_hours_end(hub: Hub) -> None:
    async with running(hub) as service, receiving() as receiver:
        name = await service.endpoint(receiver)
        await set_quiet_hours(service, name, **now_quiet())
        await service.notify(await hub.delivery(), priority=Priority.PRIORITY_NORMAL)
        held = b"SELECT FROM notifications.attempt WHERE next_at > clock_timestamp() + interval '1 hour'"
        await until(lambda: bool(hub.rows(held)))
        assert not (await set_quiet_hours(service, name)).HasField("quiet_hours")
        hub.change(b"UPDATE notifications.attempt SET next_at = clock_timestamp()")
        await until(lambda: len(receiver.arrived) == 1)


async def test_they_are_shown_and_may_be_set_again(service: Running) -> None:
    name = (await service.create("https://hooks.bank.example/")).endpoint.name
    hours = {"start": "22:00", "end": "06:30", "time_zone": "Asia/Tehran"}
    for _ in range(2):
        assert (await set_quiet_hours(service, name, **hours)).quiet_hours == pb.QuietHours(**hours)


WRONG_HOURS = [
    ({"start": "24:00"}, "quiet_hours.start"),
    ({"end": "6:30"}, "quiet_hours.end"),
    ({"end": "22:00"}, "quiet_hours.end"),
    ({"time_zone": "Asia/Atlantis"}, "quiet_hours.time_zone"),
    ({"time_zone": "../UTC"}, "quiet_hours.time_zone"),
]


async def test_what_are_no_hours_is_refused(service: Running) -> None:
    name = (await service.create("https://hooks.bank.example/")).endpoint.name
    for wrong, field in WRONG_HOURS:
        hours = {"start": "22:00", "end": "06:30", "time_zone": "Asia/Tehran"} | wrong
        refused = await refusal(set_quiet_hours(service, name, **hours))
        assert (refused.code, refused.reason, refused.fields) == ("INVALID_ARGUMENT", "QUIET_HOURS_INVALID", [field])
    assert service.hub.rows(b"SELECT quiet_zone FROM notifications.endpoint") == [(None,)]


async def test_they_are_the_owners(service: Running) -> None:
    name = (await service.create("https://hooks.bank.example/")).endpoint.name
    hours: dict[str, Any] = now_quiet()
    assert (await refusal(set_quiet_hours(service, name, "interior", **hours))).reason == "ENDPOINT_NOT_FOUND"
    too_long = {**hours, "time_zone": "x" * 65}
    assert (await refusal(set_quiet_hours(service, name, **too_long))).reason == "REQUEST_INVALID"


async def test_a_priority_that_is_none_is_refused(service: Running) -> None:
    refused = await refusal(service.notify(await service.hub.delivery(), priority=9))
    assert refused.reason == "REQUEST_INVALID"
