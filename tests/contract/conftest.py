"""Fixtures of every contract test."""

from pathlib import Path

import pytest

from tests.contract.harness import Identities


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    """One development PKI and TLS pairs from it. A test that revokes makes its own."""
    return Identities(Path(tmp_path_factory.mktemp("identities")))
