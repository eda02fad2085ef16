"""Starting a server as our child: its own session, its log, its pid file, and dead when we are."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
LOG_BYTES = 16 << 20
"""A log that is larger when its process starts becomes `NAME.log.1`, replacing the one before."""


class LockedError(RuntimeError):
    """Another process holds the lock of a state that only one may use."""


@dataclass(frozen=True)
class Command:
    """How to run a program. `env` is its whole environment; user and group are None to stay who we are."""

    args: tuple[str, ...]
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    user: int | None = None
    group: int | None = None


def launch(
    command: Command,
    log: Path,
    *,
    lock: Path | None = None,
    on_our_death: signal.Signals = signal.SIGKILL,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts it in a session of its own, output appended to `log`, ended with `on_our_death` when this thread dies.

    `lock` is held by the child, not by us, for as long as it lives. Raises LockedError if it is held already.
    """
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    ids = [
        str(command.user) if command.user is not None else "-",
        str(command.group) if command.group is not None else "-",
    ]
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(on_our_death)), *ids]
    with log.open("ab") as output, contextlib.ExitStack() as stack:
        kept_open = (stack.enter_context(hold(lock)),) if lock is not None else ()
        return subprocess.Popen(  # noqa: S603 - our own table of commands
            [*leash, *command.args],
            env=command.env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=kept_open,
        )


@contextlib.contextmanager
def hold(lock: Path) -> Iterator[int]:
    """Holds an exclusive flock(2) while the block runs, or as long as a child that got it lives. Raises LockedError."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"{lock} is held by a process that is still running") from error
        yield descriptor
    finally:
        os.close(descriptor)


def stop(process: subprocess.Popen[bytes], gentle: signal.Signals, grace_seconds: float) -> None:
    """Asks it to end, and ends its whole session by SIGKILL when the grace is over. Returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(gentle)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        kill_session(process.pid)
        process.wait()
    kill_session(process.pid)


# A pid alone can be another process's by now; with its start time (proc(5), field 22) it cannot.


def note(pid_file: Path, pid: int) -> None:
    """Writes who runs, for a successor that must clear what a killed supervisor left."""
    arriving = pid_file.with_name(f".{pid_file.name}")
    arriving.write_text(json.dumps({"pid": pid, "start": start_time(pid)}), encoding="utf-8")
    arriving.replace(pid_file)


def noted(pid_file: Path) -> int | None:
    """The pid in the file if that very process is alive."""
    try:
        said = json.loads(pid_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return said["pid"] if start_time(said["pid"]) == said["start"] else None


def clear(pid_file: Path, *, timeout_seconds: float = 10) -> bool:
    """Kills what a pid file names and what its session still holds; returns whether there was anything."""
    try:
        said = json.loads(pid_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    pid, deadline = said["pid"], time.monotonic() + timeout_seconds
    if start_time(pid) not in (said["start"], None):
        pid_file.unlink()  # the number belongs to somebody else today, and so does its session
        return False
    found = False
    while members := session(pid):
        found = True
        kill_session(pid)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {members} of an earlier stack do not end; end them by hand")
        time.sleep(0.02)
    pid_file.unlink()
    return found


def kill_session(leader: int) -> None:
    """SIGKILL for every process of the session."""
    for pid in session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def session(leader: int) -> list[int]:
    """The living processes of the session that `leader` began (zombies are dead)."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            state, session_id = fields[0], int(fields[3])
            if session_id == leader and state not in "ZX":
                members.append(int(entry.name))
    return members


def start_time(pid: int) -> int | None:
    """When the process started, in the kernel's ticks since boot; None if there is none (a zombie counts as none)."""
    fields = _stat(pid)
    return int(fields[19]) if fields is not None and fields[0] not in "ZX" else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
