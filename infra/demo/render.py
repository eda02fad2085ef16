"""A letter's first document: a PDF of the letter on its office's paper, in Persian, set by Typst with Vazirmatn.

The same text gives the same bytes: no clock and no font of the machine takes part.
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typst

FONTS = Path(__file__).parent.parent / "fonts" / "vazirmatn"
TEMPLATE = Path(__file__).with_name("letter.typ")
_NO_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Paper:
    """What stands on a letter's page. All text is Persian, in reading order; `lines` are (name, value) pairs.

    `marks` are stamps such as «آنی» and «محرمانه»; `on_behalf` may be empty.
    """

    sender: str
    office: str
    emblem: str
    lines: tuple[tuple[str, str], ...]
    marks: tuple[str, ...]
    to: tuple[str, ...]
    subject: str
    paragraphs: tuple[str, ...]
    signer: str
    on_behalf: str = ""
    copies: tuple[str, ...] = ()


def pdf(paper: Paper) -> bytes:
    """The page or pages as PDF. Raises typst.TypstError for text that cannot be set."""
    fields = {name.replace("_", "-"): value for name, value in dataclasses.asdict(paper).items()}
    made = typst.compile(
        str(TEMPLATE),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"letter": json.dumps(fields, ensure_ascii=False)},
        timestamp=_NO_CLOCK,
        format="pdf",
    )
    if not isinstance(made, bytes):
        raise TypeError(f"Typst gave {type(made).__name__} for one PDF")
    return made
