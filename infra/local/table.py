"""The table of processes: everything that runs in the local stack, one row each.

A row says how to start it, what must be up before, how one knows that it is ready, what must stand in it after every
start, and its ports. `supervisor.py` does the rest.
"""

import os
import signal
import sys
from collections.abc import Collection

from infra.local import postgres, probe, s3, temporal
from infra.local.child import Command
from infra.local.process import Process
from infra.local.settings import OPERATOR, WORKERS, config_file, identity_folder
from infra.local.stack import SERVICES, Stack, StackError, replica_name

_AFTER = {
    "directory": ("postgres",),
    "documents": ("postgres", "s3", "directory"),
    "evidence": ("postgres", "directory"),
    "notifications": ("postgres", "directory"),
    "intake": ("postgres", "directory", "documents"),
    WORKERS: ("temporal", "intake", "documents", "notifications", "evidence"),
}
"""What each of the hub's own needs up before it starts."""


def table(stack: Stack, only: Collection[str] = ()) -> list[Process]:
    """The processes of this stack; of those only `only` and what they need, if any are named. Raises StackError."""
    copies = range(1, stack.replicas + 1)
    rows = [_postgres(stack), _s3(stack), _temporal(stack)]
    rows += [_service(stack, name, number) for name in SERVICES for number in copies]
    rows += [_workers(stack, number) for number in copies]
    known = {row.name: row for row in rows}
    if unknown := set(only) - known.keys():
        raise StackError(f"there is no process {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    wanted, waiting = set[str](), list(only or known)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += known[name].after
    return [row for row in rows if row.name in wanted]


def _postgres(stack: Stack) -> Process:
    directory, port = stack.directory / "postgres", stack.port("postgres")
    passwords = stack.secrets()["postgres"]
    return Process(
        name="postgres",
        command=lambda: postgres.command(directory, port),
        prepare=lambda: postgres.initialise(directory, passwords),
        ready=lambda: postgres.wait_ready(stack.database_url(postgres.OWNER), timeout_seconds=0),
        set_up=lambda: postgres.set_up(stack.database_url(postgres.OWNER), passwords),
        ports=(port,),
        stop_signal=signal.SIGINT,  # the fast stop: SIGTERM would wait for every client to leave
        on_our_death=signal.SIGQUIT,  # SIGKILL would leave its children to find out by themselves
    )


def _s3(stack: Stack) -> Process:
    directory, keys = stack.directory / "s3", stack.secrets()["s3"]
    ports = {name: stack.port(f"s3.{name}") for name in s3.PORTS}
    client = s3.client(stack.address("s3.s3"), **keys)
    return Process(
        name="s3",
        command=lambda: s3.command(directory, ports),
        prepare=lambda: s3.prepare(directory, **keys),
        ready=lambda: s3.wait_ready(client, timeout_seconds=0),
        set_up=lambda: s3.set_up(client, timeout_seconds=0),
        ports=tuple(ports.values()),
        start_timeout_seconds=120,
        stop_grace_seconds=5,  # it may wait longer for its own parts; what it acknowledged is on disk
    )


def _temporal(stack: Stack) -> Process:
    directory, address = stack.directory / "temporal", stack.address("temporal.frontend")
    ports = {name: stack.port(f"temporal.{name}") for name in temporal.PORTS}
    return Process(
        name="temporal",
        command=lambda: temporal.command(directory, ports),
        prepare=lambda: temporal.prepare(directory),
        ready=lambda: temporal.wait_ready(address, timeout_seconds=0),
        set_up=lambda: temporal.set_up(address, timeout_seconds=0),
        ports=tuple(ports.values()),
        lock=directory / "lock",  # two servers start on one file without complaint
        state_file=temporal.database(directory),
    )


def _service(stack: Stack, service: str, number: int) -> Process:
    name, identity = replica_name(service, number), identity_folder(stack, OPERATOR)
    address = stack.address(f"{name}.grpc")
    return Process(
        name=name,
        command=lambda: _ours(f"services.{service}", stack, name),
        after=_AFTER[service],
        ready=lambda: probe.grpc_health(address, identity, stack.roots),
        ports=(stack.port(f"{name}.grpc"), stack.port(f"{name}.metrics")),
        stop_grace_seconds=20,  # calls that run are let finish
    )


def _workers(stack: Stack, number: int) -> Process:
    name = replica_name(WORKERS, number)
    return Process(
        name=name,
        command=lambda: _ours("workers", stack, name),
        after=_AFTER[WORKERS],
        ready=lambda: probe.metrics(stack.address(f"{name}.metrics")),
        ports=(stack.port(f"{name}.metrics"),),
        stop_grace_seconds=20,
    )


def _ours(module: str, stack: Stack, name: str) -> Command:
    """One of the hub's own, with its configuration; what it writes is in its log at once."""
    arguments = (sys.executable, "-m", module, str(config_file(stack, name)))
    return Command(arguments, {**os.environ, "PYTHONUNBUFFERED": "1"})
