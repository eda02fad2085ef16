"""PostgreSQL as production reaches it: over TLS, its certificate and its name verified."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.database import Pool, open_pool
from services.runtime.identity import Caller, set_caller
from tests.conftest import Postgres
from tests.contract.gate.hub import config_of
from tests.contract.harness import Identities
from tests.pki import TestAuthority, write_files
from tests.tls_end import tls_end

PRODUCTION = {"sslmode": "verify-full", "sslnegotiation": "direct"}


@pytest.fixture
async def port(postgres: Postgres, tmp_path: Path) -> AsyncIterator[int]:
    """PostgreSQL behind a certificate for `localhost` that `roots.pem` vouches for."""
    authority = TestAuthority()
    (tmp_path / "roots.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    (tmp_path / "others.pem").write_bytes(TestAuthority("Others").root.public_bytes(Encoding.PEM))
    key, certificate = write_files(authority.issue(purpose="tls"), tmp_path, "server")
    async with tls_end(postgres.port, certificate, key, "postgresql") as tls:
        yield tls


def reached_by(identities: Identities, postgres: Postgres, folder: Path, **changed: str | int) -> ServiceConfig:
    """documents in production, with this in its connection string."""
    file = folder / "database-url"
    file.write_text(make_conninfo(postgres.database_url("documents"), **PRODUCTION | changed), encoding="utf-8")
    config = config_of(identities, crl_folder=identities.pki.crls, database_url_file=file)
    return dataclasses.replace(config, environment="production")


async def test_it_is_reached_over_verified_tls(
    identities: Identities, postgres: Postgres, port: int, tmp_path: Path
) -> None:
    config = reached_by(
        identities, postgres, tmp_path, host="localhost", port=port, sslrootcert=str(tmp_path / "roots.pem")
    )
    async with open_pool(config) as pool, pool.connection() as connection:
        assert connection.info.port == port
        assert connection.pgconn.ssl_in_use


async def test_no_environment_leads_a_socket_elsewhere(
    identities: Identities, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq takes an address from there beside a socket's folder; PostgreSQL itself has no TLS here."""
    (folder := tmp_path / "socket").mkdir()
    config = reached_by(identities, postgres, tmp_path, host=str(folder))
    conninfo = make_conninfo(postgres.database_url("documents"), host=str(folder))
    config.database_url_file.write_text(conninfo, encoding="utf-8")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    with pytest.raises(StartRefused, match=r"^The database does not let us in: .*(SSL|root certificate)"):
        async with open_pool(config):
            pass


@pytest.mark.parametrize(
    ("roots", "host", "says"),
    [("others.pem", "localhost", "certificate verify failed"), ("roots.pem", "127.0.0.1", "does not match host name")],
)
async def test_whoever_stands_in_for_it_is_refused(
    identities: Identities, postgres: Postgres, port: int, tmp_path: Path, roots: str, host: str, says: str
) -> None:
    config = reached_by(identities, postgres, tmp_path, host=host, port=port, sslrootcert=str(tmp_path / roots))
    with pytest.raises(StartRefused, match=f"^The database does not let us in: .*{says}") as refused:
        async with open_pool(config):
            pass
    assert postgres.passwords["documents"] not in str(refused.value)


async def test_calls_of_one_body_leave_connections_to_others(
    identities: Identities, postgres: Postgres, tmp_path: Path
) -> None:
    (url := tmp_path / "database-url").write_text(postgres.database_url("documents"), encoding="utf-8")
    settings: dict[str, Any] = {
        "database_pool_size": 3,
        "database_connections_per_body": 2,
        "database_pool_wait_seconds": 0.2,
    }
    config = dataclasses.replace(config_of(identities, database_url_file=url), **settings)

    async def connected(pool: Pool, body: str) -> None:
        set_caller(Caller(b"", body))
        async with pool.connection() as connection:
            await connection.execute("SELECT")

    async def in_use(pool: Pool, body: str) -> None:
        set_caller(Caller(b"", body))
        async with pool.connection(), pool.connection():
            with pytest.raises(PoolTimeout):
                await connected(pool, body)
            await asyncio.create_task(connected(pool, "bodies/bank"))
        await connected(pool, body)

    async with open_pool(config) as pool:
        await asyncio.create_task(in_use(pool, "bodies/interior"))
