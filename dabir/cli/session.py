"""What every command shares: the profile, `--json`, how dates and names are shown, errors and exit codes.

Exit codes: 0 done · 1 the hub says no, or it was decided otherwise before · 2 asked wrongly, or the profile is wrong
· 3 no answer: nothing is lost, run it again · 4 something that came from the hub does not verify: keep it, report it.
"""

import functools
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from dabir.cli import words
from dabir.client import Client, ClientError, RefusedError, UnavailableError, VerificationError
from dabir.client import profile as profiles
from dabir.client.sending import DocumentProgress
from dabir.formats import calendar, persian
from dabir.formats.strict_json import FormatError

_WIDTH = 500

OK, REFUSED, USAGE, UNAVAILABLE, UNPROVEN = range(5)


class Session:
    """One run of one command. `out` is what it answers, standard error what it says on the way."""

    def __init__(self, profile_path: Path | None, as_json: bool, shown_calendar: str) -> None:
        self._profile_path = profile_path
        self.as_json = as_json
        self._calendar = shown_calendar.upper()
        self._client: Client | None = None
        self.language: Literal["fa", "en"] = "en"
        self.zone = "Asia/Tehran"
        # Wider than any table, so that no id is ever cut: a narrow terminal wraps.
        self.out = Console(width=_WIDTH, soft_wrap=True, highlight=False)
        self.err = Console(stderr=True, soft_wrap=True, highlight=False)

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
            print(json.dumps({"ok": True, **found}, ensure_ascii=False))
        else:
            show()

    def word(self, pair: tuple[str, str]) -> str:
        return pair[words.LANGUAGES.index(self.language)]

    def heading(self, key: str) -> str:
        return self.word(words.HEADINGS[key])

    def table(self, *keys: str) -> Table:
        table = Table(*(self.heading(key) for key in keys), box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.expand = False
        return table

    def day_and_time(self, instant: Timestamp | datetime) -> str:
        """In the profile's calendar and zone; empty for an instant that is not given."""
        if isinstance(instant, Timestamp):
            if not instant.ByteSize():
                return ""
            instant = instant.ToDatetime(tzinfo=UTC)
        shown: Literal["JALALI", "GREGORIAN"] = "GREGORIAN" if self._calendar == "GREGORIAN" else "JALALI"
        day = calendar.format_date(instant, shown, self.zone)
        time = instant.astimezone(calendar.time_zone(self.zone)).strftime("%H:%M:%S")
        return f"{day} {persian.persian_digits(time) if shown == 'JALALI' else time}"

    def number(self, text: str) -> str:
        """A registry number, kept in its own order inside right-to-left text."""
        return persian.isolate(text) if text else ""

    def progress(self, file_names: Mapping[int, str]) -> "Bars":
        return Bars(self, file_names)


class Bars:
    """A bar for each document on standard error, where a person looks on. Used as a context, it is the `progress`."""

    def __init__(self, session: Session, file_names: Mapping[int, str]) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
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


def command(group: click.Group, name: str | None = None) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command with the options that all have. It gets a Session first, and returns its exit code or None for 0."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @click.option("--profile", type=click.Path(path_type=Path), envvar="DABIR_PROFILE", help="The profile.toml.")
        @click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")
        @click.option(
            "--calendar",
            "shown_calendar",
            type=click.Choice(["jalali", "gregorian"]),
            help="How dates are shown; the profile's, where not given.",
        )
        @functools.wraps(function)
        def run(profile: Path | None, as_json: bool, shown_calendar: str | None, **arguments: Any) -> None:
            session = Session(profile, as_json, shown_calendar or "")
            try:
                code = function(session, **arguments) or OK
            except (ClientError, FormatError) as error:
                code = _failed(session, error)
            finally:
                session.close()
            sys.exit(code)

        return group.command(name or function.__name__.replace("_", "-"))(run)

    return decorate


def _failed(session: Session, error: ClientError | FormatError) -> int:
    """Says what is wrong and what to do, and returns the exit code."""
    session.err.print(f"[bold red]{error.reason}[/]", end=" ")
    session.err.print(str(error), markup=False)
    violations = error.violations if isinstance(error, RefusedError) else ()
    for field, sentence in violations:
        session.err.print(f"  {field}: {sentence}", markup=False)
    match error:
        case UnavailableError():
            code = UNAVAILABLE
        case VerificationError():
            code = UNPROVEN
        case RefusedError():
            code = REFUSED
        case _:
            code = USAGE
    if session.as_json:
        fields = [{"field": field, "message": sentence} for field, sentence in violations]
        said = {"ok": False, "exit": code, "reason": error.reason, "message": str(error), "fields": fields}
        print(json.dumps(said, ensure_ascii=False))
    return code
