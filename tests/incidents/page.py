"""The operator's pages, read as an operator reads them: what to open, what is seen there, what to type."""

import os
import re
import subprocess
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OPERATE = CHECKOUT / "docs" / "operate.md"
COMMAND_SECONDS = 60


class Page:
    """A page of docs/operate. What stands in it is what the tests do: a page that is wrong fails."""

    def __init__(self, name: str) -> None:
        text = (CHECKOUT / "docs" / "operate" / f"{name}.md").read_text(encoding="utf-8")
        self.queries = re.findall(r"`(/namespaces/dabir/workflows\?query=[^`]+)`", text)
        """The addresses of lists, in the page's order."""
        self.sees = re.findall(r"^> (.+)$", text, re.MULTILINE)
        """What the page says is to be read in the UI, word for word."""
        self.commands = _commands(text)
        """Each block of commands, in the page's order."""

    def do(self, number: int, stack: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Types the page's block of that number, in a shell made ready as docs/operate.md says."""
        answer = subprocess.run(
            ["bash", "-ec", self.commands[number]],
            cwd=CHECKOUT,
            env=ready(stack) | variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        print(self.commands[number], answer.stdout, answer.stderr, sep="\n")
        return answer


@cache
def ready(stack: Path) -> dict[str, str]:
    """What the shell exports after the first block of docs/operate.md."""
    answer = subprocess.run(
        ["bash", "-ec", f"{_commands(OPERATE.read_text(encoding='utf-8'))[0]}\nenv -0"],
        cwd=CHECKOUT,
        env=os.environ | {"DABIR_STACK": str(stack)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    return dict(line.split("=", 1) for line in answer.stdout.split("\0") if line)


def _commands(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
