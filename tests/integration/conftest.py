"""The whole stack, for every integration test that does not hurt it."""

from collections.abc import Iterator

import pytest

from infra.local import control
from infra.local.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every process of the hub, up, in a folder of its own, for the whole session.

    `infra.local.members` has the bodies and their profiles, `control.status` the processes. A test that kills or stops
    something takes a stack of its own.
    """
    folder = tmp_path_factory.mktemp("stack")
    for outer in (folder, folder.parent, folder.parent.parent):
        outer.chmod(0o711)  # PostgreSQL runs as another user when we are root
    directory = folder / "state"
    yield control.up(directory, 1)
    control.clean(directory)
