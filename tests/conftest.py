"""What every room's tests may ask for: a real PostgreSQL with the hub's roles and schema."""

import itertools
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.local import postgres as server


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
        server.set_up(self.owner_url, self.passwords, made.database)
        return made


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL on a free port with roles, database and schema, for the whole session."""
    passwords = {role: secrets.token_hex(16) for role in (server.OWNER, *server.ROLES)}
    with tempfile.TemporaryDirectory(prefix="dabir-postgres-") as folder:
        home, port = Path(folder), free_port()
        home.chmod(0o711)  # the server runs as another user when we are root
        server.initialise(home / "data", passwords)
        process = server.start(home / "data", port, home / "log")
        try:
            running = Postgres(port, passwords)
            server.wait_ready(running.owner_url)
            server.set_up(running.owner_url, passwords)
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.fixture
def fresh_postgres(postgres: Postgres) -> Postgres:
    """The session's server with a database of the test's own."""
    return postgres.another_database()
