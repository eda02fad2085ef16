"""What is told of a classified letter, and to whom it is shown."""

import asyncio
import contextlib
import uuid
from typing import Any

import psycopg
import pytest

from dabir.common.v1.manifest_pb2 import (
    CLASSIFICATION_CONFIDENTIAL,
    CLASSIFICATION_HIGHLY_CONFIDENTIAL,
    CLASSIFICATION_NORMAL,
    CLASSIFICATION_SECRET,
)
from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import Hub, Running
from tests.contract.notifications.receiver import receiving

URL = "https://hooks.bank.example/dabir"
CERTIFICATES = {
    "bank": CLASSIFICATION_NORMAL,
    "bank-half-cleared": CLASSIFICATION_CONFIDENTIAL,
    "bank-cleared": CLASSIFICATION_HIGHLY_CONFIDENTIAL,
}
UNKNOWN = f"letters/{uuid.uuid4()}"


async def test_an_endpoint_is_told_of_what_its_maker_is_cleared_for(service: Running) -> None:
    async with contextlib.AsyncExitStack() as stack:
        receivers = {who: await stack.enter_async_context(receiving()) for who in CERTIFICATES}
        for who, receiver in receivers.items():
            await service.endpoint(receiver, who=who)
        deliveries = [await service.hub.delivery(classification) for classification in CERTIFICATES.values()]
        assert [await service.notify(delivery) for delivery in deliveries] == [3, 2, 1]
        done = b"SELECT count(*) FROM notifications.attempt WHERE outcome = 'DELIVERED'"
        await until(lambda: service.hub.rows(done)[0][0] == 6)
        for shown, (who, receiver) in enumerate(receivers.items(), 1):
            assert {one.said["data"]["delivery"] for one in receiver.arrived} == set(deliveries[:shown]), who
    assert all(len(service.hub.stated(delivery)) == 1 for delivery in deliveries)


async def test_a_body_without_a_cleared_endpoint_is_not_told_nor_when_asked_again(service: Running) -> None:
    await service.create(URL)
    delivery, told = await service.hub.delivery(CLASSIFICATION_CONFIDENTIAL), str(uuid.uuid4())
    assert await service.notify(delivery, notification_id=told) == 0
    await service.create(URL, who="bank-half-cleared")
    assert await service.notify(delivery, notification_id=told) == 0
    assert service.hub.rows(b"SELECT FROM notifications.attempt") == []
    [shown] = await service.notifications("bank-half-cleared")
    assert (shown.state, shown.statement) == (pb.NOTIFICATION_STATE_NOT_TOLD, "")
    assert service.hub.stated(delivery) == []


async def test_notified_again_it_goes_to_those_it_went_to(service: Running) -> None:
    await service.create(URL)
    await service.create(URL, who="bank-cleared")
    delivery, told = await service.hub.delivery(CLASSIFICATION_HIGHLY_CONFIDENTIAL), str(uuid.uuid4())
    counts = await asyncio.gather(*(service.notify(delivery, notification_id=told) for _ in range(8)))
    assert set(counts) == {1}
    await service.create(URL, who="bank-cleared")
    assert await service.notify(delivery, notification_id=told) == 1
    assert len(service.hub.rows(b"SELECT FROM notifications.attempt")) == 1


async def test_lists_show_what_the_certificate_is_cleared_for_without_gaps(service: Running) -> None:
    normal, half, high = CERTIFICATES.values()
    kinds = [normal, high, half, high, normal, half]
    deliveries = [await service.hub.delivery(kind) for kind in kinds]
    for delivery in deliveries:
        await service.notify(delivery)
    for who, clearance in CERTIFICATES.items():
        wanted = [one for one, kind in zip(deliveries, kinds, strict=True) if kind <= clearance][::-1]
        for size in (1, 2, 5):
            seen, token = [], ""
            while page := await service.notifications_page(who, page_size=size, page_token=token):
                seen += [one.delivery for one in page.notifications]
                if not (token := page.next_page_token):
                    break
            assert seen == wanted, (who, size)
        assert len(await service.notifications(who, state=pb.NOTIFICATION_STATE_NOT_TOLD)) == len(wanted)


async def test_a_replay_needs_the_clearance_as_its_endpoints_do(service: Running) -> None:
    hub = service.hub
    delivery = await hub.delivery(CLASSIFICATION_CONFIDENTIAL)
    await service.notify(delivery)
    [told] = await service.notifications("bank-half-cleared")
    async with receiving() as uncleared, receiving() as cleared:
        await service.endpoint(uncleared)
        refused = await refusal(service.replay(told.name, "bank"))
        assert (refused.code, refused.reason) == ("NOT_FOUND", "NOTIFICATION_NOT_FOUND")
        nowhere = await refusal(service.replay(f"bodies/bank/notifications/{uuid.uuid4()}", "bank"))
        assert refused.message == nowhere.message
        refused = await refusal(service.replay(told.name, "bank-half-cleared"))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "NO_ENDPOINT")
        assert hub.rows(b"SELECT FROM notifications.replay") == []
        await service.endpoint(cleared, who="bank-cleared")
        request_id = str(uuid.uuid4())
        for _ in range(2):
            assert await service.replay(told.name, "bank-half-cleared", request_id) == 1
        refused = await refusal(service.replay(told.name, "bank", request_id))
        assert refused.reason == "NOTIFICATION_NOT_FOUND"
        await until(lambda: bool(hub.stated(delivery)))
    assert (len(uncleared.arrived), len(cleared.arrived)) == (0, 1)


@pytest.mark.parametrize("classification", [CLASSIFICATION_SECRET, None])
async def test_nobody_learns_of_what_no_certificate_is_cleared_for(
    service: Running, classification: int | None
) -> None:
    """Of a secret letter, and of one that the ledger does not know."""
    await service.create(URL, who="bank-cleared")
    delivery = await service.hub.delivery(classification) if classification else f"{UNKNOWN}/deliveries/1"
    assert await service.notify(delivery) == 0
    [(told,)] = service.hub.rows(b"SELECT id FROM notifications.notification")
    for who in CERTIFICATES:
        assert await service.notifications(who) == []
        refused = await refusal(service.replay(f"bodies/bank/notifications/{told}", who))
        assert refused.reason == "NOTIFICATION_NOT_FOUND"


async def test_an_endpoint_keeps_its_makers_clearance_and_is_nobodys_with_less(service: Running) -> None:
    made = str(uuid.uuid4())
    mine, theirs = await service.create(URL, id=made), await service.create(URL, who="bank-cleared")
    names = {"bank": {mine.endpoint.name}, "bank-cleared": {mine.endpoint.name, theirs.endpoint.name}}
    assert await service.create(URL, id=made, who="bank-cleared") == mine
    again = theirs.endpoint.name.rpartition("/")[2]
    assert (await refusal(service.create(URL, id=again, who="bank"))).reason == "ENDPOINT_ID_REUSED"
    for who, seen in names.items():
        listed = await (await service.stub(who)).ListEndpoints(pb.ListEndpointsRequest(), timeout=DEADLINE_SECONDS)
        assert {one.name for one in listed.endpoints} == seen
    for call, request in await orders(service, "bank", theirs.endpoint.name):
        assert (await refusal(call(request, timeout=DEADLINE_SECONDS))).reason == "ENDPOINT_NOT_FOUND"
    for call, request in await orders(service, "bank-cleared", mine.endpoint.name):
        await call(request, timeout=DEADLINE_SECONDS)
    kept = service.hub.rows(b"SELECT id::text, clearance, ended_at IS NULL FROM notifications.endpoint")
    assert {row[0]: row[1:] for row in kept} == {
        made: (CLASSIFICATION_NORMAL, False),
        again: (CLASSIFICATION_HIGHLY_CONFIDENTIAL, True),
    }


async def orders(service: Running, who: str, name: str) -> list[tuple[Any, Any]]:
    """Everything that may be asked of an endpoint, its end last."""
    stub, quiet = await service.stub(who), pb.QuietHours(start="22:00", end="06:00", time_zone="Asia/Tehran")
    return [
        (stub.EnableEndpoint, pb.EnableEndpointRequest(name=name)),
        (stub.SetQuietHours, pb.SetQuietHoursRequest(name=name, quiet_hours=quiet)),
        (stub.RotateEndpointSecret, pb.RotateEndpointSecretRequest(name=name, request_id=str(uuid.uuid4()))),
        (stub.DeleteEndpoint, pb.DeleteEndpointRequest(name=name)),
    ]


async def test_what_a_release_before_queues_for_who_is_not_cleared_is_not_kept(service: Running) -> None:
    delivery = await service.hub.delivery(CLASSIFICATION_CONFIDENTIAL)
    mine, theirs = await service.create(URL), await service.create(URL, who="bank-cleared")
    assert await service.notify(delivery) == 1
    queue = """
        INSERT INTO notifications.attempt (notification, endpoint)
        SELECT n.id, e.id FROM notifications.notification AS n, notifications.endpoint AS e ON CONFLICT DO NOTHING
        """
    with psycopg.connect(service.hub.postgres.database_url("notifications"), autocommit=True) as connection:
        connection.execute(queue.encode())
    queued = service.hub.rows(b"SELECT endpoint::text FROM notifications.attempt")
    assert queued == [(theirs.endpoint.name.rpartition("/")[2],)]
    assert mine.endpoint.clearance < theirs.endpoint.clearance


async def test_the_database_says_what_is_classified_how_whoever_writes(hub: Hub) -> None:
    """The release before, which knows neither column; a program that lies; one that would change it afterwards."""
    letter = (await hub.delivery(CLASSIFICATION_CONFIDENTIAL)).partition("/deliveries/")[0]
    said = "id, body, event_type, letter, delivery, sender_body, occurred_at, endpoint_count"
    values = "gen_random_uuid(), 'bodies/bank', 'delivery.late', %s, '', '', now(), 0"
    url = hub.postgres.database_url("notifications")
    with psycopg.connect(url, autocommit=True) as connection:
        before = f"INSERT INTO notifications.notification ({said}) VALUES ({values})"  # noqa: S608 - constants
        connection.execute(before.encode(), (letter,))
        lying = f"INSERT INTO notifications.notification ({said}, classification) VALUES ({values}, 1)"  # noqa: S608 - constants
        connection.execute(lying.encode(), (UNKNOWN,))
        endpoint = (
            b"INSERT INTO notifications.endpoint (id, body, url, event_types, secret) "
            b"VALUES (gen_random_uuid(), 'bodies/bank', 'https://x.example', '{}', sha256(''))"
        )
        connection.execute(endpoint)
        for change in (
            b"UPDATE notifications.notification SET classification = 1",
            b"UPDATE notifications.endpoint SET clearance = 3",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)
    rows = hub.rows(b"SELECT letter, classification FROM notifications.notification")
    assert dict(rows) == {letter: 2, UNKNOWN: 5}
    assert hub.rows(b"SELECT clearance FROM notifications.endpoint") == [(1,)]


@pytest.mark.parametrize("role", ["directory", "documents", "evidence", "intake"])
async def test_other_services_do_not_ask_what_is_classified_how(hub: Hub, role: str) -> None:
    with (
        psycopg.connect(hub.postgres.database_url(role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(b"SELECT ledger.classification_of('letters/x')")
