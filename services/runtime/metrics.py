"""Figures for Prometheus, on a port of their own; not encrypted, so at an address of the hub's own network.

`serve` makes the server's figures; a service's own are made on the same registry:

    metrics = Metrics()
    lag = Gauge("dabir_cursor_lag", "Statements not yet told", ["follower"], registry=metrics.registry)
    await serve(config, services, resolver, metrics=metrics)
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from services.runtime.config import ProcessConfig, StartRefused

_BUCKETS_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Observed(Protocol):
    """A call: `code` is the name of the gRPC status code it ends with."""

    rpc: str
    code: str


class Metrics:
    """One process's figures. `registry` is where a service adds its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._calls = Counter("dabir_calls", "Calls served, by outcome.", ["rpc", "code"], registry=self.registry)
        self._seconds = Histogram(
            "dabir_call_seconds", "How long calls took.", ["rpc"], buckets=_BUCKETS_SECONDS, registry=self.registry
        )
        self._running = Gauge("dabir_calls_running", "Calls in work.", registry=self.registry)

    @contextmanager
    def observed(self, call: Observed) -> Iterator[None]:
        """Counts and times one call, by the code that it has at its end."""
        began = time.monotonic()
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()
            self._calls.labels(call.rpc, call.code).inc()
            self._seconds.labels(call.rpc).observe(time.monotonic() - began)


@contextmanager
def endpoint(config: ProcessConfig, metrics: Metrics) -> Iterator[int]:
    """`/metrics` on `metrics_listen` for as long as the context is open; gives the port, 0 where none is offered."""
    if not config.metrics_listen:
        yield 0
        return
    host, _, port = config.metrics_listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host, metrics.registry)
    except (OSError, ValueError) as error:
        raise StartRefused(f"metrics_listen {config.metrics_listen!r} cannot be listened on: {error}.") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
