"""One performance of a plan on a running stack: it is played, read back by a second cast of clients, and shown."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dabir.formats.persian import persian_digits
from infra.demo.annexes import Annexes
from infra.demo.cast import Cast, Endpoints
from infra.demo.check import Before, Checked, check, look_before
from infra.demo.hooks import Hook, Receivers
from infra.demo.plan import Outcome, Plan
from infra.demo.play import Play, Travelled
from infra.demo.show import Row, Stage
from infra.local.stack import Stack


@dataclass(frozen=True)
class Performance:
    """What was there before, what became of the plan's letters, the hooks that came, and what reading back found."""

    before: Before
    travelled: list[Travelled]
    hooks: list[Hook]
    checked: Checked


def perform(plan: Plan, stack: Stack, stage: Stage, annexes: Annexes) -> Performance:
    """Plays, reads back and shows it. Raises PlayError, or a ClientError that the plan does not know."""
    with Cast(stack) as cast, Cast(stack) as others, tempfile.TemporaryDirectory(prefix="dabir-demo-") as folder:
        stage.introduce(cast.members)
        for rejected in annexes.rejected:
            stage.aside(f"{rejected.file.name}: {rejected.reason} — {rejected.message}", style="yellow")
        before = look_before(others)
        with Receivers(cast.members) as receivers, Endpoints(cast, receivers, stack.directory / "demo"):
            travelled = Play(plan, cast, receivers, stage, annexes, Path(folder)).perform()
            stage.scene("بازخوانی و راستی‌آزمایی — reading back")
            checked = check(others, before, travelled, receivers.hooks(), receivers.unverified)
    stage.table([_row(checked, one, travelled) for one in travelled])
    for rejected in annexes.rejected:
        stage.aside(f"پیوست نشد: {rejected.file.name} ({rejected.reason})", style="yellow")
    return Performance(before, travelled, receivers.hooks(), checked)


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
