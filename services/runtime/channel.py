"""A channel to a neighbour: mutual TLS, a deadline on every call, the request id passed on, UNAVAILABLE tried again.

    async with open_channel(config, config.directory_target) as directory:
        stub = DirectoryInternalServiceStub(directory)
        await stub.ResolveOffices(request)          # the caller's deadline less a margin, or call_timeout_seconds

The gate maps a neighbour's outage (UNAVAILABLE, DEADLINE_EXCEEDED, …) by itself. What else a neighbour answers, the
service must read with `reason_of` and say in its own words; unread it is INTERNAL.
"""

import json
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from services.runtime import deadline, logs
from services.runtime.config import ProcessConfig, StartRefused

# All our calls may be repeated: every effect is named by an id its caller chose.
_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_SERVICE_CONFIG = json.dumps(
    {"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "retryPolicy": _RETRY_POLICY}]}
)
_MESSAGE_MAX_BYTES = 16 * 1024 * 1024
_DETAILS = "grpc-status-details-bin"


def open_channel(config: ProcessConfig, target: str) -> grpc.aio.Channel:
    """A channel (an async context manager) to `target`: `host:port`, or `ipv4:a:1,a:2` for several replicas.

    Raises StartRefused when our certificate, key or roots cannot be read, and in production without roots for this.
    """
    if config.environment == "production" and config.tls_server_roots is None:
        raise StartRefused(
            "tls_server_roots is missing: in production give the hub's CA, or whoever issues a member's certificate "
            "could stand in for a service that is called."
        )
    try:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(config.tls_server_roots or config.tls_roots).read_bytes(),
            private_key=config.tls_key.read_bytes(),
            certificate_chain=config.tls_certificate.read_bytes(),
        )
    except OSError as error:
        raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
    options = [
        ("grpc.ssl_target_name_override", config.tls_server_name),
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.max_receive_message_length", _MESSAGE_MAX_BYTES),
        # One that is back is found at once, and not when a backoff that grew to minutes is over.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # A dead neighbour is found out while a call waits for it, not when TCP gives up.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    return grpc.aio.secure_channel(target, credentials, options, interceptors=[_PassOn(config)])


class _PassOn(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives each call its deadline and the request id."""

    def __init__(self, config: ProcessConfig) -> None:
        self._config = config

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(self._passed_on(client_call_details), request)

    def _passed_on(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if (request_id := logs.request_id()) and metadata.get(logs.REQUEST_ID) is None:
            metadata.add(logs.REQUEST_ID, request_id)
        timeout = timeout_seconds(self._config, details.timeout)
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


def timeout_seconds(config: ProcessConfig, wanted_seconds: float | None) -> float:
    """How long an outgoing call may take: what is wanted, but no longer than our own caller waits, less the margin."""
    remaining = deadline.remaining_seconds()
    wanted = config.call_timeout_seconds if wanted_seconds is None and remaining is None else wanted_seconds
    left = None if remaining is None else max(0.0, remaining - config.call_margin_seconds)
    return min(seconds for seconds in (wanted, left) if seconds is not None)


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo of a neighbour's answer (reason, metadata); an empty one where it gave none."""
    found = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            details = status_pb2.Status.FromString(value).details
            next((detail for detail in details if detail.Unpack(found)), None)
    return found


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason of a neighbour's answer, UPPER_SNAKE; "" where it gave none."""
    return error_info(error).reason
