"""Starts the table's processes in the order of their dependencies, starts again what dies, and ends them in reverse.

A process is up when its probe answered and its set-up is done; both are repeated at every start of it. It waits for
those it depends on at every start too. Nothing here knows what the processes are.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog

from infra.local import child
from infra.local.process import Process
from infra.local.stack import write

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
STEADY_SECONDS = 20.0
"""Who was up this long and dies begins again with the shortest pause."""
POLL_SECONDS = 0.1

T = TypeVar("T")

log = structlog.get_logger()


class DiedError(RuntimeError):
    """The process ended before it was up."""


@dataclass
class State:
    """What `status` shows of a process."""

    state: str = "waiting"
    """waiting (for those it depends on), starting, up, pausing (before it is started again), stopped."""
    pid: int | None = None
    restarts: int = 0
    reason: str = ""
    """Why it was started again last."""


@dataclass
class Supervisor:
    """Runs one table of processes. `directory` is the stack's."""

    directory: Path
    table: Sequence[Process]
    states: dict[str, State] = field(init=False)

    def __post_init__(self) -> None:
        self.states = {process.name: State() for process in self.table}
        self._up = {process.name: asyncio.Event() for process in self.table}
        # Probes block; a dead server's probe may block for a while. One slow one must not hold up another's.
        self._threads = ThreadPoolExecutor(2 * len(self.table) + 2, thread_name_prefix="probe")
        self._is_abandoned = False

    def abandon(self) -> None:
        """From now on processes are ended as if we had died: nobody will need what they leave."""
        self._is_abandoned = True

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps every process running until `stop` is set, then ends them, dependants first."""
        self._publish()
        ends = {process.name: asyncio.Event() for process in self.table}
        tasks = {p.name: asyncio.create_task(self._keep(p, ends[p.name]), name=p.name) for p in self.table}
        stopped = asyncio.create_task(stop.wait())
        # A task that ends by itself is a fault of ours: end the stack rather than run it half watched.
        await asyncio.wait([stopped, *tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for layer in reversed(layers(self.table)):
            for process in layer:
                ends[process.name].set()
            await asyncio.wait([tasks[process.name] for process in layer])
        self._threads.shutdown(wait=False, cancel_futures=True)
        for task in tasks.values():
            task.result()

    async def _keep(self, process: Process, end: asyncio.Event) -> None:
        """One process's life: start, up, death, pause, and again, until `end`."""
        state, pause_seconds = self.states[process.name], FIRST_PAUSE_SECONDS
        while not end.is_set():
            began = time.monotonic()
            reason = await self._live_once(process, end)
            if end.is_set():
                break
            if time.monotonic() - began > STEADY_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            state.restarts += 1
            state.reason = reason
            self._show(process, "pausing")
            log.warning(
                "process will be started again", process=process.name, reason=reason, pause_seconds=pause_seconds
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        self._show(process, "stopped")

    async def _live_once(self, process: Process, end: asyncio.Event) -> str:
        """From one start to the end of it; returns why it ended."""
        self._show(process, "waiting")
        if not await self._those_before(process, end):
            return "ended before it was started"
        running: subprocess.Popen[bytes] | None = None
        try:
            self._show(process, "starting")
            await self._blocking(process.prepare)
            command = await self._blocking(process.command)
            logs = self.directory / "logs" / f"{process.name}.log"
            # Here and not in a thread: the kernel ends the child when the thread that started it dies.
            running = child.launch(command, logs, lock=process.lock, on_our_death=process.on_our_death)
            self.states[process.name].pid = running.pid
            child.note(self._pid_file(process), running.pid)
            await self._bring_up(process, running, end)
            if end.is_set():
                return "ended"
            self._show(process, "up")
            self._up[process.name].set()
            log.info("process is up", process=process.name, pid=running.pid)
            return await self._watch(process, running, end)
        except Exception as error:
            # Whatever a probe or a set-up raises means the same: not up. It is said, and tried again.
            return f"{type(error).__name__}: {error}"
        finally:
            self._up[process.name].clear()
            if running is not None:
                await self._end(process, running)

    async def _those_before(self, process: Process, end: asyncio.Event) -> bool:
        """Waits until all it depends on are up; False if the stack ends first."""
        while not all(self._up[name].is_set() for name in process.after):
            if end.is_set():
                return False
            await asyncio.sleep(POLL_SECONDS)
        return not end.is_set()

    async def _bring_up(self, process: Process, running: subprocess.Popen[bytes], end: asyncio.Event) -> None:
        """Repeats probe and set-up until both worked. Raises DiedError, or the last probe's error when time is over."""
        deadline = time.monotonic() + process.start_timeout_seconds
        steps = [process.ready, process.set_up]
        while steps and not end.is_set():
            if (status := running.poll()) is not None:
                raise DiedError(f"ended with status {status} before it was up; see logs/{process.name}.log")
            try:
                await self._blocking(steps[0])
                steps.pop(0)
            except Exception:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)

    async def _watch(self, process: Process, running: subprocess.Popen[bytes], end: asyncio.Event) -> str:
        """Returns when the process died, lost its file, or must end."""
        while not end.is_set():
            if (status := running.poll()) is not None:
                return f"ended with status {status}"
            if process.state_file is not None and not process.state_file.exists():
                return f"{process.state_file.name} was deleted"
            await asyncio.sleep(POLL_SECONDS)
        return "ended"

    async def _end(self, process: Process, running: subprocess.Popen[bytes]) -> None:
        how = process.on_our_death if self._is_abandoned else process.stop_signal
        await self._blocking(lambda: child.stop(running, how, process.stop_grace_seconds))
        self.states[process.name].pid = None
        self._pid_file(process).unlink(missing_ok=True)

    async def _blocking(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, step)

    def _pid_file(self, process: Process) -> Path:
        return self.directory / "run" / f"{process.name}.pid"

    def _show(self, process: Process, state: str) -> None:
        self.states[process.name].state = state
        self._publish()

    def _publish(self) -> None:
        """`run/status.json`: what everybody else knows about this stack."""
        processes = {p.name: asdict(self.states[p.name]) | {"ports": p.ports} for p in self.table}
        supervisor = {"pid": os.getpid(), "start": child.start_time(os.getpid())}
        write(self.directory / "run" / "status.json", json.dumps({"supervisor": supervisor, "processes": processes}))


def layers(table: Sequence[Process]) -> list[list[Process]]:
    """The processes by depth: each layer depends only on those before it. Raises ValueError if there is no order."""
    rest, done, found = list(table), set[str](), list[list[Process]]()
    while rest:
        layer = [process for process in rest if done.issuperset(process.after)]
        if not layer:
            raise ValueError(
                f"these wait for each other, or for a process that is not in the table: {[p.name for p in rest]}"
            )
        found.append(layer)
        done.update(process.name for process in layer)
        rest = [process for process in rest if process.name not in done]
    return found
