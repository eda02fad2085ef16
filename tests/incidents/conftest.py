"""One stack and one browser for all incidents: each is made, seen, and solved by its page before the next."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from infra.local import control
from infra.local.settings import chosen_file, toml
from infra.parts import browser
from infra.parts.cache import PartMissing
from tests.incidents.hub import Hub
from tests.incidents.ui import Ui

HERE = Path(__file__).parent
SETTINGS: dict[str, dict[str, Any]] = {
    "intake": {"definition_folders": [HERE / "definitions"], "database_pool_wait_seconds": 1.0},
    "evidence": {"sequencer_poll_ms": 100},  # looking fifty times a second, it takes a sixteenth of a core
    "workers": {
        "reconcile_seconds": 1.0,
        "follow_poll_seconds": 0.25,
        "follow_lease_seconds": 2,
        "follow_retry_seconds": 0.2,
    },
}
"""Definitions of these tests' own, and short waits: for PostgreSQL, and for what a worker held that was ended."""


@pytest.fixture(scope="package")
def chromium() -> browser.Browser:
    """The program; a machine where none can be had has no tests of the UI."""
    try:
        return browser.program()
    except PartMissing as missing:
        pytest.skip(f"the UI is not looked at: {missing}")


@pytest.fixture(scope="package")
def hub(
    chromium: browser.Browser, stack_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """A stack with these settings, and its bodies."""
    release, directory = tmp_path_factory.mktemp("release"), stack_folder("incidents") / "state"
    directory.mkdir()
    chosen_file(directory).write_text(toml(SETTINGS), encoding="utf-8")
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PYTHONPATH", str(HERE / "release"))
            environment.setenv("DABIR_RELEASE", str(release))
            stack = control.up(directory, 1)
        with Hub(stack, release, tmp_path_factory.mktemp("letters")) as opened:
            yield opened
    finally:
        supervisor = control.supervisor_pid(directory)
        if supervisor is not None:
            os.kill(supervisor, signal.SIGKILL)  # everything dies with it: nothing is kept, so nothing need end well
        control.clean(directory)


@pytest.fixture(scope="package")
def ui(chromium: browser.Browser, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The UI of that stack in a browser."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium.path,
            args=["--no-sandbox"],  # it looks at pages of our own servers alone, and may run as root
            env={**os.environ, **chromium.environment},
        )
        yield Ui(opened, hub.stack.address("temporal.ui"), tmp_path_factory.mktemp("pictures"))
        opened.close()
