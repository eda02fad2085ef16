"""`dabir hub status`, `hub logs` and `hub add-body`: the local stack, by its folder (DABIR_STACK, else `.stack`).

Status and logs are read from the folder. A body is made by the stack's own supervisor, which is asked on its socket
(infra/local/control_socket.py says why): only there are the development PKI's keys and the operator's.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from dabir.cli.session import REFUSED, Session, command, failure
from dabir.client import InputError, RefusedError, UnavailableError
from dabir.client.hub import WAITING_HELPS

_ANSWER_TIMEOUT_SECONDS = 90.0
"""Longer than the supervisor's own, so that its sentence is what is read."""
_STACK = click.option(
    "--stack",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DABIR_STACK",
    default=Path(".stack"),
    show_default=True,
    help="The stack's folder; DABIR_STACK, if not given.",
)


@command()
@_STACK
def status(session: Session, stack: Path) -> int | None:
    """Each process: whether it is up, how often it was restarted. Exit code 1 unless all are up."""
    processes = _processes(stack)
    up = bool(processes) and all(process["state"] == "up" for process in processes.values())
    said = f"No stack is running in {stack}: `make up` starts one."
    if processes:
        said = "Not every process of the stack is up: `dabir hub logs` says why."

    def show() -> None:
        if not processes:
            session.err.print(said)
            return
        for name, process in processes.items():
            style = "green" if process["state"] == "up" else "red"
            ports = " ".join(str(port) for port in process["ports"])
            restarts = f"restarts {process['restarts']}"
            state = (f"{process['state']:9}", style)
            session.out.print(Text.assemble(f"{name:18} ", state, f" {restarts:12} ports {ports}"))

    down = {} if up else failure(REFUSED, "STACK_DOWN", said)
    session.answer({**down, "stack": str(stack), "processes": processes}, show)
    return None if up else REFUSED


@command()
@_STACK
@click.option("--lines", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.argument("names", metavar="[PROCESS]...", nargs=-1)
def logs(session: Session, stack: Path, lines: int, names: tuple[str, ...]) -> int | None:
    """The end of each log of the local stack, or of those named."""
    known = sorted(path.stem for path in (stack / "logs").glob("*.log"))
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        there_are = f"there are: {', '.join(known)}." if known else "no stack was ever started there."
        raise click.UsageError(f"There is no log of {', '.join(unknown) or 'anything'} in {stack}; {there_are}")
    found = {name: list(_last_lines(stack / "logs" / f"{name}.log", lines)) for name in names or known}

    def show() -> None:
        for name, ending in found.items():
            session.out.print(f"--- {name}", style="bold")
            for line in ending:
                session.out.print(line)

    session.answer({"logs": found}, show)
    return None


@command()
@_STACK
@click.option("--fa", required=True, help="Its Persian name.")
@click.option("--en", required=True, help="Its English name.")
@click.option("--office", default="main", show_default=True, help="Its office's name.")
@click.option(
    "--position",
    "positions",
    multiple=True,
    default=("رئیس",),
    show_default=True,
    help="Who signs its letters; may be given several times.",
)
@click.argument("name")
def add_body(session: Session, stack: Path, name: str, **given: Any) -> None:
    """Make a body of your own on the local stack: in the directory, with keys and a profile.

    NAME is its id, e.g. pilot. Its certificates are of the development PKI, which no hub in production takes. May
    be repeated: what is there stays, what is missing is made.
    """
    made = _ask(stack, {"command": "add-body", "name": name, **given})
    profile = stack / made["profile"]

    def show() -> None:
        session.out.print(f"{made['body']} has joined, with the office {made['office']}.")
        session.out.print(f"Its profile: {profile}")
        session.out.print(f"Next: export DABIR_PROFILE={profile}; dabir inbox")

    session.answer({"body": made["body"], "office": made["office"], "profile": str(profile)}, show)


def _ask(stack: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the stack's supervisor answers. Raises InputError, RefusedError, and UnavailableError where none does."""
    try:
        answer: dict[str, Any] = json.loads(_exchange(stack / "run", json.dumps(wanted).encode() + b"\n"))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise UnavailableError("NO_STACK", _NO_STACK.format(stack)) from None
    except PermissionError:
        raise RefusedError("NOT_YOUR_STACK", f"The stack in {stack} is another user's: make one of your own.") from None
    except (OSError, ValueError):
        said = f"The stack in {stack} ended before it answered. What was done stays: run this again when it is up."
        raise UnavailableError("NO_ANSWER", said) from None
    if not answer["ok"]:
        kinds = {"INVALID_ARGUMENT": InputError} | dict.fromkeys(WAITING_HELPS, UnavailableError)
        raise kinds.get(answer["code"], RefusedError)(answer["reason"], answer["message"])
    return answer


_NO_STACK = (
    "No stack is running in {}: `make up` starts one. Bodies are added so on a stack of one's own only: at a hub in "
    "production an operator lists the certificates that the body's own CA issued."
)


def _exchange(folder: Path, line: bytes) -> bytes:
    """Sends a line and returns what comes back. Raises OSError."""
    with contextlib.ExitStack() as closing:
        opened = os.open(
            folder, os.O_PATH | os.O_DIRECTORY
        )  # a socket's path may be 107 bytes long, and ours be longer
        closing.callback(os.close, opened)
        connection = closing.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(_ANSWER_TIMEOUT_SECONDS)
        connection.connect(f"/proc/self/fd/{opened}/control.sock")
        connection.sendall(line)
        return closing.enter_context(connection.makefile("rb")).read()


def _processes(stack: Path) -> dict[str, Any]:
    """By name, as the stack's supervisor wrote them; empty if none is alive."""
    try:
        status = json.loads((stack / "run" / "status.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    supervisor = status.get("supervisor") or {}
    if not _is_alive(supervisor.get("pid"), supervisor.get("start")):
        return {}
    processes: dict[str, Any] = status["processes"]
    return processes


def _is_alive(pid: int | None, start: int | None) -> bool:
    """Whether that very process runs: a number alone may be another's by now (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[19]) == start


def _last_lines(path: Path, count: int) -> Iterator[str]:
    """The last lines of what may be a long file: only its end is read."""
    with path.open("rb") as reading:
        size_bytes = reading.seek(0, 2)
        reading.seek(max(0, size_bytes - count * 2_000))
        text = reading.read().decode("utf-8", errors="replace")
    yield from text.splitlines()[-count:]


COMMANDS = (status, logs, add_body)
