"""One running directory for this folder's tests, and those who call it. Tests name what they make differently."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conftest import Postgres
from tests.contract.directory.hub import Directory, running


@pytest.fixture(scope="session")
async def directory(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Directory]:
    async with AsyncExitStack() as stack:
        folder = Path(tmp_path_factory.mktemp("directory"))
        yield await stack.enter_async_context(running(folder, postgres.another_database()))
