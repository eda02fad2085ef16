"""What is seen while the letters travel: one line for each thing that happens, in Persian, and a table at the end."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from dabir.cli import words
from dabir.cli.screen import IsolatedTable
from dabir.formats.persian import isolate, persian_digits
from infra.demo.plan import Letter
from infra.local.members import Member

_WIDTH = 200


@dataclass(frozen=True)
class Row:
    """A line of the table at the end."""

    planned: Letter
    number: str
    outcome: str
    fine: bool


class Stage:
    """Prints to standard output; `members` name the bodies."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = Console(width=_WIDTH, highlight=False, soft_wrap=True)
        self._members: dict[str, Member] = {}

    def introduce(self, members: dict[str, Member]) -> None:
        self._members = members

    def name(self, body: str) -> str:
        """A body's Persian name; its id for one that has not joined."""
        return self._members[body].fa if body in self._members else body

    def scene(self, title: str) -> None:
        self._console.print(f"\n[bold]{escape(title)}[/]")

    def stack(self, line: str) -> None:
        """What the stack says of itself while it starts."""
        self._console.print(f"[dim]{self._clock()}  {escape(line)}[/]")

    def letter(self, planned: Letter, said: str, *, style: str = "") -> None:
        """Something that happened to a letter as a whole."""
        to = self.name(planned.recipients[0].body)
        if len(planned.recipients) > 1:
            to = f"{persian_digits(str(len(planned.recipients)))} دستگاه"
        self._line(planned, f"{self.name(planned.sender)} ← {to}  «{planned.subject}»  {said}", style)

    def delivery(self, planned: Letter, body: str, said: str, *, style: str = "") -> None:
        """Something that happened at one recipient."""
        self._line(planned, f"   {self.name(body)}: {said}", style)

    def aside(self, text: str, *, style: str = "") -> None:
        self._console.print(f"{self._clock()}  {escape(text)}", style=style)

    def table(self, rows: Sequence[Row]) -> None:
        """Every letter of the plan and what came of it."""
        self.scene("نامه‌ها — the letters")
        table = IsolatedTable(box=None, padding=(0, 2, 0, 0))
        for heading in ("#", "فرستنده", "گیرنده", "موضوع", "فوریت", "شمارهٔ ثبت", "طبقه‌بندی", "نتیجه", ""):
            table.add_column(heading)
        for row in rows:
            planned = row.planned
            to = self.name(planned.recipients[0].body)
            if len(planned.recipients) > 1:
                to += f" و {persian_digits(str(len(planned.recipients) - 1))} دستگاه دیگر"
            table.add_row(
                planned.number,
                self.name(planned.sender),
                to,
                planned.subject,
                words.PRIORITIES[planned.priority][0],
                isolate(row.number) if row.number else "—",
                words.CLASSIFICATIONS[planned.classification][0],
                row.outcome,
                "[green]✓[/]" if row.fine else "[bold red]✗[/]",
            )
        self._console.print(table)

    def problems(self, found: Sequence[str]) -> None:
        for problem in found:
            self._console.print(f"✗ {escape(problem)}", style="bold red")

    def _line(self, planned: Letter, text: str, style: str) -> None:
        shown = escape(text)
        self._console.print(f"{self._clock()}  {planned.number:9} " + (f"[{style}]{shown}[/]" if style else shown))

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"
