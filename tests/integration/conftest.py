"""The whole stack, for every integration test that does not hurt it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import control
from infra.local.settings import chosen_file, toml
from infra.local.stack import Stack


@pytest.fixture(scope="package")
def stack(stack_folder: Callable[[str], Path]) -> Iterator[Stack]:
    """Every process of the hub, up, in a folder of its own, until the last integration test.

    `infra.local.members` has the bodies and their profiles, `control.status` the processes. A test that kills or stops
    something takes a stack of its own.
    """
    directory = stack_folder("stack") / "state"
    directory.mkdir()
    # Looking fifty times a second for what to number, it would take a sixteenth of a core from the tests beside it.
    chosen_file(directory).write_text(toml({"evidence": {"sequencer_poll_ms": 100}}), encoding="utf-8")
    yield control.up(directory, 1)
    control.clean(directory)
