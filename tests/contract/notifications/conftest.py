"""A hub around notifications, and the service running."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Postgres
from tests.contract.harness import Identities
from tests.contract.notifications.harness import Hub, Running, running
from tests.contract.notifications.slow_names import SlowNames
from tests.integration.ledger.writer import FACTS


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Postgres:
    """One database for a module's tests."""
    made = postgres.another_database()
    with psycopg.connect(made.owner_url) as connection:
        connection.execute(FACTS.encode())
    return made


@pytest.fixture
def hub(database: Postgres, identities: Identities, tmp_path: Path) -> Hub:
    """The module's database without what the tests before have told; their letters' statements stay."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            b"""
            DELETE FROM notifications.attempt; DELETE FROM notifications.replay; DELETE FROM notifications.notification;
            DELETE FROM notifications.secret_rotation; DELETE FROM notifications.endpoint;
            DELETE FROM notifications.link_order; DELETE FROM notifications.link
            """
        )
    return Hub(tmp_path, database, identities)


@pytest.fixture
async def service(hub: Hub) -> AsyncIterator[Running]:
    async with running(hub) as started:
        yield started


@pytest.fixture
def slow() -> Iterator[SlowNames]:
    names = SlowNames()
    yield names
    names.answer.set()
    for thread in names.threads():
        thread.join()
