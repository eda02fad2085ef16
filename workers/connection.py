"""The workers' way to Temporal: the hub's namespace, over TLS where the settings say so."""

import asyncio
import time
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, TLSConfig

from services.runtime.config import StartRefused
from workers.config import WorkerConfig
from workers.converter import DATA_CONVERTER


async def connect(config: WorkerConfig) -> Client:
    """Temporal with our namespace in it. Raises StartRefused when it is not there in time, or a file cannot be read."""
    deadline, tls = time.monotonic() + config.temporal_connect_seconds, _tls(config)
    while True:
        try:
            temporal = await Client.connect(
                config.temporal_target, namespace=config.temporal_namespace, data_converter=DATA_CONVERTER, tls=tls
            )
            await temporal.count_workflows("")
        except (RPCError, RuntimeError) as error:  # RuntimeError: no connection
            if time.monotonic() > deadline:
                raise StartRefused(_no_answer(config)) from error
            await asyncio.sleep(0.2)
        else:
            return temporal


def _no_answer(config: WorkerConfig) -> str:
    over = " over TLS" if config.temporal_tls else ""
    see = " See also that the temporal_tls settings fit its certificates." if over else ""
    return (
        f"Temporal at {config.temporal_target} does not answer{over} with the namespace {config.temporal_namespace}: "
        f"start it, or make the namespace (`make up` does both).{see}"
    )


def _tls(config: WorkerConfig) -> TLSConfig | bool:
    """False: in plain text. Raises StartRefused if a file cannot be read."""
    if not config.temporal_tls:
        return False
    try:
        return TLSConfig(
            server_root_ca_cert=_read(config.temporal_tls_roots),
            domain=config.temporal_tls_server_name or None,
            client_cert=_read(config.temporal_tls_certificate),
            client_private_key=_read(config.temporal_tls_key),
        )
    except OSError as error:
        raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
