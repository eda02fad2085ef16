"""One line for the session."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.conftest import Postgres, S3Server
from tests.contract.intake.line import Line, run_line
from tests.contract.intake.member import Member
from tests.contract.intake.people import People, Worker


@pytest.fixture(scope="session")
async def line(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, s3_server: S3Server
) -> AsyncIterator[Line]:
    """directory, documents and two copies of intake over a database of their own."""
    async with run_line(tmp_path_factory.mktemp("line"), postgres.another_database(), s3_server) as running:
        yield running
        running.check_books()


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
async def court(people: People) -> Member:
    return await people.member("court")


@pytest.fixture(scope="session")
async def worker(people: People) -> Worker:
    return await people.worker()


@pytest.fixture
def nothing_stored(line: Line) -> Iterator[None]:
    """After the test intake holds and has stated what it did before: for what is refused."""
    before = line.stored()
    yield
    assert line.stored() == before
