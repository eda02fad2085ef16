"""Single probes of the hub's own processes: each returns if it is ready, and raises if it is not."""

import urllib.request
from functools import cache
from pathlib import Path

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

PROBE_TIMEOUT_SECONDS = 3.0


class NotReadyError(RuntimeError):
    """It answers, and says that it is not ready."""


def grpc_health(address: str, identity: Path, roots: Path) -> None:
    """The health service of a gRPC server with mutual TLS; `identity` is the folder of the prober's TLS pair."""
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(address, _credentials(identity, roots), options) as channel:
        stub = HealthStub(channel)  # type: ignore[no-untyped-call]  # the package ships no types
        answer = stub.Check(HealthCheckRequest(), timeout=PROBE_TIMEOUT_SECONDS)
    if answer.status != HealthCheckResponse.SERVING:
        raise NotReadyError(f"health says {HealthCheckResponse.ServingStatus.Name(answer.status)}")


@cache
def _credentials(identity: Path, roots: Path) -> grpc.ChannelCredentials:
    key, certificate = ((identity / name).read_bytes() for name in ("tls.key", "tls.pem"))
    return grpc.ssl_channel_credentials(roots.read_bytes(), key, certificate)


def metrics(address: str) -> None:
    """The metrics endpoint of a process that serves nothing else."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=PROBE_TIMEOUT_SECONDS):
        pass
