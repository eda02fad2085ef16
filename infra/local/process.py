"""What the supervisor must know about a process; `table.py` has one row for each."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.child import Command


def nothing() -> None:
    """For a row that needs no such step."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """A row of the table. Every step is blocking, may be repeated, and raises when it did not work."""

    name: str
    command: Callable[[], Command]
    after: tuple[str, ...] = ()
    """Those that must be up before this one is started."""
    prepare: Callable[[], None] = nothing
    """Before every start: folders, files."""
    ready: Callable[[], None]
    """One probe of the running process; repeated until it answers."""
    set_up: Callable[[], None] = nothing
    """After every start, and before it counts as up: what must stand in it."""
    ports: tuple[int, ...]
    start_timeout_seconds: float = 60
    """A process that is not up by then is ended and started again."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 10
    """After it, SIGKILL."""
    on_our_death: signal.Signals = signal.SIGKILL
    """What the kernel sends it when the supervisor dies."""
    lock: Path | None = None
    """Held by the process as long as it lives: a second one on the same state is not started."""
    state_file: Path | None = None
    """If this file is deleted under the running process, it is ended and started anew."""
