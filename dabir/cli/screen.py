"""The one way to the terminal: what a hub or another body wrote must not move its cursor, colour it or turn its text.

A statement's fields follow the strict form; a hub's sentences, names and labels need not, and all of them are shown.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from dabir.formats.strict_json.text import FORBIDDEN

_OURS = frozenset("\n\u2066\u2067\u2068\u2069")
"""The ends of our lines, and the isolates that keep a number in its order."""


class Screen(Console):
    """A console whose text holds none of the characters that strict JSON forbids; U+FFFD stands in their place.

    The sequences of its own styles and bars are not text, and stay.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed, whatever it is printed by."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=clean(segment.text))


class IsolatedTable(Table):
    """A table whose columns stay where they are on a terminal that lays out Persian: each cell is laid out by itself.

    Otherwise neighbouring Persian cells, and the numbers between them, are one text from right to left.
    """

    def add_column(self, header: RenderableType = "", *args: Any, **options: Any) -> None:
        super().add_column(_isolated(header), *args, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*map(_isolated, cells), **options)


def _isolated(cell: Any) -> Any:
    return f"\u2068{cell}\u2069" if isinstance(cell, str) else cell


def clean(text: str) -> str:
    """The text with U+FFFD for every character that it must not bring to a terminal."""
    return FORBIDDEN.sub(lambda found: found.group() if found.group() in _OURS else "\ufffd", text)


def print_json(shape: Mapping[str, Any]) -> None:
    """One line of JSON, at once. Those characters are escaped in it, so that a program reads what was given."""
    written = json.dumps(shape, ensure_ascii=False)
    print(FORBIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", written), flush=True)
