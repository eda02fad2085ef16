"""What a hub wrote reaches the terminal as text, and as nothing else."""

import ast
import io
import json
import re
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import dabir.cli.session
from dabir.cli.screen import Screen, clean, print_json
from dabir.cli.session import Session, _failed
from dabir.client import RefusedError
from dabir.formats import persian

HOSTILE = "\x1b[2J\x1b]0;title\x07a\rb\x9b31m\u202egnp\ufeff\ud800\x00"
SHOWN = "\ufffd[2J\ufffd]0;title\ufffda\ufffdb\ufffd31m\ufffdgnp\ufffd\ufffd\ufffd"


def test_only_our_own_lines_and_isolates_stay() -> None:
    assert clean(HOSTILE) == SHOWN
    ours = f"نامهٔ {persian.isolate('1405/12')}\n"
    assert clean(ours) == ours


def test_whatever_is_printed_is_cleaned_first(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(None, as_json=False, shown_calendar="")
    table = Table(box=None)
    table.add_column(HOSTILE)
    table.add_row(Text(HOSTILE))
    for screen in (session.out, session.err):
        for thing in (HOSTILE, Text.assemble("seen: ", HOSTILE), table):
            screen.print(thing, style="red")
    said = capsys.readouterr()
    for text in said:
        assert {character for character in text if character < " " or "\x7f" <= character < "\xa0"} == {"\n"}
        assert not set(text) & set("\u202e\ufeff\ud800")
        assert "gnp" in text


def test_our_own_styles_stay_on_a_terminal() -> None:
    written = io.StringIO()
    screen = Screen(file=written, force_terminal=True, color_system="standard", highlight=False)
    screen.print("a\x1bb", style="red", soft_wrap=True)
    assert written.getvalue() == "\x1b[31ma\ufffdb\x1b[0m\n"


def test_every_cell_of_a_table_is_laid_out_by_itself_and_takes_its_own_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is laid out is a line without its isolates: there the columns begin at the same place in every row."""
    session = Session(None, as_json=False, shown_calendar="")
    session.language = "fa"
    table = session.table("name", "priority", "state")
    table.add_row("1", "فوری", "رسیده")
    table.add_row("12", session.number("1405/12"), "عودت")
    session.out.print(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].rstrip() == "\u20681\u2069      \u2068فوری\u2069     \u2068رسیده\u2069"
    assert lines[2].rstrip() == "\u206812\u2069     \u2068\u20661405/12\u2069\u2069  \u2068عودت\u2069"
    shown = [re.sub("[\u2066-\u2069]", "", line) for line in lines]
    assert [line.index(last) for line, last in zip(shown, ("وضعیت", "رسیده", "عودت"), strict=True)] == [16, 16, 16]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_refusal_of_the_hub_is_cleaned(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    session = Session(None, as_json=as_json, shown_calendar="")
    _failed(session, RefusedError(HOSTILE, HOSTILE, violations=((HOSTILE, HOSTILE),)))
    for text in capsys.readouterr():
        assert {character for character in text if character < " " or "\x7f" <= character < "\xa0"} <= {"\n"}


def test_json_is_escaped_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"note": HOSTILE, "subject": "نامه"})
    written = capsys.readouterr().out
    assert json.loads(written) == {"note": HOSTILE, "subject": "نامه"}
    assert clean(written) == written
    assert "نامه" in written


def test_nothing_is_printed_around_it() -> None:
    for file in Path(dabir.cli.session.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        printed = [one for one in calls if isinstance(one, ast.Name) and one.id in ("print", "Console")]
        echoed = [one for one in calls if isinstance(one, ast.Attribute) and one.attr in ("echo", "secho", "write")]
        assert len(printed) == (1 if file.name == "screen.py" else 0), file
        assert not echoed, file
