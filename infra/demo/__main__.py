"""python -m infra.demo [--input FOLDER] [--keep]

Brings the stack up if it is not, plays the plan of letters, reads back what came of it and says so. The last line of
standard output is one JSON object of figures of this run; the exit status is 0 if and only if its `ok` is true.
Ctrl-C ends it with a sentence instead.
"""

import argparse
import json
import signal
import sys
import time
import traceback
from pathlib import Path

from infra.local import interruption

if __name__ == "__main__":
    interruption.expect()
from infra.demo.annexes import deal
from infra.demo.check import Checked
from infra.demo.performance import perform
from infra.demo.plan import PLAN, Plan
from infra.demo.show import Stage
from infra.local import control
from infra.local.stack import named_directory, named_replicas


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument("--input", type=Path, help="a folder whose files go along as annexes")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    chosen = parser.parse_args()
    if chosen.input is not None and not chosen.input.is_dir():
        parser.error(f"{chosen.input} is no folder")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what we started ends with us
    return run(PLAN, named_directory(), chosen.input, keep=chosen.keep)


def run(plan: Plan, directory: Path, annexes: Path | None = None, *, keep: bool = False) -> int:
    """The demo on the stack in `directory`, which stays up if it was or if it is to be kept; returns the exit status.

    `annexes`: a folder whose files go along. Whatever fails, the figures are the last line.
    """
    began, stage = time.monotonic(), Stage()
    stays = keep or control.is_running(directory)
    checked, ui = Checked(problems=["the demo did not run to its end"]), None
    try:
        stack = control.up(directory, named_replicas(), stage.stack)
        checked = perform(plan, stack, stage, deal(annexes, plan.registered)).checked
        ui = f"http://{stack.address('temporal.ui')}/namespaces/dabir" if stays else None
    except Exception as error:  # whatever it is, the figures still are the last line
        checked.problems = [f"{type(error).__name__}: {error}"]
        traceback.print_exc()
    except KeyboardInterrupt as interrupted:
        if stays and control.is_running(directory):
            raise KeyboardInterrupt("Interrupted: the stack stays up (make down ends it).") from interrupted
        raise
    finally:
        if not stays:
            control.down(directory, stage.stack)
    stage.problems(checked.problems)
    if ui:
        stage.aside(f"The stack stays up (make down ends it). Temporal's UI: {ui}")
    figures = figures_of(checked, seconds=time.monotonic() - began, temporal_ui=ui)
    sys.stderr.flush()
    print(json.dumps(figures), flush=True)
    return 0 if figures["ok"] else 1


def figures_of(checked: Checked, *, seconds: float, temporal_ui: str | None) -> dict[str, object]:
    """The last line's object."""
    return {
        "ok": not checked.problems and checked.registry_gaps == 0,
        "letters": checked.letters,
        "deliveries": checked.deliveries,
        "accepted": checked.accepted,
        "refused_by_recipient": checked.refused_by_recipient,
        "answered": checked.answered,
        "returned": checked.returned,
        "withdrawn": checked.withdrawn,
        "recall_refused": checked.recall_refused,
        "read": checked.read,
        "late": checked.late,
        "refused_at_intake": checked.refused_at_intake,
        "registry_gaps": checked.registry_gaps,
        "receipts_verified": checked.receipts_verified,
        "webhooks_verified": checked.webhooks_verified,
        "statements": checked.statements,
        "seconds": round(seconds, 1),
        "temporal_ui": temporal_ui,
    }


if __name__ == "__main__":
    raise SystemExit(interruption.told(main))
