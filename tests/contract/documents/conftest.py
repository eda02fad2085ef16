"""One running documents for the session, and further ones with settings of a test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Postgres, S3Server
from tests.contract.documents.harness import Documents, run_documents
from tests.contract.documents.member import Member
from tests.contract.documents.people import Directory, People, serve_directory


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="session")
async def directory(people: People) -> AsyncIterator[tuple[Directory, str]]:
    async with serve_directory(people) as served:
        yield served


@pytest.fixture(scope="session")
async def documents(
    tmp_path_factory: pytest.TempPathFactory,
    people: People,
    directory: tuple[Directory, str],
    postgres: Postgres,
    s3_server: S3Server,
) -> AsyncIterator[Documents]:
    folder = tmp_path_factory.mktemp("documents")
    async with run_documents(folder, people, directory, postgres, s3_server) as running:
        yield running


@pytest.fixture
async def sender(documents: Documents) -> AsyncIterator[Member]:
    async with documents.member("interior") as member:
        yield member


@pytest.fixture
async def recipient(documents: Documents) -> AsyncIterator[Member]:
    async with documents.member("bank") as member:
        yield member
