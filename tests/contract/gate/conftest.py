"""A server with the default settings."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.gate.hub import Hub, running
from tests.contract.harness import Identities


@pytest.fixture
async def hub(identities: Identities) -> AsyncIterator[Hub]:
    async with running(identities) as started:
        yield started
