"""python -m infra.local up [PROCESS …] | down | clean | status [--json] | logs [PROCESS …] | run [PROCESS …]

The stack is the folder that DABIR_STACK names, `.stack` if it names none; REPLICAS=2 runs two of each service.
"""

import argparse
import json
import sys
from pathlib import Path

from infra.local import interruption

if __name__ == "__main__":
    interruption.expect()
from infra.local import control
from infra.local.stack import StackError, named_directory, named_replicas
from infra.parts.cache import PartMissing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("down", "clean"):
        commands.add_parser(name)
    for name in ("up", "run", "logs"):
        command = commands.add_parser(name)
        command.add_argument("process", nargs="*", help="only these (and what they need)")
        if name == "run":
            command.add_argument("--background", action="store_true", help="print the process id and go on without us")
    commands.add_parser("status").add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    try:
        return _do(chosen, named_directory())
    except (StackError, PartMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupted:
        if chosen.command in ("down", "clean"):
            sentence = f"Interrupted: the stack may still be ending; `make {chosen.command}` again waits for it."
            raise KeyboardInterrupt(sentence) from interrupted
        raise


def _do(chosen: argparse.Namespace, directory: Path) -> int:
    match chosen.command:
        case "up":
            stack = control.up(directory, named_replicas(), only=chosen.process)
            print(f"The stack is up. Temporal's UI: http://{stack.address('temporal.ui')}/namespaces/dabir")
            if not chosen.process:
                print(_next_step(directory))
        case "down":
            print("The stack is down; its state stays." if control.down(directory) else "No stack was running.")
        case "clean":
            control.clean(directory)
            print("The stack is gone with its state.")
        case "run":
            if chosen.background:
                control.go_into_background(directory)
            control.run(directory, named_replicas(), chosen.process)
        case "status":
            return _status(directory, as_json=chosen.json)
        case "logs":
            _logs(directory, chosen.process)
    return 0


def _next_step(directory: Path) -> str:
    """What somebody who sees a stack for the first time may type."""
    profile = directory / "profiles" / "interior" / "profile.toml"
    if profile.is_relative_to(Path.cwd()):
        profile = profile.relative_to(Path.cwd())
    return f"""Next, as one of its bodies (more in README.md, "Use it"):
    export PATH="{Path(sys.executable).parent}:$PATH" DABIR_PROFILE={profile}
    dabir bodies --offices"""


def _status(directory: Path, *, as_json: bool) -> int:
    """Prints a line for each process; ends with 1 unless all are up."""
    processes = control.status(directory)
    if as_json:
        print(json.dumps(processes))
    elif not processes:
        print(f"No stack is running in {directory}.")
    else:
        for name, process in processes.items():
            pid, restarts, ports = process["pid"] or "-", process["restarts"], " ".join(map(str, process["ports"]))
            print(f"{name:18} {process['state']:9} pid {pid:<8} restarts {restarts:<3} ports {ports}")
    return 0 if processes and all(process["state"] == "up" for process in processes.values()) else 1


def _logs(directory: Path, names: list[str]) -> None:
    """Prints the end of each log asked for, or of all."""
    found = sorted(path.stem for path in (directory / "logs").glob("*.log"))
    for name in names or found:
        if name not in found:
            raise StackError(f"there is no log of {name}; there are: {', '.join(found)}")
        print(f"--- {name}\n{control.last_lines(directory, name, 40)}")


if __name__ == "__main__":
    raise SystemExit(interruption.told(main))
