"""The workers' connection to a Temporal that speaks mutual TLS: the real server behind a TLS end of the test's own.

The development server itself speaks plain text only.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.runtime.config import StartRefused
from tests.conftest import TemporalServer
from tests.pki import TestAuthority, write_files
from tests.tls_end import tls_end
from workers.config import WorkerConfig
from workers.connection import connect


@pytest.fixture
async def tls_port(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[int]:
    """A port that speaks TLS with whoever shows a certificate of `client-roots.pem`, and hands on to Temporal."""
    servers, clients, strangers = TestAuthority(), TestAuthority(), TestAuthority()
    for name, authority in (("server", servers), ("client", clients), ("stranger", strangers)):
        (tmp_path / f"{name}-roots.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
        write_files(authority.issue(purpose="tls"), tmp_path, name)
    port = int(temporal_server.address.rpartition(":")[2])
    roots = tmp_path / "client-roots.pem"
    async with tls_end(port, tmp_path / "server.pem", tmp_path / "server.key.pem", "h2", roots) as tls:
        yield tls


@pytest.fixture
def over_tls(config: WorkerConfig, tls_port: int, tmp_path: Path) -> WorkerConfig:
    return replace(
        config,
        temporal_target=f"127.0.0.1:{tls_port}",
        temporal_tls=True,
        temporal_tls_roots=tmp_path / "server-roots.pem",
        temporal_tls_server_name="localhost",
        temporal_tls_certificate=tmp_path / "client.pem",
        temporal_tls_key=tmp_path / "client.key.pem",
        temporal_connect_seconds=0.0,
    )


async def test_workers_reach_temporal_over_mutual_tls(over_tls: WorkerConfig) -> None:
    temporal = await connect(replace(over_tls, temporal_connect_seconds=10.0))
    assert (await temporal.count_workflows("")).count >= 0


WRONG: dict[str, dict[str, Any]] = {
    "in plain text": {
        "temporal_tls": False, "temporal_tls_roots": None, "temporal_tls_server_name": "",
        "temporal_tls_certificate": None, "temporal_tls_key": None,
    },
    "without a certificate": {"temporal_tls_certificate": None, "temporal_tls_key": None},
    "with a stranger's certificate": {
        "temporal_tls_certificate": "stranger.pem", "temporal_tls_key": "stranger.key.pem"
    },
    "trusting others": {"temporal_tls_roots": "stranger-roots.pem"},
    "for another name": {"temporal_tls_server_name": "temporal.example"},
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
async def test_nothing_else_does(over_tls: WorkerConfig, tmp_path: Path, wrong: str) -> None:
    changed: dict[str, Any] = {
        key: tmp_path / value if isinstance(value, str) and value.endswith(".pem") else value
        for key, value in WRONG[wrong].items()
    }
    with pytest.raises(StartRefused, match="does not answer") as refused:
        await connect(replace(over_tls, **changed))
    assert ("temporal_tls settings" in str(refused.value)) == (wrong != "in plain text")


async def test_a_file_that_is_not_there_is_named(over_tls: WorkerConfig, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"nothing\.pem cannot be read: No such file"):
        await connect(replace(over_tls, temporal_tls_roots=tmp_path / "nothing.pem"))
