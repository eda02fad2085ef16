"""Where parts that had to be fetched or built are kept between stacks and checkouts."""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import os
import platform
import shutil
import sys
from pathlib import Path


class PartMissing(RuntimeError):
    """A part cannot be had on this machine; the message says what to do."""


def directory() -> Path:
    """`DABIR_CACHE`, else `~/.cache/dabir` (XDG_CACHE_HOME is kept to); made if missing."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("DABIR_CACHE") or Path(home) / "dabir").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def program(name: str, version: str) -> Path:
    """The path a program of this version has in the cache on this platform, whether it is there or not."""
    return directory() / f"{name}-{version}-{sys.platform}-{platform.machine()}" / name


def keep(found: Path, place: Path) -> Path:
    """Copies a finished program to its `place` by an atomic rename: nobody ever runs half of one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    arriving = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(found, arriving)
    arriving.chmod(0o755)
    arriving.replace(place)
    return place
