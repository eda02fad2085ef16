"""The README as its reader follows it: its commands in their order, and what it shows of what they print.

A `console` block is a session: `$ ` begins a command, what follows is what it prints, by itself or among other lines
where a line `…` stands. Commands in running text are run, too; only `make test` is not, which would come back here.
One that has no end is ended by Ctrl-C, once it has said something.
Ids, numbers and times are the day's: any number stands for any other, an id for one and the same wherever it is shown.
Only the demo's last line must have the plan's figures.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.demo import render
from infra.local import child
from tests.integration.planned import KEYS, is_planned
from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[3]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
COMMAND_SECONDS = 300.0
WAIT_SECONDS = 60.0
ENDLESS = "dabir watch"

ANYTHING = "…"
_ID = re.compile(r"([0-9a-f]{8})-(?:…|[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_TOKEN = re.compile(rf"{_ID.pattern}|…|[0-9۰-۹]+")
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ISOLATES = re.compile("[\u2066-\u2069]")
_PYTEST_ENDS = re.compile(r"=+ \d+ passed(?:, \d+ \w+)* in \d+\.\d\ds(?: \(\d+:\d\d:\d\d\))? =+")


@dataclass(frozen=True)
class Command:
    """What is typed, and the lines shown below it; None where the README shows nothing of it."""

    typed: str
    shown: tuple[str, ...] | None


def commands(page: str) -> Iterator[Command]:
    """All of a page's, in their order."""
    for block, inline in re.findall(
        r"^```console\n(.*?)^```$|`((?:make|dabir) [^`\n]+)`", page, re.DOTALL | re.MULTILINE
    ):
        if inline:
            yield Command(inline, None)
        for typed, _, shown in (
            session.partition("\n") for session in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        ):
            yield Command(typed, tuple(shown.splitlines()))


@dataclass
class Reader:
    """Follows the page in a folder, where its stack is; `ids` has the day's id by how the page's begins."""

    folder: Path
    ids: dict[str, str] = field(default_factory=dict)

    def run(self, typed: str) -> tuple[int, str]:
        """Exit status and everything printed. What a command exports, the next one has."""
        kept, printed = self.folder / "exported", self.folder / "printed"
        script = f"test ! -e {kept} || source {kept}; {typed}\nstatus=$?; export -p > {kept}; exit $status"
        with printed.open("wb") as output:
            running = subprocess.Popen(
                ["env", "--default-signal=INT", "bash", "-c", script],
                cwd=self.folder,
                env={k: v for k, v in os.environ.items() if not k.startswith(("DABIR_", "MAKE", "MFLAGS"))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            if typed.startswith(ENDLESS):
                self._await_word(printed)
                os.killpg(running.pid, signal.SIGINT)
            return running.wait(COMMAND_SECONDS), printed.read_text(encoding="utf-8")
        except subprocess.TimeoutExpired:
            said = printed.read_text(encoding="utf-8")
            raise AssertionError(f"$ {typed}\ndid not end within {COMMAND_SECONDS} s, and printed\n{said}") from None
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()

    def _await_word(self, printed: Path) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not printed.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.1)

    def follow(self, command: Command) -> str:
        """Types it, compares, and returns what was printed. Looks again where a letter may still be on its way."""
        typed = _ID.sub(lambda found: self.ids.get(found[1], found[0]), command.typed)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            status, printed = self.run(typed)
            if status == 0 and (command.shown is None or self.is_as_shown(command.shown, printed)):
                return printed
            looks = re.search(r"\b(inbox|letter)\b", typed) is not None
            if status != 0 or not looks or time.monotonic() > deadline:
                expected = "\n".join(command.shown or ())
                raise AssertionError(f"$ {typed}\nended with {status} and printed\n{printed}\nThe README:\n{expected}")
            time.sleep(0.2)

    def is_as_shown(self, shown: tuple[str, ...], printed: str) -> bool:
        """Whether what was printed is what is shown; if so, the ids in it are known from now on."""
        new = set[str]()
        found = re.fullmatch("".join(self._line(line, new) for line in shown), _plain(printed))
        if found is None:
            return False
        self.ids |= {name.removeprefix("id_"): value for name, value in found.groupdict().items()}
        return True

    def _line(self, line: str, new: set[str]) -> str:
        if line == ANYTHING:
            return r"(?:.*\n)*?"
        pattern, end = "", 0
        for token in _TOKEN.finditer(line := _plain(line)[:-1]):
            pattern += re.escape(line[end : token.start()]) + self._token(token, new)
            end = token.end()
        return f"{pattern}{re.escape(line[end:])}\n"

    def _token(self, token: re.Match[str], new: set[str]) -> str:
        """What may stand for it. `new`: the ids that are seen for the first time."""
        if (name := token[1]) is None:
            return ".*?" if token[0] == ANYTHING else "[0-9۰-۹]+"
        if name in self.ids:
            return re.escape(self.ids[name])
        if name in new:
            return f"(?P=id_{name})"
        new.add(name)
        return f"(?P<id_{name}>{_UUID})"


def _plain(text: str) -> str:
    """Without what only lays it out: isolates, and spaces beyond one."""
    lines = _ISOLATES.sub("", text).splitlines()
    return "".join(re.sub(" +", " ", line).rstrip() + "\n" for line in lines)


def is_left_out(command: Command) -> bool:
    return command.typed.startswith("make test")


@pytest.fixture
def reader(stack_folder: Callable[[str], Path]) -> Iterator[Reader]:
    """In a checkout of its own, as far as a stack and what is saved are concerned: all else is this one's."""
    folder = stack_folder("readme")
    for entry in CHECKOUT.iterdir():
        if entry.name not in (".stack", ".git"):
            (folder / entry.name).symlink_to(entry)
    for name in ("letter.pdf", "answer.pdf"):
        paper = render.Paper("فرستنده", "دبیرخانه", "ف", (), (), ("گیرنده",), name, ("متن.",), "رئیس")
        (folder / name).write_bytes(render.pdf(paper))
    yield (made := Reader(folder))
    made.run("make clean")


@pytest.mark.timeout(900)  # it plays the demo
def test_every_command_prints_what_the_readme_shows(reader: Reader) -> None:
    followed = [command for command in commands(README) if not is_left_out(command)]
    assert {"make demo", "make up", "make down", "make doctor"} <= {command.typed for command in followed}
    for command in followed:
        printed = reader.follow(command)
        if command.typed == "make demo":
            assert is_the_plans(printed), printed.splitlines()[-1]


def is_the_plans(printed: str) -> bool:
    """Whether the demo's last line is whole and says of the whole plan that all was as planned."""
    figures = json.loads(printed.splitlines()[-1])
    return list(figures) == KEYS and figures["ok"] is True and is_planned(figures)


def test_the_demos_last_line_is_shown_with_the_plans_figures() -> None:
    """Where any number stands for any other, a wrong one would not be seen."""
    (shown,) = [command.shown[-1] for command in commands(README) if command.typed == "make demo" and command.shown]
    assert is_the_plans(shown)
    assert not is_the_plans(shown.replace('"late": 2', '"late": 3'))
    assert not is_the_plans(shown.replace('"late": 2, ', ""))
    assert not is_the_plans(shown.replace('"ok": true', '"ok": false'))


def test_what_make_test_ends_with_is_shown_as_pytest_says_it() -> None:
    shown = [command.shown for command in commands(README) if is_left_out(command) and command.shown]
    assert [_PYTEST_ENDS.fullmatch(lines[-1]) is not None for lines in shown] == [True]


LETTER, OTHER = "4f0c1b1e-8f0b-4a55-9c3a-1f2d3c4b5a69", "5f0c1b1e-8f0b-4a55-9c3a-1f2d3c4b5a69"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("number: ۱۴۰۵/۱", "at 10:14"), "number: \u2066۱۴۰۶/۲۰\u2069\nat   09:00 \n", True),
        (("{}-… then {}-…",), f"{LETTER} then {LETTER}", True),
        (("{}-… then {}-…",), f"{LETTER} then {OTHER}", False),
        (("{}-…",), "no id", False),
        (("…", "last"), "first\nsecond\nlast\n", True),
        (("…", "last"), "first\nlast\nmore\n", False),
        (("state … here",), "state whatever here", True),
        (("up",), "up\nand more\n", False),
        (("up", "and more"), "up\n", False),
        (('{"ok": true, "late": 1}',), '{"ok": false, "late": 1}', False),
        ((), "said something", False),
        ((), "", True),
    ],
)
def test_another_output_than_shown_is_seen(tmp_path: Path, shown: tuple[str, ...], printed: str, same: bool) -> None:
    page = tuple(line.replace("{}", "0a1b2c3d") if "{}-" in line else line for line in shown)
    assert Reader(tmp_path).is_as_shown(page, printed) is same


def test_an_id_is_the_same_in_every_command(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    assert reader.is_as_shown(("0a1b2c3d-…",), LETTER)
    assert reader.is_as_shown(("0a1b2c3d-…/1",), f"{LETTER}/7")
    assert not reader.is_as_shown(("0a1b2c3d-…/1",), f"{OTHER}/1")
    reader.follow(Command("echo 0a1b2c3d-…/1", (f"{LETTER}/1",)))


def test_what_one_command_exports_the_next_one_has(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.follow(Command('export CHAIN="a b"', ()))
    reader.follow(Command('echo "$CHAIN"', ("a b",)))
    with pytest.raises(AssertionError, match="ended with 3"):
        reader.follow(Command("exit 3", None))


def test_a_command_that_does_not_end_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "COMMAND_SECONDS", 0.5)
    with pytest.raises(AssertionError, match="did not end"):
        Reader(tmp_path).follow(Command("sleep 1000 & echo $! > pid; wait", None))
    until("what it started is gone", lambda: child.start_time(int((tmp_path / "pid").read_text())) is None)
