"""python -m infra.demo [--input FOLDER] [--keep]

Brings the stack up if it is not, plays the plan of letters, reads back what came of it and says so. The last line of
standard output is one JSON object of figures of this run; the exit status is 0 if and only if its `ok` is true.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dabir.formats.persian import persian_digits
from infra.demo.annexes import Annexes, deal
from infra.demo.cast import Cast, Endpoints
from infra.demo.check import Checked, check, look_before
from infra.demo.hooks import Receivers
from infra.demo.plan import REGISTERED, Outcome
from infra.demo.play import Play, Travelled
from infra.demo.show import Row, Stage
from infra.local import control
from infra.local.stack import Stack, named_directory, named_replicas


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument("--input", type=Path, help="a folder whose files go along as annexes")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    chosen = parser.parse_args()
    if chosen.input is not None and not chosen.input.is_dir():
        parser.error(f"{chosen.input} is no folder")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what we started ends with us
    began, stage, directory = time.monotonic(), Stage(), named_directory()
    stays = chosen.keep or control.is_running(directory)
    checked, ui = Checked(problems=["the demo did not run to its end"]), None
    try:
        stack = control.up(directory, named_replicas(), stage.stack)
        checked = perform(stack, stage, deal(chosen.input, REGISTERED))
        ui = f"http://{stack.address('temporal.ui')}/namespaces/dabir" if stays else None
    except Exception as error:  # whatever it is, the figures still are the last line
        checked.problems = [f"{type(error).__name__}: {error}"]
        traceback.print_exc()
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


def perform(stack: Stack, stage: Stage, annexes: Annexes) -> Checked:
    """Plays on a running stack, and reads back by a second cast of clients."""
    with Cast(stack) as cast, Cast(stack) as others, tempfile.TemporaryDirectory(prefix="dabir-demo-") as folder:
        stage.introduce(cast.members)
        for rejected in annexes.rejected:
            stage.aside(f"{rejected.file.name}: {rejected.reason} — {rejected.message}", style="yellow")
        before = look_before(others)
        with Receivers(cast.members) as receivers, Endpoints(cast, receivers, stack.directory / "demo"):
            travelled = Play(cast, receivers, stage, annexes, Path(folder)).perform()
            stage.scene("بازخوانی و راستی‌آزمایی — reading back")
            checked = check(others, before, travelled, receivers.hooks(), receivers.unverified)
    stage.table([_row(checked, one, travelled) for one in travelled])
    for rejected in annexes.rejected:
        stage.aside(f"پیوست نشد: {rejected.file.name} ({rejected.reason})", style="yellow")
    return checked


def _row(checked: Checked, one: Travelled, travelled: Sequence[Travelled]) -> Row:
    planned = one.planned
    fine = planned.number not in checked.troubled
    if planned.fault is not None:
        return Row(planned, "", f"ثبت نشد: {one.refusal_reason}", fine)
    count = Counter(to.outcome for to in planned.recipients)
    several = len(planned.recipients) > 1
    said = [
        f"{persian_digits(str(count[outcome]))} {word}" if several else word
        for outcome, word in _OUTCOMES.items()
        if count[outcome]
    ]
    said += ["خوانده شد"] if any(to.read_by for to in planned.recipients) else []
    said += [f"پاسخ با {other.planned.number}" for other in travelled if other.planned.answers == planned.number]
    said += [f"از {planned.overtakes} پیش افتاد و نگه داشته شد"] if planned.overtakes else []
    return Row(planned, one.number, "، ".join(said), fine)


_OUTCOMES = {
    Outcome.ACCEPTED: "رسید داده شد",
    Outcome.REFUSED: "پذیرفته نشد",
    Outcome.ACCEPTED_LATE: "دیر رسید داده شد",
    Outcome.RETURNED: "عودت شد",
    Outcome.WITHDRAWN: "نخوانده پس گرفته شد",
    Outcome.RECALL_REFUSED: "رسید داده شد، با استرداد موافقت نشد",
}


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
    raise SystemExit(main())
