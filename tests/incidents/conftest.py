"""One stack and one browser for all incidents: each is made, seen, and solved by its page before the next."""

import os
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from infra.local import control
from infra.local.settings import config_file, toml
from infra.local.stack import Stack
from infra.parts import browser
from infra.parts.cache import PartMissing
from tests.chaos.faults import wait_until_back
from tests.incidents.hub import Hub
from tests.incidents.ui import Ui

HERE = Path(__file__).parent
RECONCILE_SECONDS = 1.0


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
    """A stack with definitions of these tests' own, which compares letters and runs every second, and its bodies."""
    release = tmp_path_factory.mktemp("release")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(HERE / "release"))
        environment.setenv("DABIR_RELEASE", str(release))
        stack = control.up(stack_folder("incidents") / "state", 1)
    try:
        _set(stack, "intake", definition_folders=[HERE / "definitions"])
        _set(stack, "workers", reconcile_seconds=RECONCILE_SECONDS)
        running = {name: control.status(stack.directory)[name]["pid"] for name in ("intake", "workers")}
        for pid in running.values():
            os.kill(pid, signal.SIGTERM)
        wait_until_back(stack, running)
        with Hub(stack, release, tmp_path_factory.mktemp("letters")) as opened:
            yield opened
    finally:
        supervisor = control.supervisor_pid(stack.directory)
        if supervisor is not None:
            os.kill(supervisor, signal.SIGKILL)  # everything dies with it: nothing is kept, so nothing need end well
        control.clean(stack.directory)


def _set(stack: Stack, name: str, **changed: object) -> None:
    file = config_file(stack, name)
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    file.write_text(toml(settings | changed), encoding="utf-8")


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
