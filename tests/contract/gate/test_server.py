"""Start, readiness, stop: and the starts that are refused, each with a sentence."""

import asyncio
import dataclasses
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import services
from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import add_DocumentServiceServicer_to_server
from services.runtime import metrics as runtime_metrics
from services.runtime import server as runtime_server
from services.runtime.access import ACCESS, Access
from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.metrics import Metrics
from services.runtime.server import Server, Service
from tests.contract.gate.hub import Documents, Hub, config_of, running
from tests.contract.harness import DEADLINE_SECONDS, Identities, Listed, Raw, refusal, until
from tests.pki import TestAuthority, write_files

DOCUMENT = "documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_says_serving_to_whoever_completes_the_handshake(hub: Hub) -> None:
    stub: Any = health_pb2_grpc.HealthStub(await hub.channel("unlisted"))  # type: ignore[no-untyped-call]  # grpc's
    for name in ("", "dabir.documents.v1.DocumentService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE_SECONDS)
        assert answer.status == SERVING
    assert (await refusal(stub.Check(health_pb2.HealthCheckRequest(service="no.such")))).code == "NOT_FOUND"


async def test_stopping_says_so_finishes_what_runs_and_refuses_what_comes(identities: Identities) -> None:
    async with running(identities, stop_wait_seconds=0.3, stop_grace_seconds=DEADLINE_SECONDS) as hub:
        go = asyncio.Event()
        hub.documents.act = lambda: _wait(go)
        stub = await hub.stub()
        running_call = asyncio.ensure_future(stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT)))
        await until(lambda: hub.documents.calls == 1)
        health: Any = health_pb2_grpc.HealthStub(await hub.channel("bank"))  # type: ignore[no-untyped-call]  # grpc's
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE_SECONDS)
        assert (await watch.read()).status == SERVING
        stopped = asyncio.ensure_future(hub.server.stop())
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
        while (code := await _code(identities, hub.port)) != "UNAVAILABLE":
            # Within stop_wait_seconds calls are still taken; grpc cuts off the one that comes in the very moment after.
            assert code in ("OK", "CANCELLED")
        assert not running_call.done()
        go.set()
        assert (await running_call).document.name == DOCUMENT
        await stopped


async def _code(identities: Identities, port: int) -> str:
    async with identities.channel(port, "intake") as channel:
        check: Raw = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            await check(b"", timeout=DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"


async def test_what_is_not_done_when_the_grace_is_over_is_ended(identities: Identities) -> None:
    async with running(identities, stop_grace_seconds=0.1) as hub:
        hub.documents.act = lambda: _wait(asyncio.Event())
        stub = await hub.stub()
        call = asyncio.ensure_future(refusal(stub.GetDocument(pb.GetDocumentRequest(name=DOCUMENT))))
        await until(lambda: hub.documents.calls == 1)
        await hub.server.stop()
        assert (await call).code in ("UNAVAILABLE", "CANCELLED")


async def test_reflection_tells_developers_the_services(hub: Hub) -> None:
    assert "dabir.documents.v1.DocumentService" in await _reflected(await hub.channel())


async def test_production_has_no_reflection(tmp_path: Path) -> None:
    authority = TestAuthority()
    config = _production(tmp_path, authority)
    service = Service("dabir.documents.v1.DocumentService", add_DocumentServiceServicer_to_server, Documents())
    server = Server(config, [service], Listed())
    port = await server.start()
    credentials = grpc.ssl_channel_credentials(
        config.tls_roots.read_bytes(), config.tls_key.read_bytes(), config.tls_certificate.read_bytes()
    )
    try:
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _reflected(channel)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop()


def test_figures_are_offered_on_a_port_of_their_own(identities: Identities) -> None:
    with runtime_metrics.endpoint(config_of(identities, metrics_listen="127.0.0.1:0"), Metrics()) as port:
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
    assert b"dabir_calls_running 0.0" in answer


async def test_a_taken_port_stops_the_start(hub: Hub) -> None:
    with pytest.raises(StartRefused, match="taken"):
        await _start(config_of(hub.identities, listen=f"127.0.0.1:{hub.port}"))


async def test_a_service_without_a_row_in_the_access_table_is_not_served(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "/dabir.documents.v1.DocumentService/QueryUpload"
    rows: Mapping[str, Access] = {rpc: row for rpc, row in ACCESS.items() if rpc != missing}
    monkeypatch.setattr(runtime_server, "ACCESS", MappingProxyType(rows))
    with pytest.raises(StartRefused, match=missing):
        await _start(config_of(identities))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"services": ("dabir.intake.v1.SenderService",)}, "documents has dabir.documents.v1.DocumentService"),
        ({"allowed_services": ("intake", "evidence")}, "evidence, which may not call documents"),
    ],
)
async def test_settings_that_cannot_be_meant_stop_the_start(
    identities: Identities, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(StartRefused, match=says):
        await _start(config_of(identities, **settings))


async def test_a_key_of_another_certificate_stops_the_start(identities: Identities) -> None:
    with pytest.raises(StartRefused, match="is not the key of"):
        await _start(config_of(identities, tls_key=identities.pair("intake").key))


async def test_a_grpc_that_would_speak_tls_1_2_stops_the_start(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "TLS_1_3_ONLY", False)
    with pytest.raises(StartRefused, match=r"TLS 1\.2"):
        await _start(config_of(identities))


async def _start(config: ServiceConfig) -> None:
    service = Service("dabir.documents.v1.DocumentService", add_DocumentServiceServicer_to_server, Documents())
    server = Server(config, [service], Listed())
    try:
        await server.start()
    finally:
        await server.stop()


def _production(folder: Path, authority: TestAuthority) -> ServiceConfig:
    key, certificate = write_files(authority.issue(purpose="tls", uris=["urn:dabir:service:documents"]), folder, "tls")
    roots = folder / "roots.pem"
    roots.write_bytes(authority.root.public_bytes(Encoding.PEM))
    crls = folder / "crls"
    crls.mkdir()
    (crls / "root.pem").write_bytes(authority.crls()[0].public_bytes(Encoding.PEM))
    return dataclasses.replace(
        config_of(Identities(folder / "unused")),
        environment="production",
        tls_certificate=certificate,
        tls_key=key,
        tls_roots=roots,
        tls_service_issuers=roots,
        crl_folder=crls,
    )


async def _reflected(channel: grpc.aio.Channel) -> list[str]:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[no-untyped-call]  # grpc's
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), timeout=DEADLINE_SECONDS)
    answer = await call.read()
    if answer is grpc.aio.EOF:
        raise grpc.aio.AioRpcError(await call.code())
    call.cancel()
    return [service.name for service in answer.list_services_response.service]


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def serve_until_told(identities: Identities, monkeypatch: pytest.MonkeyPatch, task: Any, told: bool) -> None:
    """`serve` with one task beside it; told to stop at once, or never."""
    asked = asyncio.Event()
    monkeypatch.setattr(runtime_server, "stop_signal", lambda: asked)
    monkeypatch.setattr(runtime_server, "_CANCEL_AGAIN_SECONDS", 0.01)
    if told:
        asked.set()
    service = Service("dabir.documents.v1.DocumentService", add_DocumentServiceServicer_to_server, Documents())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await runtime_server.serve(config_of(identities), [service], Listed(), tasks=[task])


async def test_a_swallowed_cancellation_holds_no_process_and_is_no_failure(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    swallowed = []

    async def swallow() -> None:
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                swallowed.append(error)

    await serve_until_told(identities, monkeypatch, swallow, told=True)
    assert len(swallowed) == 3


async def test_a_task_that_ends_by_itself_ends_the_process_as_a_failure(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end() -> None:
        pass

    with pytest.raises(RuntimeError, match="must run for as long as the service"):
        await serve_until_told(identities, monkeypatch, end, told=False)
