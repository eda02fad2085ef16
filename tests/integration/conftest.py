"""The whole stack, for every integration test that does not hurt it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import control
from infra.local.stack import Stack


@pytest.fixture(scope="package")
def stack(stack_folder: Callable[[str], Path]) -> Iterator[Stack]:
    """Every process of the hub, up, in a folder of its own, until the last integration test.

    `infra.local.members` has the bodies and their profiles, `control.status` the processes. A test that kills or stops
    something takes a stack of its own.
    """
    folder = stack_folder("stack")
    directory = folder / "state"
    yield control.up(directory, 1)
    control.clean(directory)
