"""`dabir hub status` and `hub logs`: the local stack, read from its folder (DABIR_STACK, else `.stack`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from dabir.cli.session import Session, command

_STACK = click.option(
    "--stack",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DABIR_STACK",
    default=Path(".stack"),
    show_default=True,
    help="The stack's folder; DABIR_STACK, if not given.",
)


def register(group: click.Group) -> None:
    """Adds the commands to `dabir hub`."""

    @command(group)
    @_STACK
    def status(session: Session, stack: Path) -> int | None:
        """Each process: whether it is up, how often it was restarted. Exit code 1 unless all are up."""
        processes = _processes(stack)
        up = bool(processes) and all(process["state"] == "up" for process in processes.values())

        def show() -> None:
            if not processes:
                session.err.print(f"No stack is running in {stack}: `make up` starts one.")
                return
            for name, process in processes.items():
                style = "green" if process["state"] == "up" else "red"
                ports = " ".join(str(port) for port in process["ports"])
                restarts = f"restarts {process['restarts']}"
                state = (f"{process['state']:9}", style)
                session.out.print(Text.assemble(f"{name:18} ", state, f" {restarts:12} ports {ports}"))

        session.answer({"ok": up, "stack": str(stack), "processes": processes}, show)
        return None if up else 1

    @command(group)
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
