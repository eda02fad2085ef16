"""One stack to hurt, the systems of a few bodies, and the seed of what happens to them.

Every run draws a seed and says it; DABIR_CHAOS_SEED repeats it. A case depends on the seed and its own name only, so it
can be repeated alone.
"""

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import control
from infra.local.settings import DEMO_DEFINITIONS, chosen_file, toml
from infra.local.stack import MOST_REPLICAS, Stack
from tests.chaos.post import Post
from tests.conftest import SEED

SETTINGS = {
    "intake": {"definition_folders": [DEMO_DEFINITIONS, Path(__file__).with_name("definitions")]},
    # What was killed or terminated is taken up again after seconds, and not within a minute: the same, seen sooner.
    "notifications": {"webhook_timeout_seconds": 2.0, "claim_seconds": 4.0},
    "evidence": {"sequencer_poll_ms": 100},  # looking fifty times a second, each stack takes a sixteenth of a core
    "workers": {"follow_lease_seconds": 3, "reconcile_seconds": 2.0},
}


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What happens in this case, and when."""
    return random.Random(f"{os.environ[SEED]}/{request.node.name}")  # noqa: S311 - a schedule, no secret


@pytest.fixture(scope="package")
def stack(stack_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack of these tests' own, two of everything of the hub's: every case leaves it whole for the next."""
    directory = stack_folder("chaos") / "state"
    directory.mkdir()
    chosen_file(directory).write_text(toml(SETTINGS), encoding="utf-8")
    yield control.up(directory, MOST_REPLICAS)
    supervisor = control.supervisor_pid(directory)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)  # everything dies with it: nothing is kept, so nothing need end well
    shutil.copytree(directory / "logs", tmp_path_factory.mktemp("chaos") / "logs")  # for whoever asks why a case failed
    control.clean(directory)


@pytest.fixture(scope="package")
def post(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Members' systems, which live through all that happens to the hub."""
    with Post(stack, tmp_path_factory.mktemp("post")) as opened:
        yield opened
