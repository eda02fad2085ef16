"""A service's connections to PostgreSQL: bounded in number, and no one of them can hold a lock for long.

    async with pool.connection() as connection, connection.transaction():
        ...

Connections are in autocommit mode: what belongs together stands in `connection.transaction()`, which commits at its
end; a single SELECT needs none. That the pool or the server is busy or away (`AWAY`) is mapped by the gate
(`error_mapping`): what serves a call does not catch it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.identity import calling_body

SCHEMA_VERSION = 13
"""The newest file of infra/schema that this release knows (a test compares)."""

Connection = AsyncConnection[Any]
AWAY = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""The server's, the connection's or the pool's word; that we stood still for too long; a standby that is to take over.

The same again later may succeed; after any other error of psycopg it would not.
"""

# A server that is gone without a word is found out in 25 s: what has no caller's deadline (the sequencer, the sweep)
# would wait for it as long as TCP does, two hours.
_DEAD_SERVER_NOTICED = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Pool(AsyncConnectionPool[AsyncConnection]):
    """Connections, of which the calls of one body hold a few at a time: those that wait for each other, for the chain
    of their own book say, leave the rest to others. The hub's own services and tasks have no share.
    """

    def __init__(self, conninfo: str, *, per_body: int, **options: Any) -> None:
        super().__init__(conninfo, connection_class=AsyncConnection, **options)
        self._shares: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(per_body))

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[AsyncConnection]:  # noqa: ASYNC109 - psycopg's
        """One of them for as long as the context is open. Raises PoolTimeout, TooManyRequests."""
        async with self._share(timeout or self.timeout), super().connection(timeout) as connection:
            yield connection

    @asynccontextmanager
    async def _share(self, wait_seconds: float) -> AsyncIterator[None]:
        if not (body := calling_body()):
            yield
            return
        share = self._shares[body]
        try:
            async with asyncio.timeout(wait_seconds):
                await share.acquire()
        except TimeoutError as error:
            raise PoolTimeout(f"{body} has all its connections in use") from error
        try:
            yield
        finally:
            share.release()


@asynccontextmanager
async def open_pool(config: ServiceConfig) -> AsyncIterator[Pool]:
    """The pool of this service's own role. Raises StartRefused when the database is away or of another release."""
    conninfo = connection_string(config)
    await _check_schema(conninfo)
    pool = Pool(
        conninfo,
        per_body=config.database_connections_per_body,
        open=False,
        min_size=1,
        max_size=config.database_pool_size,
        timeout=config.database_pool_wait_seconds,
        max_waiting=config.database_pool_waiting_calls,
        kwargs={
            "autocommit": True,
            "options": _session_settings(config),
            "application_name": config.source,
            **_DEAD_SERVER_NOTICED,
        },
        name=config.source,
    )
    async with pool:
        yield pool


def connection_string(config: ServiceConfig) -> str:
    """What `database_url_file` holds. Raises StartRefused, which never quotes it: a password is in it."""
    name = f"database_url_file {config.database_url_file}"
    try:
        conninfo = config.database_url_file.read_text(encoding="utf-8").strip()
        parts = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    except OSError as error:
        raise StartRefused(f"{name} cannot be read: {error.strerror}.") from error
    except (psycopg.ProgrammingError, UnicodeDecodeError):
        parts = {}
    # libpq quotes what it does not understand, and where a password has an @ or a / the rest of it is taken for the
    # host or the database, which a failed connection names.
    if not parts or any("@" in parts.get(part, "")[1:] for part in ("host", "dbname")):
        raise StartRefused(
            f"{name} holds no connection string: write host=… dbname=… user=… password=…, or a URL in which what is "
            f"not a letter or a digit of the password is %-encoded."
        )
    if config.environment == "production" and not _trusts_nobody_between(parts):
        raise StartRefused(
            f"{name} does not say sslmode=verify-full: in production add it, with sslrootcert=… for the CA of "
            f"PostgreSQL's certificate, or give the folder of a Unix socket as host."
        )
    # Also with a socket, which has no TLS, for the environment or a service file may name an address beside it.
    return make_conninfo(conninfo, sslmode="verify-full") if config.environment == "production" else conninfo


def _trusts_nobody_between(parts: Mapping[str, str]) -> bool:
    """Whether nobody can stand in for the server or listen.

    libpq's documentation ("SSL Support"): verify-ca takes any certificate of that CA, and so does only where the CA
    issues none to others. A hub's own CA issues one to each service, a public CA to anybody: it must be verify-full.
    Unix sockets have no TLS; whoever may make one in its folder is trusted anyhow. Without a host, the environment or a
    service file may name one.
    """
    hosts = parts.get("host", "").split(",")
    local = "hostaddr" not in parts and all(host.startswith("/") for host in hosts)
    return local or parts.get("sslmode") == "verify-full"


def _session_settings(config: ServiceConfig) -> str:
    seconds = {
        "statement_timeout": config.database_statement_timeout_seconds,
        "lock_timeout": config.database_lock_timeout_seconds,
        "idle_in_transaction_session_timeout": config.database_idle_in_transaction_seconds,
    }
    settings = [f"-c {name}={int(value * 1000)}" for name, value in seconds.items()]
    return " ".join([*settings, "-c timezone=UTC"])


async def _check_schema(conninfo: str) -> None:
    try:
        async with await AsyncConnection.connect(conninfo) as connection:
            cursor = await connection.execute("SELECT version FROM public.schema_version")
            applied = {int(row[0]) for row in await cursor.fetchall()}
    except psycopg.errors.UndefinedTable as error:
        raise StartRefused(
            "The database has no schema of ours: apply infra/schema first (`make up` does it)."
        ) from error
    except psycopg.Error as error:
        raise StartRefused(f"The database does not let us in: {' '.join(str(error).split())}") from error
    if max(applied, default=0) > SCHEMA_VERSION:
        raise StartRefused(
            f"The database has schema version {max(applied)}, this release knows {SCHEMA_VERSION}: "
            f"start a newer release."
        )
    if lacking := sorted(set(range(1, SCHEMA_VERSION + 1)) - applied):
        raise StartRefused(
            f"The database lacks schema version {lacking[0]}: apply what infra/schema has (`make up` does it)."
        )
