"""What every command shares: the profile, `--json`, how dates and names are shown, errors and exit codes.

Exit codes: 0 done · 1 the hub says no, or it was decided otherwise before · 2 asked wrongly, or the profile or a file
cannot be used · 3 no answer: nothing is lost, run it again (a letter with `dabir send --resume`) · 4 something that
came from the hub does not verify: keep it, report it · 5 an alarm: a book or chain that the hub shows us does not hold
· 6 held: taken in, but a letter that it changes was not, so it is not to be acted on yet · 130 ended by Ctrl-C: what
was done stays, run it again (a letter that is kept with `dabir send --resume`).
"""

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from dabir.cli import words
from dabir.cli.screen import IsolatedTable, Screen, print_json
from dabir.client import (
    AlarmError,
    Client,
    ClientError,
    HeldError,
    InputError,
    RefusedError,
    UnavailableError,
    VerificationError,
    trust,
)
from dabir.client import profile as profiles
from dabir.client.sending import DocumentProgress
from dabir.common.v1 import receipt_pb2
from dabir.formats import calendar, persian
from dabir.formats.strict_json import FormatError

_WIDTH = 500

OK, REFUSED, USAGE, UNAVAILABLE, UNPROVEN, ALARM, HELD = range(7)
INTERRUPTED = 130
"""As a shell says of who is ended by SIGINT."""


class _Interrupted(ClientError):
    """Ctrl-C."""


class Session:
    """One run of one command. `out` is what it answers, standard error what it says on the way."""

    def __init__(self, profile_path: Path | None, as_json: bool, shown_calendar: str) -> None:
        self._profile_path = profile_path
        self.as_json = as_json
        self._calendar = shown_calendar.upper()
        self._client: Client | None = None
        self.language: Literal["fa", "en"] = "en"
        self.zone = "Asia/Tehran"
        # Wider than any table, so that no id is ever cut: a narrow terminal wraps. No markup: a subject may hold it.
        self.out = Screen(width=_WIDTH, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.err = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.when_unanswered = ""
        """What to do if no answer comes, where running the command again is not it."""
        self.kept: dict[str, Any] = {}
        """Told with a failure under --json: the `letter` that is signed and kept, or those `waiting` for an answer."""

    @property
    def _shown_calendar(self) -> Literal["JALALI", "GREGORIAN"]:
        return "GREGORIAN" if self._calendar == "GREGORIAN" else "JALALI"

    @property
    def client(self) -> Client:
        """Connects by the profile when it is first needed. Raises ProfileError."""
        if self._client is None:
            path = self._profile_path
            if path is None:
                raise click.UsageError("Name a profile with --profile, or in the environment variable DABIR_PROFILE.")
            profile = profiles.read(path)
            self.language, self.zone = profile.language, profile.time_zone
            self._calendar = self._calendar or profile.calendar
            self._client = Client(profile)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def answer(self, found: Mapping[str, Any], show: Callable[[], None]) -> None:
        """The command's answer: one JSON object, or what `show` prints for a person."""
        if self.as_json:
            print_json({"ok": True, **found})
        else:
            show()

    def word(self, pair: tuple[str, str]) -> str:
        return pair[words.LANGUAGES.index(self.language)]

    def heading(self, key: str) -> str:
        return self.word(words.HEADINGS[key])

    def line(self, key: str, text: str, style: str = "") -> None:
        """Answers a person with one thing and what it is."""
        self.out.print(f"{self.heading(key)}: {text}", style=style)

    def count(self, number: int) -> str:
        return persian.persian_digits(str(number)) if self.language == "fa" else str(number)

    def reason(self, stated: str) -> str:
        """Why, in words, where what is stated is a reason of a receipt."""
        known = {receipt_pb2.ReturnReason.Name(reason): pair for reason, pair in words.REASONS.items()}
        known |= {receipt_pb2.Verdict.Name(verdict): pair for verdict, pair in words.VERDICTS.items()}
        return self.word(known[stated]) if stated in known else stated

    def table(self, *keys: str) -> IsolatedTable:
        table = IsolatedTable(*(self.heading(key) for key in keys), box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.expand = False
        return table

    def day_and_time(self, instant: Timestamp | datetime) -> str:
        """In the profile's calendar and zone; empty for an instant that is not given. Raises VerificationError."""
        if isinstance(instant, Timestamp):
            if not instant.ByteSize():
                return ""
            instant = trust.instant(instant)
        day = calendar.format_date(instant, self._shown_calendar, self.zone)
        time = instant.astimezone(calendar.time_zone(self.zone)).strftime("%H:%M:%S")
        return f"{day} {persian.persian_digits(time) if self._shown_calendar == 'JALALI' else time}"

    def due(self, instant: Timestamp, *, is_late: bool) -> str:
        """A due, and that it passed; empty where no clock runs. Raises VerificationError."""
        shown = self.day_and_time(instant)
        return f"{shown} ({self.word(words.LATE)})" if is_late else shown

    def day(self, written: str) -> str:
        """A day of a manifest, `YYYY-MM-DD` or "", in the profile's calendar."""
        try:
            return calendar.format_day(date.fromisoformat(written), self._shown_calendar)
        except ValueError:  # none, or before the first Jalali year
            return written

    def number(self, text: str) -> str:
        """A registry number, kept in its own order inside right-to-left text."""
        return persian.isolate(text) if text else ""

    def progress(self, file_names: Mapping[int, str]) -> "Bars":
        return Bars(self, file_names)


class Bars:
    """A bar for each document on standard error, where a person looks on. Used as a context, it is the `progress`."""

    def __init__(self, session: Session, file_names: Mapping[int, str]) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*columns, console=session.err, disable=session.as_json or not session.err.is_terminal)
        self._names = file_names
        self._tasks: dict[int, Any] = {}

    def __enter__(self) -> DocumentProgress:
        self._bars.start()
        return self._moved

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _moved(self, index: int, moved_bytes: int, size_bytes: int) -> None:
        if index not in self._tasks:
            self._tasks[index] = self._bars.add_task(self._names.get(index, str(index)), total=size_bytes)
        self._bars.update(self._tasks[index], completed=moved_bytes)


class Commands(click.Group):
    """All commands. Who asks for JSON gets it also when the command was typed wrongly. Ctrl-C beside a command's own
    work ends it quietly.
    """

    def invoke(self, ctx: click.Context) -> Any:
        as_json = ctx.params["as_json"] or "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if as_json:
                print_json(failure(USAGE, "USAGE", error.format_message()))
            raise
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes, and `dabir` itself before the command."""
    for option in (
        click.option(
            "--calendar",
            "shown_calendar",
            type=click.Choice(["jalali", "gregorian"]),
            help="How dates are shown; the profile's, where not given.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object."),
        click.option(
            "--profile", type=click.Path(path_type=Path), help="The profile.toml; DABIR_PROFILE, if not given."
        ),
    ):
        function = option(function)
    return function


def command(name: str | None = None) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command with the options that all have. It gets a Session first, and returns its exit code or None for 0."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @shared_options
        @functools.wraps(function)
        def run(profile: Path | None, as_json: bool, shown_calendar: str | None, **arguments: Any) -> None:
            before = click.get_current_context().find_root().params
            session = Session(
                profile or before["profile"] or _profile_of_environment(),
                as_json or before["as_json"],
                shown_calendar or before["shown_calendar"] or "",
            )
            try:
                code = function(session, **arguments) or OK
            except (ClientError, FormatError) as error:
                code = _failed(session, error)
            except KeyboardInterrupt:
                code = _failed(session, _Interrupted("INTERRUPTED", session.word(words.ENDED)))
            except OSError as error:
                if isinstance(error, BrokenPipeError):  # nobody reads on; click ends quietly
                    raise
                said = f"{error.filename or 'a file'}: {error.strerror}; name one that can be used, or make room"
                code = _failed(session, InputError("FILE_UNUSABLE", said))
            finally:
                session.close()
            sys.exit(code)

        return click.command(name or function.__name__.replace("_", "-"))(run)

    return decorate


def _profile_of_environment() -> Path | None:
    named = os.environ.get("DABIR_PROFILE")
    return Path(named) if named else None


def _failed(session: Session, error: ClientError | FormatError) -> int:
    """Says what is wrong and what to do, and returns the exit code."""
    if isinstance(error, AlarmError):
        session.err.print(session.word(words.ALARM), style="bold red reverse", end=" ")
    message = words.in_persian(str(error))
    hint = words.HINTS.get(error.reason)
    violations = error.violations if isinstance(error, RefusedError) else ()
    match error:
        case UnavailableError():
            code = UNAVAILABLE
            message = _sentences(message, session.when_unanswered)
        case _Interrupted():
            code = INTERRUPTED
            message = _sentences(message, session.when_unanswered or session.word(words.RUN_AGAIN))
        case VerificationError():
            code = UNPROVEN
        case AlarmError():
            code = ALARM
            hint = words.ALARM_KEPT
        case HeldError():
            code = HELD
            hint = words.HELD_SAVE
        case RefusedError():
            code = REFUSED
            hint = words.REJECTED if error.code == "REJECTED" else hint
        case _:
            code = USAGE
    session.err.print(error.reason, style="bold red", end=" ")
    session.err.print(message)
    for about, sentence in (*violations, *((one["letter"], one["subject"]) for one in session.kept.get("waiting", ()))):
        session.err.print(f"  {about}: {sentence}")
    if hint is not None:
        session.err.print(session.word(hint))
    if session.as_json:
        print_json({**failure(code, error.reason, message, violations), **session.kept})
    return code


def _sentences(first: str, then: str) -> str:
    return f"{first.rstrip('.')}. {then}" if then else first


def failure(code: int, reason: str, message: str, violations: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """What every answer that is not `ok` has under --json. `violations` are pairs of field and sentence."""
    fields = [{"field": field, "message": sentence} for field, sentence in violations]
    return {"ok": False, "exit": code, "reason": reason, "message": message, "fields": fields}
