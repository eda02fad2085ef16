"""Calls of one request whose request does not come, not whole or not alone: refused behind authentication, in time."""

import asyncio
from typing import Any

import grpc.aio
import pytest

from dabir.documents.v1 import documents_pb2 as pb
from tests.contract.gate.hub import Hub, running
from tests.contract.gate.unheard import begin_and_wait
from tests.contract.harness import DEADLINE_SECONDS, Identities, Raw, refusal, until

REQUEST = pb.GetDocumentRequest(name="documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111")
GET = "/dabir.documents.v1.DocumentService/GetDocument"
CONFIRM = "/dabir.documents.v1.DocumentService/ConfirmDownload"
DOWNLOAD = "/dabir.documents.v1.DocumentService/DownloadDocument"
CHECK = "/grpc.health.v1.Health/Check"
ANSWERS_ONCE_OR_MORE = pytest.mark.parametrize("rpc", [GET, DOWNLOAD])


async def begin(channel: grpc.aio.Channel, rpc: str, *requests: bytes, ends: bool = False) -> Any:
    """A call without a deadline that sends what a client of this RPC would not; `ends`: the client's end of it."""
    raw: Any = channel.stream_unary(rpc)
    if ends:
        return raw(iter(requests))
    call = raw()
    for request in requests:
        await call.write(request)
    return call


async def refused(call: Any) -> tuple[str, str]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        outcome = await refusal(call)
    return outcome.code, outcome.reason


async def serves(hub: Hub, who: str = "bank") -> None:
    response = await (await hub.stub(who)).GetDocument(REQUEST, timeout=DEADLINE_SECONDS)
    assert response.document.name == REQUEST.name


def running_calls(hub: Hub) -> float | None:
    return hub.server.metrics.registry.get_sample_value("dabir_calls_running")


def count(hub: Hub, rpc: str, code: str) -> float | None:
    return hub.server.metrics.registry.get_sample_value("dabir_calls_total", {"rpc": rpc, "code": code})


@pytest.mark.parametrize(
    ("who", "reason"), [("unlisted", "CERTIFICATE_NOT_LISTED"), ("interior", "CERTIFICATE_REVOKED")]
)
async def test_who_may_not_call_is_told_before_it_sends_anything(identities: Identities, who: str, reason: str) -> None:
    async with running(identities, max_concurrent_rpcs=2) as hub:
        hub.listed.revoke(identities.sha256("interior"))
        channel = await hub.channel(who)
        for rpc in (GET, CONFIRM, DOWNLOAD) * 2:  # more than the gate and grpc would have room for, were they held
            assert await refused(await begin(channel, rpc)) == ("UNAUTHENTICATED", reason)
        await serves(hub)


async def test_silent_calls_beyond_the_limit_end_in_time_and_others_are_served(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=2, stream_idle_seconds=0.2) as hub:
        channel = await hub.channel()
        silent = [await begin(channel, GET) for _ in range(8)]
        outcomes = await asyncio.gather(*(refused(call) for call in silent))
        grpcs_own_limit = ("RESOURCE_EXHAUSTED", "")
        beyond = {("RESOURCE_EXHAUSTED", "OVERLOADED"), grpcs_own_limit}
        assert set(outcomes) - beyond == {("DEADLINE_EXCEEDED", "REQUEST_LATE")}
        await serves(hub)
        assert hub.documents.calls == 1


async def test_a_body_that_fills_its_share_shuts_nobody_else_out(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=4, concurrent_rpcs_per_body=2) as hub:
        channel = await hub.channel("bank")
        silent = [await begin(channel, rpc) for rpc in (GET, DOWNLOAD)]
        await until(lambda: running_calls(hub) == len(silent))
        for rpc in (GET, CONFIRM, DOWNLOAD) * 2:  # more than the rest would have room for
            assert await refused(await begin(channel, rpc)) == ("RESOURCE_EXHAUSTED", "CALLS_OF_BODY")
        await serves(hub, "interior")
        silent.pop().cancel()
        await until(lambda: running_calls(hub) == len(silent))
        await serves(hub, "bank")


async def test_a_silent_call_is_counted(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=1) as hub:
        silent = await begin(await hub.channel(), GET)
        await until(lambda: running_calls(hub) == 1)
        assert await refused((await hub.stub("bank")).GetDocument(REQUEST)) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        silent.cancel()
        # It left; it was not refused.
        await until(lambda: count(hub, GET, "CANCELLED") == 1)
        await serves(hub)


async def test_silent_checks_of_strangers_give_way_to_who_comes(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=4, max_unlisted_streams=2) as hub:
        stranger, held = await hub.channel("unlisted"), []
        for _ in range(2):
            held.append(await begin(stranger, CHECK))
            await until(lambda: running_calls(hub) == len(held))
        for _ in range(8):  # with those, more than grpc has room for, were they held
            held.append(await begin(stranger, CHECK))
            assert await refused(held.pop(0)) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        health: Raw = (await hub.channel("bank")).unary_unary(CHECK)
        assert await health(b"", timeout=DEADLINE_SECONDS) == b"\x08\x01"  # SERVING
        await serves(hub)


@pytest.mark.parametrize("rpc", [GET, DOWNLOAD, CHECK, "/grpc.health.v1.Health/Watch"])
async def test_a_request_that_does_not_come_ends_its_call(identities: Identities, rpc: str) -> None:
    async with running(identities, stream_idle_seconds=0.2) as hub:
        channel = await hub.channel()
        assert await refused(await begin(channel, rpc)) == ("DEADLINE_EXCEEDED", "REQUEST_LATE")
        # Nor does one whose client keeps its end open, for it might send another.
        assert await refused(await begin(channel, rpc, b"")) == ("DEADLINE_EXCEEDED", "REQUEST_LATE")
        assert hub.documents.calls == 0


@ANSWERS_ONCE_OR_MORE
async def test_a_request_that_never_ends_ends_its_call(identities: Identities, rpc: str) -> None:
    async with running(identities, max_concurrent_rpcs=1, stream_idle_seconds=0.2) as hub:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await begin_and_wait(identities, hub.port, "interior", rpc)
        await until(lambda: count(hub, rpc, "DEADLINE_EXCEEDED") == 1)
        await serves(hub)


@ANSWERS_ONCE_OR_MORE
async def test_a_second_request_is_refused(hub: Hub, rpc: str) -> None:
    twice = [REQUEST.SerializeToString()] * 2
    assert await refused(await begin(await hub.channel(), rpc, *twice, ends=True)) == (
        "INVALID_ARGUMENT",
        "REQUEST_REPEATED",
    )
    assert hub.documents.calls == 0
    await serves(hub)


@ANSWERS_ONCE_OR_MORE
async def test_no_request_is_refused(hub: Hub, rpc: str) -> None:
    call = await begin(await hub.channel(), rpc, ends=True)
    assert await refused(call) == ("INVALID_ARGUMENT", "REQUEST_MISSING")
    assert hub.documents.calls == 0
    await serves(hub)


async def test_a_deadline_is_required_before_the_request_is_there(hub: Hub) -> None:
    assert await refused(await begin(await hub.channel(), CONFIRM)) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")
