"""Sizes, and streams that stand still or whose caller is no longer who it was."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceStub
from tests.contract.gate.hub import Hub, running
from tests.contract.harness import DEADLINE_SECONDS, Identities, refusal, until

DOCUMENT = "documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111"


async def test_over_long_metadata_is_refused_and_the_server_goes_on(hub: Hub) -> None:
    stub = await hub.stub()
    call = stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), metadata=(("x-long", "y" * 20_000),))
    assert (await refusal(call)).code == "RESOURCE_EXHAUSTED"
    await stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=DEADLINE_SECONDS)
    assert hub.documents.calls == 1


async def test_an_over_long_message_is_refused_and_the_server_goes_on(identities: Identities) -> None:
    async with running(identities, message_max_bytes=10_000) as hub:
        stub = await hub.stub()
        call = stub.GetDocument(pb.GetDocumentRequest(name="x" * 20_000), timeout=DEADLINE_SECONDS)
        assert (await refusal(call)).code == "RESOURCE_EXHAUSTED"
        await stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=DEADLINE_SECONDS)
        assert hub.documents.calls == 1


async def test_an_upload_that_stands_still_is_ended_and_its_servicer_freed(identities: Identities) -> None:
    async with running(identities, stream_idle_seconds=0.2) as hub:
        never = asyncio.Event()
        refused = await refusal((await hub.stub()).UploadDocument(_begun(never), timeout=DEADLINE_SECONDS))
        assert (refused.code, refused.reason) == ("DEADLINE_EXCEEDED", "STREAM_IDLE")
        assert hub.documents.offsets == [0]
        await asyncio.wait_for(hub.documents.ended.wait(), DEADLINE_SECONDS)


async def test_a_connection_without_calls_is_closed_and_the_next_call_opens_another(identities: Identities) -> None:
    async with running(identities, connection_idle_seconds=0.2) as hub:
        channel = await hub.channel()
        stub, request = DocumentServiceStub(channel), pb.GetDocumentRequest(name=DOCUMENT)
        await stub.GetDocument(request, timeout=DEADLINE_SECONDS)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (state := channel.get_state()) is not grpc.ChannelConnectivity.IDLE:
                await channel.wait_for_state_change(state)
        await stub.GetDocument(request, timeout=DEADLINE_SECONDS)


async def test_a_download_that_nobody_takes_is_ended_and_its_servicer_freed(identities: Identities) -> None:
    async with running(identities, stream_idle_seconds=0.2) as hub:
        request = pb.DownloadDocumentRequest(name=DOCUMENT, length=10_000)
        call = (await hub.stub()).DownloadDocument(request, timeout=DEADLINE_SECONDS)
        await call.read()
        await asyncio.wait_for(hub.documents.ended.wait(), DEADLINE_SECONDS)
        call.cancel()


async def test_a_servicer_may_take_longer_than_an_idle_client(identities: Identities) -> None:
    async with running(identities, stream_idle_seconds=0.1) as hub:
        ticks = iter(range(3))

        async def work() -> None:
            next(ticks, None)
            await asyncio.sleep(0.3)  # longer than a client may be idle: the servicer is not its client

        hub.documents.act = work
        request = pb.DownloadDocumentRequest(name=DOCUMENT, length=2)
        call = (await hub.stub()).DownloadDocument(request, timeout=DEADLINE_SECONDS)
        assert [response.offset async for response in call] == [0, 1]


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_an_open_stream_ends_when_its_callers_certificate_is_revoked(
    identities: Identities, direction: str
) -> None:
    async with running(identities, stream_recheck_seconds=0.1) as hub:
        stub, begun = await hub.stub(), asyncio.Event()
        if direction == "up":
            call: Any = stub.UploadDocument(_begun(asyncio.Event()), timeout=DEADLINE_SECONDS)
        else:
            hub.documents.act = lambda: _forever(begun)
            call = _drained(stub.DownloadDocument(pb.DownloadDocumentRequest(name=DOCUMENT, length=1)))
        refused = asyncio.ensure_future(refusal(call))
        await until(lambda: begun.is_set() or hub.documents.offsets == [0])
        hub.listed.revoke(identities.sha256("interior"))
        outcome = await refused
        assert (outcome.code, outcome.reason) == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
        await asyncio.wait_for(hub.documents.ended.wait(), DEADLINE_SECONDS)


async def test_a_client_that_leaves_its_stream_frees_the_servicer(hub: Hub) -> None:
    begun = asyncio.Event()
    hub.documents.act = lambda: _forever(begun)
    call = (await hub.stub()).DownloadDocument(pb.DownloadDocumentRequest(name=DOCUMENT, length=1))
    await call.read()
    await begun.wait()
    call.cancel()
    await asyncio.wait_for(hub.documents.ended.wait(), DEADLINE_SECONDS)


async def _begun(end: asyncio.Event) -> AsyncIterator[pb.UploadDocumentRequest]:
    yield pb.UploadDocumentRequest(chunk=pb.UploadChunk(offset=0, data=b"a"))
    await end.wait()


async def _drained(call: Any) -> None:
    async for _ in call:
        pass


async def _forever(begun: asyncio.Event) -> None:
    begun.set()
    await asyncio.Event().wait()
