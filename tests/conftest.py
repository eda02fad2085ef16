"""What every room may ask for: a real PostgreSQL with the hub's roles and schema, a real S3, a real Temporal."""

import contextlib
import itertools
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from minio import Minio
from psycopg import sql
from xdist.scheduler import LoadScopeScheduling

import services  # noqa: F401  # before any test imports grpc, which then speaks TLS 1.3 only
from infra.local import child, s3, temporal
from infra.local import postgres as server
from infra.local.child import launch, stop

_TEMPLATE = "dabir_template"
"""The database that others are copied from: files copied take a third of the time of a schema applied."""
SEED = "DABIR_CHAOS_SEED"
"""What chance does in a run is drawn from it: given in the environment, or drawn and said at the end."""


def pytest_configure() -> None:
    """One seed for a run, in however many processes it runs; and Ctrl-C has its meaning for what tests start.

    A shell that runs us in the background would have SIGINT ignored, by us and by every process below us.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault(SEED, str(secrets.randbelow(1_000_000)))


_SHORT = ("conformance", "contract", "unit", "vectors")
"""Rooms that come last: a long one among them would end alone, with nothing left beside it."""
_ALONE = ("test_doctor.py", "test_readme.py", "test_supervision.py")
"""Files that do not use their room's stack, and start what they need themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long rooms first; in them, and in each room, the order stays."""
    items.sort(key=lambda item: item.nodeid.split("/")[1] in _SHORT)


class ByRoom(LoadScopeScheduling):
    """A room that starts servers stays in one process, which starts them once; other tests go by file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        _, *rooms, file = path.split("/")
        if rooms[0] in ("unit", "vectors") or file in _ALONE:
            return path
        alone = rooms[0] == "contract" or rooms[-1] in ("intake", "ledger")
        return "/".join(rooms if alone else rooms[:1])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByRoom:
    """Who runs what, where tests run in several processes."""
    return ByRoom(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How to repeat what chance did."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    if any("tests/chaos/" in report.nodeid for report in reports):
        terminalreporter.write_line(f"chaos: {SEED}={os.environ[SEED]} repeats this run's kills")


@dataclass(frozen=True)
class Postgres:
    """A running server. `database` is the one with the hub's schema."""

    port: int
    passwords: dict[str, str]
    database: str = server.DATABASE
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def database_url(self, role: str) -> str:
        """Connection string of a service's role (`intake`, …) or of `dabir`, the owner."""
        return server.url(role, self.passwords[role], self.port, self.database)

    @property
    def owner_url(self) -> str:
        """Connection string of the superuser: for what a test must arrange behind the services' backs."""
        return self.database_url(server.OWNER)

    def another_database(self) -> "Postgres":
        """A further database on the same server with the schema and no rows, for a test that changes what all share."""
        made = Postgres(self.port, self.passwords, f"dabir_{next(self._numbers)}", self._numbers)
        names = {"database": sql.Identifier(made.database), "template": sql.Identifier(_TEMPLATE)}
        roles = sql.SQL(", ").join(map(sql.Identifier, server.ROLES))
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (_TEMPLATE,)).fetchone():
                server.set_up(self.owner_url, self.passwords, _TEMPLATE)
            connection.execute(
                sql.SQL("CREATE DATABASE {database} TEMPLATE {template} STRATEGY FILE_COPY").format(**names)
            )
            # Who may connect is not copied.
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {roles}").format(**names, roles=roles))
        return made


def free_port() -> int:
    """A port that was free a moment ago, below those from which the kernel serves outgoing connections."""
    while True:
        port = 10240 + secrets.randbelow(32768 - 10240)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[Callable[[str], Path]]:
    """Makes a folder for a stack. pytest's own are shut to other users, and PostgreSQL runs as one when we are root."""
    with contextlib.ExitStack() as folders:

        def make(name: str) -> Path:
            folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix=f"dabir-{name}-")))
            folder.chmod(0o711)
            return folder

        yield make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL on a free port with roles, database and schema, for the whole session."""
    passwords = {role: secrets.token_hex(16) for role in (server.OWNER, *server.ROLES)}
    with tempfile.TemporaryDirectory(prefix="dabir-postgres-") as folder:
        home, port = Path(folder), free_port()
        home.chmod(0o711)  # the server runs as another user when we are root
        server.initialise(home / "data", passwords)
        command = server.command(home / "data", port)
        # Killing the server loses nothing even so: what it wrote is the machine's, and that does not fail in a test.
        command = replace(command, args=(*command.args, "-c", "fsync=off"))
        process = launch(command, home / "log", on_our_death=signal.SIGQUIT)
        try:
            running = Postgres(port, passwords)
            server.wait_ready(running.owner_url)
            server.set_up(running.owner_url, passwords)
            yield running
        finally:
            # SIGQUIT stops at once: a checkpoint of what is thrown away takes seconds.
            stop(process, signal.SIGQUIT, grace_seconds=30)


@pytest.fixture
def fresh_postgres(postgres: Postgres) -> Postgres:
    """The session's server with a database of the test's own."""
    return postgres.another_database()


@dataclass(frozen=True)
class S3Server:
    """A running S3 server with the hub's bucket, versioned and locked."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str = s3.BUCKET

    def client(self) -> Minio:
        """A client of the server, patient enough for a first PUT."""
        return s3.client(self.endpoint, self.access_key, self.secret_key)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server with the hub's bucket, for the whole session."""
    with tempfile.TemporaryDirectory(prefix="dabir-s3-") as folder:
        home, ports = Path(folder), {name: free_port() for name in s3.PORTS}
        running = S3Server(f"127.0.0.1:{ports['s3']}", secrets.token_hex(10), secrets.token_hex(20))
        s3.prepare(home, running.access_key, running.secret_key)
        process = child.launch(s3.command(home, ports), home / "log")
        try:
            s3.set_up(running.client())
            yield running
        finally:
            # At once, as above: it would take seconds to save what is thrown away.
            child.stop(process, signal.SIGKILL, grace_seconds=5)


@dataclass(frozen=True)
class TemporalServer:
    """A running Temporal with the hub's namespace and search attributes."""

    address: str
    ui_address: str
    namespace: str = temporal.NAMESPACE


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[TemporalServer]:
    """A real Temporal server with the hub's namespace and search attributes, for the whole session."""
    with tempfile.TemporaryDirectory(prefix="dabir-temporal-") as folder:
        home, ports = Path(folder), {name: free_port() for name in temporal.PORTS}
        running = TemporalServer(f"127.0.0.1:{ports['frontend']}", f"127.0.0.1:{ports['ui']}")
        temporal.prepare(home)
        process = child.launch(temporal.command(home, ports), home / "log", lock=home / "lock")
        try:
            temporal.set_up(running.address)
            yield running
        finally:
            child.stop(process, signal.SIGKILL, grace_seconds=5)
