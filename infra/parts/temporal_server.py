"""Temporal's command line, which holds its development server: found, fetched or built, in that order.

1. `DABIR_TEMPORAL`, a path  2. `temporal` on PATH  3. our cache  4. the official build, through the SDK's own download
5. a build from the Go module proxy, by the module in `infra/parts/temporal`.
Only VERSION is taken: the server's SQLite file belongs to it.
"""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.parts import cache, temporal_build
from infra.parts.cache import PartMissing

VERSION = "1.8.2"

Report = Callable[[str], None]


def say(line: str) -> None:
    """The default report: a line on standard error."""
    print(line, file=sys.stderr, flush=True)


def program(report: Report = say) -> Path:
    """The `temporal` to run, got if it must be (the build takes minutes and says so). Raises PartMissing."""
    return at_hand() or _obtain(cache.program("temporal", VERSION), report)


def at_hand() -> Path | None:
    """The `temporal` that can be run without fetching or building. Raises PartMissing if DABIR_TEMPORAL names none."""
    if named := os.environ.get("DABIR_TEMPORAL"):
        if version(Path(named)) != VERSION:
            raise PartMissing(f"DABIR_TEMPORAL={named} is not temporal {VERSION}. Name that version, or unset it.")
        return Path(named).absolute()
    on_path = shutil.which("temporal")
    if on_path is not None and version(Path(on_path)) == VERSION:
        return Path(on_path)
    cached = cache.program("temporal", VERSION)
    return cached if cached.is_file() else None


def version(candidate: Path) -> str | None:
    """The version the program says it has; None if it does not run."""
    environment = {**os.environ, "TEMPORAL_VERSION_CHECK_DISABLED": "1"}
    try:
        answer = subprocess.run(  # noqa: S603 - the person who runs the stack named it
            [candidate, "--version"], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split()  # temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)
    return words[2] if len(words) > 2 else None


def _obtain(place: Path, report: Report) -> Path:
    """Fetches or builds under a lock, so that two stacks starting at once do it once."""
    with (cache.directory() / "temporal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_file():
            return place
        report(f"temporal {VERSION} is not on this machine: trying to download the official build")
        if not _download(place):
            report("the download did not work; building it from source instead")
            temporal_build.build(place, VERSION, report)
    if version(place) != VERSION:
        place.unlink()
        raise PartMissing(f"what was got as temporal {VERSION} does not run here; set DABIR_TEMPORAL to one that does")
    report(f"temporal {VERSION} is kept in {place.parent}")
    return place


_DOWNLOAD = """
import asyncio, sys
from temporalio.testing import WorkflowEnvironment

async def main() -> None:
    folder, version = sys.argv[1:]
    environment = await WorkflowEnvironment.start_local(
        download_dest_dir=folder, dev_server_download_version=version, dev_server_log_level="error")
    await environment.shutdown()

asyncio.run(main())
"""


def _download(place: Path) -> bool:
    """Lets the SDK fetch the official build; it starts a server too, which is ended. False without a network."""
    with tempfile.TemporaryDirectory(prefix="download-", dir=cache.directory()) as folder:
        # A process of its own: the SDK's runtime can crash at interpreter exit. Its end says nothing, the file does.
        command = [sys.executable, "-c", _DOWNLOAD, folder, f"v{VERSION}"]
        try:
            subprocess.run(command, capture_output=True, timeout=600, check=False)  # noqa: S603 - our own code
        except subprocess.TimeoutExpired:
            return False
        for found in Path(folder).rglob("temporal*"):
            if found.is_file() and version(found) == VERSION:
                cache.keep(found, place)
                return True
    return False
