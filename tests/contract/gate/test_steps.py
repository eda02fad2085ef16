"""The seven steps of a call, each refusal with its reason, in their order."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import psycopg
import pytest
from google.rpc import error_details_pb2
from psycopg_pool import PoolTimeout

from dabir.documents.v1 import documents_pb2 as pb
from dabir.formats.strict_json import FormatError
from services.runtime import deadline, logs
from services.runtime.channel import open_channel, reason_of
from services.runtime.errors import FailedPrecondition, FieldViolation
from services.runtime.identity import caller
from services.runtime.metrics import Metrics
from tests.contract.gate.hub import Hub, config_of, running
from tests.contract.harness import DEADLINE_SECONDS, Identities, Raw, refusal, until

DOCUMENT = "documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111"
INVALID = pb.GetDocumentRequest(name="x" * 65)
FORGED = pb.ConfirmDownloadRequest(document=DOCUMENT, consignment_acceptance="a.b.c", sha256=b"\0" * 32)


class CaseClosed(FailedPrecondition):
    reason = "CASE_CLOSED"
    template = "{case} is closed. Open another."
    template_fa = "{case} بسته است. پروندهٔ دیگری باز کنید."


async def refuse() -> None:
    raise CaseClosed(case="case/7", retry_after_seconds=2.5, field_violations=[FieldViolation("name", "is closed")])


async def test_a_listed_caller_with_the_role_is_served_as_its_body(hub: Hub) -> None:
    seen: list[Any] = []

    async def look() -> None:
        seen.append(caller())

    hub.documents.act = look
    response = await (await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=DEADLINE_SECONDS)
    assert response.document.name == DOCUMENT
    assert (seen[0].body, seen[0].service) == ("bodies/interior", "")
    assert seen[0].certificate_sha256 == hub.identities.sha256("interior")


async def test_not_authenticated_and_invalid_is_unauthenticated(hub: Hub) -> None:
    refused = await refusal((await hub.stub("unlisted")).GetDocument(INVALID, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_NOT_LISTED")
    assert hub.documents.calls == 0


async def test_not_allowed_and_invalid_is_permission_denied(hub: Hub) -> None:
    hub.listed.add(hub.identities.sha256("bank"), "bodies/bank", roles=frozenset())
    refused = await refusal((await hub.stub("bank")).GetDocument(INVALID, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
    assert "sender" in refused.message


async def test_no_deadline_and_invalid_is_deadline_required(hub: Hub) -> None:
    refused = await refusal((await hub.stub()).ConfirmDownload(pb.ConfirmDownloadRequest()))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")
    assert hub.documents.calls == 0


async def test_what_changes_nothing_needs_no_deadline(hub: Hub) -> None:
    await (await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT))


async def test_a_deadline_too_short_is_refused_before_any_work(identities: Identities) -> None:
    async with running(identities, deadline_min_seconds=20.0) as hub:
        refused = await refusal((await hub.stub()).ConfirmDownload(FORGED, timeout=10))
        assert (refused.code, refused.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT")
        assert hub.documents.calls == 0


async def test_an_invalid_request_names_its_fields(hub: Hub) -> None:
    request = pb.ConfirmDownloadRequest(document="x" * 65, consignment_acceptance="a", sha256=b"short")
    refused = await refusal((await hub.stub()).ConfirmDownload(request, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert sorted(refused.fields) == ["document", "sha256"]
    assert hub.documents.calls == 0


async def test_bytes_that_are_no_message_are_refused_behind_authentication(hub: Hub) -> None:
    async def send(who: str) -> Any:
        call: Raw = (await hub.channel(who)).unary_unary("/dabir.documents.v1.DocumentService/GetDocument")
        return await refusal(call(b"\x0a\xff\xff\xff", timeout=DEADLINE_SECONDS))

    assert (await send("unlisted")).code == "UNAUTHENTICATED"
    refused = await send("interior")
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


async def test_each_message_of_a_stream_is_validated(hub: Hub) -> None:
    async def messages() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield pb.UploadDocumentRequest(chunk=pb.UploadChunk(offset=7, data=b"a"))
        yield pb.UploadDocumentRequest(chunk=pb.UploadChunk(offset=8, data=b""))

    refused = await refusal((await hub.stub()).UploadDocument(messages(), timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert refused.fields == ["chunk.data"]
    assert hub.documents.offsets == [7]


async def test_a_refusal_says_reason_retry_violations_and_a_persian_sentence_on_request(hub: Hub) -> None:
    hub.documents.act = refuse
    stub, request = await hub.stub(), pb.GetDocumentRequest(name=DOCUMENT)
    refused = await refusal(stub.GetDocument(request, metadata=(("accept-language", "fa-IR"),)))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "CASE_CLOSED")
    assert refused.message == "case/7 is closed. Open another."
    assert refused.detail(error_details_pb2.ErrorInfo).metadata == {"case": "case/7"}
    assert refused.detail(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 2500
    assert refused.fields == ["name"]
    persian = refused.detail(error_details_pb2.LocalizedMessage)
    assert (persian.locale, persian.message) == ("fa", "case/7 بسته است. پروندهٔ دیگری باز کنید.")
    assert not (await refusal(stub.GetDocument(request))).has(error_details_pb2.LocalizedMessage)


async def test_many_long_violations_stay_within_4_kib(hub: Hub) -> None:
    async def refuse_all() -> None:
        raise CaseClosed(case="c", field_violations=[FieldViolation(f"f[{n}]", "ا" * 300) for n in range(1000)])

    hub.documents.act = refuse_all
    refused = await refusal((await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT)))
    assert 1 <= len(refused.fields) <= 25
    assert refused.details_bytes < 4096


async def test_at_most_25_violations(hub: Hub) -> None:
    async def refuse_all() -> None:
        raise CaseClosed(case="c", field_violations=[FieldViolation(f"f[{n}]", "no") for n in range(26)])

    hub.documents.act = refuse_all
    refused = await refusal((await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT)))
    assert len(refused.fields) == 25


async def test_a_fault_of_ours_tells_the_request_id_and_nothing_else(hub: Hub) -> None:
    async def fail() -> None:
        raise RuntimeError("SELECT of a secret")

    hub.documents.act = fail
    call = (await hub.stub()).GetDocument(
        pb.GetDocumentRequest(name=DOCUMENT), metadata=((logs.REQUEST_ID, "letter-0001"),)
    )
    refused = await refusal(call)
    assert (refused.code, refused.reason, refused.request_id) == ("INTERNAL", "INTERNAL", "letter-0001")
    assert "letter-0001" in refused.message
    assert "secret" not in refused.message + repr(refused.details)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (PoolTimeout(), "RESOURCE_EXHAUSTED", "DATABASE_BUSY"),
        (psycopg.OperationalError("server closed the connection"), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.LockNotAvailable(), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.QueryCanceled(), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.ReadOnlySqlTransaction(), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.UniqueViolation("Key (subject)=(secret)"), "INTERNAL", "INTERNAL"),
        (FormatError("DUPLICATE_KEY", "stands twice", "recipients[3].note"), "INVALID_ARGUMENT", "DUPLICATE_KEY"),
    ],
)
async def test_errors_of_libraries_are_mapped_once(hub: Hub, error: Exception, code: str, reason: str) -> None:
    async def fail() -> None:
        raise error

    hub.documents.act = fail
    refused = await refusal((await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT)))
    assert (refused.code, refused.reason) == (code, reason)
    assert refused.has(error_details_pb2.RetryInfo) == (code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"))
    assert "secret" not in refused.message


async def test_an_abort_of_the_servicer_stands(hub: Hub) -> None:
    channel = await hub.channel()
    call: Raw = channel.unary_unary("/grpc.health.v1.Health/Check")
    refused = await refusal(call(b"\x0a\x04none", timeout=DEADLINE_SECONDS))
    assert refused.code == "NOT_FOUND"
    labels = {"rpc": "/grpc.health.v1.Health/Check", "code": "NOT_FOUND"}
    # The answer goes out before the call has passed the gate.
    await until(lambda: hub.server.metrics.registry.get_sample_value("dabir_calls_total", labels) == 1)


async def test_a_request_id_is_taken_made_and_passed_on_with_the_deadline(identities: Identities) -> None:
    async with running(identities) as neighbour, running(identities) as hub:
        heard: list[tuple[str, float | None]] = []
        waiting = config_of(identities, call_margin_seconds=2.0)

        async def hear() -> None:
            heard.append((logs.request_id(), deadline.remaining_seconds()))

        async def ask() -> None:
            async with open_channel(waiting, f"localhost:{neighbour.port}") as channel:
                call: Raw = channel.unary_unary("/dabir.documents.v1.DocumentService/GetDocument")
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(b"")
                heard.append((reason_of(caught.value), None))

        neighbour.documents.act, hub.documents.act = hear, ask
        metadata = ((logs.REQUEST_ID, "letter-0002"),)
        stub = await hub.stub()
        await stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=7, metadata=metadata)
        # documents' own certificate is on no allow-list of documents: the neighbour says so, by its reason.
        assert heard == [("SERVICE_NOT_ALLOWED", None)]

        heard.clear()
        neighbour.listed.add(identities.sha256("interior"), "bodies/interior")

        async def ask_as_member() -> None:
            pair = identities.pair("interior")
            config = dataclasses.replace(waiting, tls_certificate=pair.certificate, tls_key=pair.key)
            async with open_channel(config, f"localhost:{neighbour.port}") as channel:
                raw: Raw = channel.unary_unary("/dabir.documents.v1.DocumentService/GetDocument")
                await raw(b"\x0a\x01x")

        hub.documents.act = ask_as_member
        call = stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=7, metadata=metadata)
        await call
        ((request_id, seconds),) = heard
        assert request_id == "letter-0002"
        assert seconds is not None
        assert 0 < seconds < 6
        assert dict(await call.trailing_metadata())[logs.REQUEST_ID] == "letter-0002"

        made = stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT), metadata=((logs.REQUEST_ID, "{a b}"),))
        await made
        assert len(str(dict(await made.trailing_metadata())[logs.REQUEST_ID])) == 32


async def test_streams_of_strangers_are_few_and_take_no_room(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=2, max_unlisted_streams=3) as hub:
        watch: Any = (await hub.channel()).unary_stream("/grpc.health.v1.Health/Watch")
        held = [watch(b"", timeout=DEADLINE_SECONDS) for _ in range(3)]
        for call in held:
            assert await call.read() == b"\x08\x01"  # SERVING
        refused = await refusal(watch(b"", timeout=DEADLINE_SECONDS).read())
        assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        await (await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT), timeout=DEADLINE_SECONDS)
        health: Raw = (await hub.channel()).unary_unary("/grpc.health.v1.Health/Check")
        assert await health(b"", timeout=DEADLINE_SECONDS) == b"\x08\x01"
        for call in held:
            call.cancel()


async def test_load_is_shed_with_retry_info_and_goes_on_afterwards(identities: Identities) -> None:
    async with running(identities, max_concurrent_rpcs=2) as hub:
        go = asyncio.Event()
        hub.documents.act = lambda: _wait(go)
        stub, request = await hub.stub(), pb.GetDocumentRequest(name=DOCUMENT)
        held = [asyncio.ensure_future(stub.GetDocument(request, timeout=DEADLINE_SECONDS)) for _ in range(2)]
        await until(lambda: hub.documents.calls == 2)
        refused = await refusal(stub.GetDocument(request, timeout=DEADLINE_SECONDS))
        assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        assert refused.has(error_details_pb2.RetryInfo)
        health: Raw = (await hub.channel()).unary_unary("/grpc.health.v1.Health/Check")
        assert await health(b"", timeout=DEADLINE_SECONDS) == b"\x08\x01"  # SERVING
        go.set()
        await asyncio.gather(*held)
        await stub.GetDocument(request, timeout=DEADLINE_SECONDS)


async def test_calls_are_counted_by_outcome(identities: Identities) -> None:
    metrics = Metrics()
    async with running(identities, metrics=metrics) as hub:
        await (await hub.stub()).GetDocument(pb.GetDocumentRequest(name=DOCUMENT))
        await refusal((await hub.stub("unlisted")).GetDocument(pb.GetDocumentRequest(name=DOCUMENT)))
    rpc = "/dabir.documents.v1.DocumentService/GetDocument"
    count = metrics.registry.get_sample_value
    assert count("dabir_calls_total", {"rpc": rpc, "code": "OK"}) == 1
    assert count("dabir_calls_total", {"rpc": rpc, "code": "UNAUTHENTICATED"}) == 1
    assert count("dabir_calls_running") == 0


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
