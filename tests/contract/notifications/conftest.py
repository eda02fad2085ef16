"""A hub around notifications, and the service running."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Postgres
from tests.contract.harness import Identities
from tests.contract.notifications.harness import Hub, Running, running
from tests.integration.ledger.writer import FACTS


@pytest.fixture
def hub(fresh_postgres: Postgres, identities: Identities, tmp_path: Path) -> Hub:
    """An empty database of the test's own."""
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS.encode())
    return Hub(tmp_path, fresh_postgres, identities)


@pytest.fixture
async def service(hub: Hub) -> AsyncIterator[Running]:
    async with running(hub) as started:
        yield started
