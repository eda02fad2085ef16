"""Seals that tests of the ledger sign with."""

import pytest

from dabir.formats.statement import events_of
from infra.local.pki import DevelopmentPki, Pair


@pytest.fixture(scope="session")
def intake_seal(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The seal of intake, which may state intake's events."""
    folder = tmp_path_factory.mktemp("pki")
    authority = DevelopmentPki(folder)
    authority.make()
    return authority.seal_pair("intake", folder, events_of("intake"))
