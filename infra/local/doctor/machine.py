"""The machine: its system, the programs it must bring, its disk and its ports."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from infra.local.doctor.finding import Finding
from infra.parts import cache, temporal_server

DISK_BYTES, BUILD_DISK_BYTES = 3 << 30, 7 << 30
BLOCK_PORTS = 64
"""A stack's ports: `infra.local.stack.BLOCK_PORTS`, which cannot be imported before there is an environment."""
LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp (the kernel's tcp_states.h)."""


def system() -> Finding:
    found = f"{platform.system()} {platform.machine()}"
    tried = found in ("Linux x86_64", "Linux aarch64")
    return Finding(
        "system", found, "" if tried else "the stack's parts come for Linux on x86_64 or aarch64: use such a machine"
    )


def make() -> Finding:
    return _program("make")


def git() -> Finding:
    return _program("git")


def _program(name: str) -> Finding:
    found = shutil.which(name)
    return Finding(
        name, found or "not on PATH", "" if found else f"put {name} on PATH; on Debian: apt-get install {name}"
    )


def disk() -> Finding:
    """Whether the stack's folder and the cache have room: more where Temporal may have to be built."""
    cached = cache.program("temporal", temporal_server.VERSION).is_file()
    needed_bytes = DISK_BYTES if cached else BUILD_DISK_BYTES
    free_bytes = {place: shutil.disk_usage(place).free for place in (_existing(stack_folder()), cache.directory())}
    scarcest = min(free_bytes, key=lambda place: free_bytes[place])
    found = f"{free_bytes[scarcest] / (1 << 30):.1f} GB free in {scarcest}"
    if free_bytes[scarcest] >= needed_bytes:
        return Finding("disk", found)
    setting = "DABIR_CACHE" if scarcest == cache.directory() else "DABIR_STACK"
    return Finding(
        "disk", found, f"free {needed_bytes >> 30} GB there, or set DABIR_STACK and DABIR_CACHE to folders on another "
        f"disk ({setting} names this one)",
    )  # fmt: skip


def ports() -> Finding:
    """Whether the ports that DABIR_PORTS names are free, and if not, whose; without it, whether loopback gives any."""
    named = os.environ.get("DABIR_PORTS")
    if not named:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
        return Finding("ports", "a free block of 127.0.0.1 is chosen (DABIR_PORTS names one)")
    last = 65536 - BLOCK_PORTS
    if not named.isascii() or not named.isdigit() or not 1024 <= int(named) <= last:
        return Finding("ports", f"DABIR_PORTS={named}", f"write the first of {BLOCK_PORTS} ports, 1024 to {last}")
    first = int(named)
    taken = next((port for port in range(first, first + BLOCK_PORTS) if not _is_free(port)), None)
    if taken is None:
        return Finding("ports", f"{first} to {first + BLOCK_PORTS - 1} are free")
    owner = _owner(taken)
    if taken == first and owner is not None and owner == _supervisor():
        return Finding("ports", f"from {first}: of the stack that runs in {stack_folder()}")
    whose = f"process {owner} ({_command(owner)})" if owner else "a process that this user may not look at"
    return Finding("ports", f"127.0.0.1:{taken} is taken by {whose}", "end it, or name a free block: DABIR_PORTS=21000")


def stack_folder() -> Path:
    """The folder that DABIR_STACK names, whether it is there or not."""
    return Path(os.environ.get("DABIR_STACK") or ".stack").absolute()


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
    return True


def _supervisor() -> int | None:
    """The process that holds the first port of a running stack; None if there is no such stack."""
    try:
        known = json.loads((stack_folder() / "run" / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return int(known["supervisor"]["pid"])


def _owner(port: int) -> int | None:
    """The process that listens on the port, as far as /proc shows it to us."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if any(os.readlink(opened) in sockets for opened in (entry / "fd").iterdir()):
                    return int(entry.name)
            except OSError:  # ended meanwhile, or another user's
                continue
    return None


def _listeners(port: int) -> Iterator[str]:
    """The inodes of sockets that listen on the port; columns as in proc(5)."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else ():
            columns = line.split()
            if int(columns[1].rpartition(":")[2], 16) == port and columns[3] == LISTENING:
                yield columns[9]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "ended meanwhile"
