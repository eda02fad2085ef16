"""A line that may be hurt, of these tests' own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from tests.conftest import Postgres, S3Server
from tests.contract.intake.line import Line, run_line
from tests.contract.intake.member import Member
from tests.contract.intake.people import People, Worker
from tests.integration.intake.held import HOLDS, Held

# Longer than a test holds a transaction: it is the test that ends it.
PATIENT = {
    "database_lock_timeout_seconds": 60,
    "database_statement_timeout_seconds": 60,
    "database_idle_in_transaction_seconds": 60,
}


@pytest.fixture(scope="session")
async def line(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, s3_server: S3Server
) -> AsyncIterator[Line]:
    """directory, documents and two copies of intake over a database of their own."""
    folder = tmp_path_factory.mktemp("line")
    async with run_line(folder, postgres.another_database(), s3_server, **PATIENT) as running:
        running.sql(HOLDS)
        yield running


@pytest.fixture(scope="session")
async def people(line: Line) -> AsyncIterator[People]:
    """Everybody who calls."""
    async with AsyncExitStack() as stack:
        yield People(line, stack)


@pytest.fixture(scope="session")
async def interior(people: People) -> Member:
    return await people.member("interior")


@pytest.fixture(scope="session")
async def bank(people: People) -> Member:
    return await people.member("bank")


@pytest.fixture(scope="session")
async def worker(people: People) -> Worker:
    return await people.worker()


@pytest.fixture(autouse=True)
def books_are_whole(line: Line) -> Iterator[None]:
    """After each of these tests no book has a gap or a repeat."""
    yield
    line.check_books()


@pytest.fixture
def held(line: Line) -> Iterator[Held]:
    """Lets a test stop a transaction of intake's where it says, and let it go on."""
    with psycopg.connect(line.postgres.owner_url, autocommit=True) as connection:
        yield Held(connection)
