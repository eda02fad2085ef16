"""`dabir watch`: what is stated about our body's letters, as it is stated."""

import click

from dabir.cli import shapes, words
from dabir.cli.look import what_happened
from dabir.cli.screen import print_json
from dabir.cli.session import ALARM, Session, command
from dabir.client import UnavailableError
from dabir.client.trust import Proven
from dabir.client.watch_journal import Alarm


@command()
@click.option(
    "--after",
    type=click.IntRange(0, 2**63 - 1),
    help="Show what is after this position; not given: what was not shown yet.",
)
@click.option("--settle", is_flag=True, help="The alarms kept so far are explained: close them, and end.")
def watch(session: Session, after: int | None, settle: bool) -> int | None:
    """Every statement about our body's letters, checked, as soon as it is stated, until Ctrl-C.

    The first one shows all that was ever stated. From then on it goes on from where it was, over every break. With
    --json one object a line. Where a book or chain does not hold, it ends with an ALARM, exit code 5, which the journal
    keeps; the next `dabir watch` goes on behind it. So does Ctrl-C end it while an alarm is not settled.
    """
    if settle:
        closed = session.client.settle_alarms()

        def show() -> None:
            _show_alarms(session, closed)
            session.out.print(session.word(words.SETTLED).format(count=session.count(len(closed))))

        session.answer({"settled": [_shape(alarm) for alarm in closed]}, show)
        return None
    alarms = session.client.alarms()
    if alarms:
        _show_alarms(session, alarms)
        session.err.print(session.word(words.ALARM_KEPT))
    progress = _Progress(session)
    try:
        for proven in session.client.watch(after, caught_up=progress.caught_up, interrupted=progress.interrupted):
            progress.show(proven)
    except KeyboardInterrupt:
        return ALARM if session.client.alarms() else None
    raise AssertionError("a feed has no end")


class _Progress:
    """What is said: statements on standard output, all else beside it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_caught_up = False

    def show(self, proven: Proven) -> None:
        session = self._session
        if session.as_json:
            print_json({"ok": True, **shapes.statement(proven)})
            return
        when = session.day_and_time(proven.took_effect_at)
        what = what_happened(session, proven)
        session.out.print("  ".join([session.count(proven.position), when, what, proven.subject, proven.name]))

    def caught_up(self, position: int) -> None:
        """Once after every break: heartbeats come all the time."""
        if not self._is_caught_up:
            said = f"{self._session.word(words.CAUGHT_UP)}: {self._session.count(position)}"
            self._session.err.print(said, style="dim")
        self._is_caught_up = True

    def interrupted(self, error: UnavailableError, seconds: float) -> None:
        self._is_caught_up = False
        self._session.err.print(f"{self._session.word(words.INTERRUPTED)} ({seconds:.1f}): {error}", style="yellow")


def _show_alarms(session: Session, alarms: list[Alarm]) -> None:
    for alarm in alarms:
        session.err.print(f"{session.word(words.ALARM)} {alarm.raised_at} {alarm.reason} {alarm.sentence}", style="red")


def _shape(alarm: Alarm) -> dict[str, str]:
    return {
        "reason": alarm.reason,
        "chain": alarm.chain,
        "statement": alarm.statement,
        "message": alarm.sentence,
        "jws": alarm.jws,
        "raised_at": alarm.raised_at,
    }


COMMANDS = (watch,)
