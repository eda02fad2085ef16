"""A secret replaced: both sign for a while, checked by the specification's own library; then only the new one."""

import uuid

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import DEADLINE_SECONDS, refusal, until
from tests.contract.notifications.harness import Hub, Running, running
from tests.contract.notifications.receiver import receiving

URL = "https://hooks.bank.example/dabir"


async def rotate(
    service: Running, name: str, request_id: str = "", who: str = "bank"
) -> pb.RotateEndpointSecretResponse:
    request = pb.RotateEndpointSecretRequest(name=name, request_id=request_id or str(uuid.uuid4()))
    answer = await (await service.stub(who)).RotateEndpointSecret(request, timeout=DEADLINE_SECONDS)
    assert isinstance(answer, pb.RotateEndpointSecretResponse)
    return answer


async def test_either_secret_verifies_during_the_overlap(service: Running) -> None:
    async with receiving(verify=False) as receiver:
        made = await service.create(receiver.url)
        first = await rotate(service, made.endpoint.name)
        second = await rotate(service, made.endpoint.name)
        assert len({made.secret, first.secret, second.secret}) == 3
        await service.notify(await service.hub.delivery(), event_type="delivery.late")
        await until(lambda: bool(receiver.requests))
    headers, body = receiver.requests[0]
    assert len(headers["webhook-signature"].split(" ")) == 3
    for secret in (made.secret, first.secret, second.secret):
        assert Webhook(secret).verify(body, headers)["type"] == "delivery.late"


async def test_after_the_overlap_only_the_new_one_verifies(hub: Hub) -> None:
    async with running(hub, webhook_secret_overlap_seconds=0.001) as service, receiving(verify=False) as receiver:
        made = await service.create(receiver.url)
        fresh = await rotate(service, made.endpoint.name)
        ended = b"SELECT count(*) FROM notifications.secret_rotation WHERE replaced_until < clock_timestamp()"
        await until(lambda: hub.rows(ended)[0][0] == 1)
        await service.notify(await hub.delivery(), event_type="delivery.late")
        await until(lambda: bool(receiver.requests))
    headers, body = receiver.requests[0]
    assert Webhook(fresh.secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(body, headers)


async def test_the_same_request_again_gives_the_same_secret(service: Running) -> None:
    made = await service.create(URL)
    request_id = str(uuid.uuid4())
    first = await rotate(service, made.endpoint.name, request_id)
    await rotate(service, made.endpoint.name)
    assert await rotate(service, made.endpoint.name, request_id) == first
    assert service.hub.rows(b"SELECT count(*) FROM notifications.secret_rotation") == [(2,)]


async def test_what_makes_no_sense_is_refused(service: Running) -> None:
    one, other = [(await service.create(URL)).endpoint.name for _ in range(2)]
    request_id = str(uuid.uuid4())
    await rotate(service, one, request_id)
    assert (await refusal(rotate(service, other, request_id))).reason == "REQUEST_ID_REUSED"
    for wrong, who in [(one, "interior"), ("nonsense", "bank")]:
        assert (await refusal(rotate(service, wrong, who=who))).reason == "ENDPOINT_NOT_FOUND"
    assert (await refusal(rotate(service, one, "7"))).reason == "REQUEST_INVALID"
    assert service.hub.rows(b"SELECT count(*) FROM notifications.secret_rotation") == [(1,)]


async def test_a_header_holds_no_more_than_five_signatures(service: Running) -> None:
    name = (await service.create(URL)).endpoint.name
    for _ in range(4):
        await rotate(service, name)
    refused = await refusal(rotate(service, name))
    assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_SECRETS")
