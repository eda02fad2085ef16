"""Endpoints: each error by its reason, nothing stored, and no body reaches another's."""

import base64
import uuid
from collections.abc import Awaitable
from typing import Any

import pytest

from dabir.formats.notices import EventType
from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import Hub, Running, running
from tests.contract.notifications.receiver import receiving

URL = "https://hooks.bank.example/dabir"


async def listed(service: Running, who: str, **query: Any) -> pb.ListEndpointsResponse:
    stub = await service.stub(who)
    answer = await stub.ListEndpoints(pb.ListEndpointsRequest(**query), timeout=DEADLINE_SECONDS)
    assert isinstance(answer, pb.ListEndpointsResponse)
    return answer


async def delete(service: Running, name: str, who: str = "bank") -> Awaitable[Any]:
    stub = await service.stub(who)
    call: Awaitable[Any] = stub.DeleteEndpoint(pb.DeleteEndpointRequest(name=name), timeout=DEADLINE_SECONDS)
    return call


def count(hub: Hub) -> int:
    return int(hub.rows(b"SELECT count(*) FROM notifications.endpoint")[0][0])


async def test_the_same_endpoint_again_gives_the_stored_answer(service: Running) -> None:
    made = str(uuid.uuid4())
    first = await service.create(URL, "delivery.late", "delivery.available", id=made)
    again = await service.create(URL, "delivery.available", "delivery.late", id=made)
    assert first == again
    assert first.endpoint.name == f"bodies/bank/endpoints/{made}"
    assert first.secret.startswith("whsec_")
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"), validate=True)) == 32
    assert count(service.hub) == 1


async def test_an_id_stands_for_one_endpoint_for_ever(service: Running) -> None:
    made = str(uuid.uuid4())
    name = (await service.create(URL, id=made)).endpoint.name
    for who, url, types in [("bank", f"{URL}/2", ()), ("bank", URL, ("delivery.late",)), ("interior", URL, ())]:
        refused = await refusal(service.create(url, *types, who=who, id=made))
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "ENDPOINT_ID_REUSED")
    await (await delete(service, name))
    assert (await refusal(service.create(URL, id=made))).reason == "ENDPOINT_ID_REUSED"
    assert count(service.hub) == 1


async def test_lists_are_the_callers_own_page_by_page(service: Running) -> None:
    mine = sorted([(await service.create(URL)).endpoint.name for _ in range(5)])
    theirs = (await service.create(URL, who="interior")).endpoint
    first = await listed(service, "bank", page_size=3)
    second = await listed(service, "bank", page_size=3, page_token=first.next_page_token)
    assert [one.name for one in (*first.endpoints, *second.endpoints)] == mine
    assert second.next_page_token == ""
    assert list((await listed(service, "interior")).endpoints) == [theirs]
    for token in (first.next_page_token, "nonsense"):
        refused = await refusal(listed(service, "interior", page_token=token))
        assert refused.reason == "PAGE_TOKEN_INVALID"


async def test_deleting_is_for_the_owner_and_may_be_repeated(service: Running) -> None:
    name = (await service.create(URL)).endpoint.name
    unknown = f"bodies/bank/endpoints/{uuid.uuid4()}"
    stolen = name.replace("bank", "interior")
    wrongs = [(name, "interior"), (stolen, "interior"), (stolen, "bank"), (unknown, "bank"), ("nonsense", "bank")]
    for wrong, who in wrongs:
        refused = await refusal(await delete(service, wrong, who))
        assert (refused.code, refused.reason) == ("NOT_FOUND", "ENDPOINT_NOT_FOUND")
    for _ in range(2):
        await (await delete(service, name))
    assert list((await listed(service, "bank")).endpoints) == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.bank.example/",
        "https://",
        "https:///path",
        "https://user:secret@hooks.bank.example/",
        "https://hooks.bank.example/#part",
        "https://hooks.bank.example:0/",
        "https://hooks.bank.example:99999/",
        "https://hooks.bank.example/a b",
        "https://hooks.bank.example\\@127.0.0.1/",
        "https://هوک.example/",
        "https://[::1/",
        "https://[::1]x:1/",
        "javascript:alert(1)",
    ],
)
async def test_a_url_that_cannot_be_used_is_refused(service: Running, url: str) -> None:
    refused = await refusal(service.create(url))
    assert (refused.code, refused.reason, refused.fields) == ("INVALID_ARGUMENT", "URL_NOT_ALLOWED", ["url"])
    assert count(service.hub) == 0


async def test_plain_http_needs_the_setting(hub: Hub) -> None:
    async with running(hub, outgoing_allowed_networks=()) as service:
        assert (await refusal(service.create("http://hooks.bank.example/"))).reason == "URL_NOT_ALLOWED"


async def test_an_unknown_event_type_is_refused_with_those_there_are(service: Running) -> None:
    refused = await refusal(service.create(URL, "delivery.late", "delivery.eaten"))
    assert (refused.code, refused.reason, refused.fields) == (
        "INVALID_ARGUMENT",
        "EVENT_TYPE_UNKNOWN",
        ["event_types[1]"],
    )
    assert ", ".join(sorted(EventType)) in refused.message


async def test_a_body_has_a_limit_and_its_own(hub: Hub) -> None:
    async with running(hub, endpoints_per_body=2) as service:
        names = [(await service.create(URL)).endpoint.name for _ in range(2)]
        refused = await refusal(service.create(URL))
        assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ENDPOINTS")
        await service.create(URL, who="interior")
        await (await delete(service, names[0]))
        await service.create(URL)


async def test_a_body_makes_only_so_many_in_a_day_ended_ones_too(hub: Hub) -> None:
    async with running(hub, endpoints_made_per_day=2) as service:
        for made in (str(uuid.uuid4()), str(uuid.uuid4())):
            await (await delete(service, (await service.create(URL, id=made)).endpoint.name))
        refused = await refusal(service.create(URL))
        assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ENDPOINTS_MADE")
        await service.create(URL, who="interior")
        hub.change(b"UPDATE notifications.endpoint SET created_at = created_at - interval '1 day' WHERE id = %s", made)
        await service.create(URL)


async def test_what_waits_for_a_deleted_endpoint_ends(hub: Hub) -> None:
    async with (
        running(hub, retry_seconds=(3600,), webhook_timeout_seconds=0.5, claim_seconds=1.0) as service,
        receiving(answer=lambda _count: 500) as receiver,
    ):
        name = await service.endpoint(receiver)
        delivery = await hub.delivery()
        await service.notify(delivery)
        later = b"SELECT FROM notifications.attempt WHERE next_at > now() + interval '30 minutes'"
        await until(lambda: bool(hub.rows(later)))
        await (await delete(service, name))
        await until(lambda: bool(hub.stated(delivery)))
        assert hub.rows(b"SELECT outcome, last_result FROM notifications.attempt") == [("FAILED", "ENDPOINT_ENDED")]
        assert await service.down_links() == []
    assert len(receiver.arrived) == 1
