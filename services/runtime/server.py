"""From configuration to a served port and back: start, readiness, graceful stop.

    service = Service("dabir.intake.v1.SenderService", add_SenderServiceServicer_to_server, Sender(pool))
    await serve(config, [service], resolver)

SIGTERM or SIGINT: health says NOT_SERVING, `stop_wait_seconds` pass for the balancer to notice, new calls are refused,
what runs has `stop_grace_seconds` to finish.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
import protovalidate
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined]  # it is how the package says to
from grpc_reflection.v1alpha import reflection

import services
from services.runtime.access import ACCESS, callers_of
from services.runtime.authentication import Authentication, Resolver
from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.gate import Gate
from services.runtime.logs import log
from services.runtime.metrics import Metrics, endpoint
from services.runtime.process import stop_signal
from services.runtime.transport import ServerTls

_HEALTH = "grpc.health.v1.Health"
# grpc's own limit, without RetryInfo, stands behind the gate's: what waits for directory counts, too.
_BACKSTOP = 2
_SOFT_METADATA = 0.8
# Of one stream: 5 MiB/s over 50 ms. Left alone, grpc widens it as it measures the line, and a server that was held up
# for a moment took 246 MiB of one upload into memory.
_WINDOW_BYTES = 256 * 1024
_CANCEL_AGAIN_SECONDS = 6.0  # longer than the sender takes to record what is under way

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Service:
    """A proto service: its full name, the generated `add_…Servicer_to_server`, our servicer.

    `end_streams`: called when the server stops, for streams that have no end of their own.
    """

    name: str
    add: Callable[[Any, Any], None]
    servicer: object
    end_streams: Callable[[], None] | None = None


class Server:
    """One gRPC server behind the gate. `serve` runs it; tests start and stop it themselves."""

    def __init__(
        self, config: ServiceConfig, offered: Sequence[Service], resolver: Resolver, metrics: Metrics | None = None
    ) -> None:
        """Raises StartRefused, with a sentence, on whatever is not as it must be."""
        self.metrics = metrics or Metrics()
        self._config = config
        self._served = _chosen(config, offered)
        _check(config, self._served)
        gate = Gate(config, Authentication(config, resolver), self.metrics)
        self._server = grpc.aio.server(
            interceptors=[gate],
            options=_options(config),
            maximum_concurrent_rpcs=config.max_concurrent_rpcs * _BACKSTOP,
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)  # type: ignore[no-untyped-call]  # grpc's
        for service in self._served:
            service.add(service.servicer, self._server)
        if config.environment == "development":
            names = [*(service.name for service in self._served), _HEALTH, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)  # type: ignore[no-untyped-call]  # grpc's
        self._tls = ServerTls(config)

    async def start(self) -> int:
        """Listen, then say SERVING. Gives the port. Raises StartRefused when it is taken."""
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        try:
            port = self._server.add_secure_port(self._config.listen, self._tls.credentials())
        except RuntimeError as error:
            raise StartRefused(f"listen {self._config.listen!r} cannot be listened on: the port is taken.") from error
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self) -> None:
        """Say NOT_SERVING, wait for the balancer, refuse new calls, finish what runs."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._config.stop_wait_seconds)
        for service in self._served:
            if service.end_streams is not None:
                service.end_streams()
        await self._server.stop(self._config.stop_grace_seconds)

    async def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", *(service.name for service in self._served)):
            await self._health.set(name, status)


async def serve(
    config: ServiceConfig,
    offered: Sequence[Service],
    resolver: Resolver,
    *,
    metrics: Metrics | None = None,
    tasks: Sequence[BackgroundTask] = (),
) -> None:
    """Serve until SIGTERM or SIGINT. `tasks` run beside the calls; one that ends or fails ends the process.

    Raises StartRefused, and what a task raised (RuntimeError where one just ended).
    """
    server = Server(config, offered, resolver, metrics)
    asked_to_stop = stop_signal()
    with endpoint(config, server.metrics) as metrics_port:
        running = [asyncio.create_task(task()) for task in tasks]
        port = await server.start()
        log.info("serving", port=port, metrics_port=metrics_port, services=[one.name for one in server._served])
        stop = asyncio.create_task(asked_to_stop.wait())
        ended: list[asyncio.Task[Any]] = []
        try:
            await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in running if task.done()]
        finally:
            log.info("stopping")
            await server.stop()
            await _end([stop, *running])
        for task in running:
            # Cancelled, one may end by returning.
            if task in ended or (not task.cancelled() and task.exception()):
                raise RuntimeError("A task that must run for as long as the service ended") from task.exception()
    log.info("stopped")


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they end: in Python 3.11 a wait_for, as the database's pool has, may swallow it once."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)


def _chosen(config: ServiceConfig, offered: Sequence[Service]) -> list[Service]:
    """Those that `services` names; all where it names none."""
    names = {service.name for service in offered}
    if unknown := set(config.services) - names:
        raise StartRefused(
            f"services names {', '.join(sorted(unknown))}: {config.source} has {', '.join(sorted(names))}."
        )
    return [service for service in offered if not config.services or service.name in config.services]


def _check(config: ServiceConfig, served: Sequence[Service]) -> None:
    """Deny by default: nothing is served that could be called by whom nobody thought of."""
    if not services.TLS_1_3_ONLY:
        raise StartRefused("grpc was imported before the package services, and would accept TLS 1.2: import it first.")
    for service in served:
        for method in descriptor_pool.Default().FindServiceByName(service.name).methods:
            if f"/{service.name}/{method.name}" not in ACCESS:
                raise StartRefused(f"/{service.name}/{method.name} has no row in services/runtime/access.py.")
            # Compiles the rules of its fields: a wrong one is found now and not at the first call.
            protovalidate.collect_violations(message_factory.GetMessageClass(method.input_type)())
    if strangers := set(config.allowed_services) - callers_of(config.source):
        raise StartRefused(
            f"allowed_services names {', '.join(sorted(strangers))}, which may not call {config.source}."
        )


def _options(config: ServiceConfig) -> list[tuple[str, Any]]:
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", config.message_max_bytes),
        ("grpc.max_send_message_length", config.message_max_bytes),
        ("grpc.max_metadata_size", int(config.metadata_max_bytes * _SOFT_METADATA)),
        ("grpc.absolute_max_metadata_size", config.metadata_max_bytes),
        ("grpc.max_concurrent_streams", config.max_concurrent_streams),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.server_handshake_timeout_ms", int(config.handshake_timeout_seconds * 1000)),
        ("grpc.max_connection_idle_ms", int(config.connection_idle_seconds * 1000)),
        # A client that is gone without a word is noticed; one that pings more often than this is cut off.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
