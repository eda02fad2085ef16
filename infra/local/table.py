"""The table of processes: everything that runs in the local stack, one row each.

A row says how to start it, what must be up before, how one knows that it is ready, what must stand in it after every
start, and its ports. `supervisor.py` does the rest.
"""

import signal

from infra.local import postgres, s3, temporal
from infra.local.child import Command
from infra.local.process import Process
from infra.local.stack import Stack


def table(stack: Stack) -> list[Process]:
    """The processes of this stack."""
    return [_postgres(stack), _s3(stack), _temporal(stack)]


def _postgres(stack: Stack) -> Process:
    directory, port = stack.directory / "postgres", stack.port("postgres")
    passwords = stack.secrets()["postgres"]

    def command() -> Command:
        found = postgres.command(directory, port)
        return Command(found.args, found.env, found.user, found.group)

    return Process(
        name="postgres",
        command=command,
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
