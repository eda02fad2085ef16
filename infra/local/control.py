"""What a person, the demo and the tests do with a stack: up, down, clean, status, logs. Each may be repeated."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from infra.local import child, control_socket, members, postgres, settings
from infra.local.pki import DevelopmentPki
from infra.local.stack import Stack, StackError, opened, settle
from infra.local.supervisor import Supervisor
from infra.local.table import table
from infra.parts import temporal_server

CHECKOUT = Path(__file__).resolve().parents[2]
UP_TIMEOUT_SECONDS = 240
DOWN_TIMEOUT_SECONDS = 60
HOPELESS_RESTARTS = 6
"""A process that ended so often without ever being up will not come up by waiting."""

Say = Callable[[str], None]


def say(line: str) -> None:
    """The default report: a line on standard error; standard output is for answers."""
    print(line, file=sys.stderr, flush=True)


def run(directory: Path, replicas: int, only: Collection[str] = ()) -> None:
    """Runs the stack in this process until SIGTERM or SIGINT; SIGQUIT ends it without grace. Raises StackError if it is
    running already.

    `only`: these processes and what they need.
    """
    (directory / "run").mkdir(parents=True, exist_ok=True)
    try:
        with child.hold(directory / "lock"):
            clear_remains(directory)
            stack, reservation = settle(directory, replicas)
            with reservation:
                prepare(stack)
                asyncio.run(_supervise(stack, only))
    except child.LockedError as error:
        raise StackError(f"The stack in {directory} is running already: `make down` ends it.") from error


def prepare(stack: Stack) -> None:
    """All that must stand before the first process: secrets, keys, fresh revocation lists, settings, profiles.

    What identifies somebody is made once; what holds an address is written at every start.
    """
    stack.make_folders()
    stack.make_secrets()
    authority = DevelopmentPki(stack.pki)
    authority.make()
    settings.make_identities(stack, authority)
    settings.write_settings(stack, authority)
    members.make_profiles(stack, authority)
    members.write_directory_file(stack)


async def _supervise(stack: Stack, only: Collection[str]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    supervisor = Supervisor(stack.directory, table(stack, only))

    def abandon() -> None:
        supervisor.abandon()
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGQUIT, abandon)
    async with control_socket.served(stack):
        await supervisor.run(stop)


def clear_remains(directory: Path) -> None:
    """Ends what a killed supervisor left running. Only for who holds the stack's lock."""
    for pid_file in sorted((directory / "run").glob("*.pid")):
        child.clear(pid_file)


def up(directory: Path, replicas: int, report: Say = say, only: Collection[str] = ()) -> Stack:
    """Starts the stack in the background and returns when every process is up. Nothing is left if it does not come up.

    `only`: these processes and what they need; a stack that runs already is left as it is. Raises StackError with the
    process that does not come up and its last words.
    """
    while is_running(directory):
        with contextlib.suppress(_EndedError):
            return _wait_until_up(directory, None, report)
    temporal_server.program(report)  # here, where its minutes are seen
    with ThreadPoolExecutor(1) as pool:  # Ctrl-C interrupts this thread: who was started is known in the other
        starting = pool.submit(_start, directory, replicas, only)
        try:
            return _wait_until_up(directory, starting.result(), report)
        except BaseException:
            # If it ended, a stack that runs here now is somebody else's.
            if child.start_time(supervisor := starting.result()) is not None:
                os.kill(supervisor, signal.SIGTERM)  # here too: while it prepares, `down` cannot know who it is
                down(directory, report)
            raise


def _start(directory: Path, replicas: int, only: Collection[str]) -> int:
    """Starts the supervisor and returns its process id. It is nobody's child: who started it may end, or live on."""
    (directory / "run").mkdir(parents=True, exist_ok=True)
    (directory / "run" / "status.json").unlink(missing_ok=True)
    environment = {**os.environ, "DABIR_STACK": str(directory), "REPLICAS": str(replicas)}
    command = [sys.executable, "-m", "infra.local", "run", "--background", *only]
    # In a session of its own from the start: a terminal's Ctrl-C is for us, and we end it.
    started = subprocess.run(  # noqa: S603 - ourselves
        command,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )
    if started.returncode != 0:
        raise StackError(f"The supervisor did not start (status {started.returncode}).")
    return int(started.stdout)


def go_into_background(directory: Path) -> None:
    """Goes on in a process of its own, whose id is printed; what it prints from here on is in `logs/supervisor.log`."""
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    if (pid := os.fork()) != 0:
        print(pid, flush=True)
        os._exit(0)
    os.setsid()
    log = os.open(directory / "logs" / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


class _EndedError(Exception):
    """The stack that held the lock was ending: a killed supervisor's last threads keep it for a moment."""


def _wait_until_up(directory: Path, supervisor: int | None, report: Say) -> Stack:
    """`supervisor`: its process id, or None if it is somebody else's; then _EndedError is raised if there is none."""
    deadline, seen = time.monotonic() + UP_TIMEOUT_SECONDS, set[str]()
    while True:
        if supervisor is not None and child.start_time(supervisor) is None:
            raise StackError(f"The supervisor ended:\n{last_lines(directory, 'supervisor')}")
        processes = status(directory)
        if supervisor is None and not processes and not is_running(directory):
            raise _EndedError
        for name in sorted(name for name, process in processes.items() if process["state"] == "up"):
            if name not in seen:
                seen.add(name)
                report(f"{name} is up")
        if processes and len(seen) == len(processes):
            return opened(directory)
        for name, process in processes.items():
            if process["restarts"] >= HOPELESS_RESTARTS and name not in seen:
                raise StackError(f"{name} does not come up: {process['reason']}\n{last_lines(directory, name)}")
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(processes.keys() - seen)) or "the supervisor"
            raise StackError(f"Not up after {UP_TIMEOUT_SECONDS} s: {missing}. Look into {directory / 'logs'}.")
        time.sleep(0.05)


def down(directory: Path, report: Say = say) -> bool:
    """Ends the stack, state kept, and returns when nothing of it runs; False if it was not running."""
    return _end(directory, signal.SIGTERM, report)


def _end(directory: Path, how: signal.Signals, report: Say) -> bool:
    pid: int | None = None
    deadline, killed = time.monotonic() + DOWN_TIMEOUT_SECONDS, False
    while True:
        found = supervisor_pid(directory)
        if pid is None and found is not None:  # maybe only now: one that prepares has not said yet who it is
            os.kill(found, how)
            pid = found
        if found is None:
            with contextlib.suppress(child.LockedError), child.hold(directory / "lock"):
                clear_remains(directory)  # nothing, unless it was killed
                return pid is not None
        if time.monotonic() > deadline:
            if killed or pid is None:
                raise StackError(f"the stack in {directory} does not end; see {directory / 'logs' / 'supervisor.log'}")
            report("the supervisor does not end by itself: it is killed")
            os.kill(pid, signal.SIGKILL)
            deadline, killed = time.monotonic() + 10, True
        time.sleep(0.05)


def clean(directory: Path, report: Say = say) -> None:
    """Ends the stack and deletes its state. Raises StackError for a folder that holds no stack."""
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / "lock").exists():
        raise StackError(f"{directory} is not a stack's folder: nothing was deleted.")
    _end(directory, signal.SIGQUIT, report)  # without grace: what it would still write is deleted
    postgres.remove(directory / "postgres")
    shutil.rmtree(directory)


def is_running(directory: Path) -> bool:
    """Whether a supervisor holds this stack."""
    if not (directory / "lock").exists():
        return False
    try:
        with child.hold(directory / "lock"):
            return False
    except child.LockedError:
        return True


def supervisor_pid(directory: Path) -> int | None:
    """The supervisor's process id if it is alive."""
    known = _status_file(directory).get("supervisor")
    return known["pid"] if known and child.start_time(known["pid"]) == known["start"] else None


def status(directory: Path) -> dict[str, dict[str, Any]]:
    """By process: state, pid, restarts, reason of the last one, ports. Empty if no supervisor is alive."""
    return _status_file(directory).get("processes", {}) if supervisor_pid(directory) is not None else {}


def _status_file(directory: Path) -> dict[str, Any]:
    try:
        return json.loads((directory / "run" / "status.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # ours
    except FileNotFoundError:
        return {}


def last_lines(directory: Path, name: str, count: int = 15) -> str:
    """The end of a process's log."""
    try:
        text = (directory / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-count:])
