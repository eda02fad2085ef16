"""python -m tests.chaos.sender PROFILE LETTER POINT: a member's system that is killed while it sends a letter.

It takes the letter from its journal as it was composed, and dies by SIGKILL at one of POINTS.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from dabir.client import Client

POINTS = ("uploading", "submitting", "answered")
"""Within a document, between the last document and SubmitLetter, and with SubmitLetter's answer there but not read."""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives SIGKILL")


def main(profile: Path, letter: str, point: str) -> None:
    with Client.from_profile(profile) as client:
        entry = client.journal.letter(letter)
        assert entry is not None
        submit = client.hub.sender.SubmitLetter

        def submit_and_die(*arguments: Any, **options: Any) -> NoReturn:
            if point == "answered":
                submit(*arguments, **options)
            die()

        def moved(index: int, moved_bytes: int, size_bytes: int) -> None:
            if point == "uploading" and index == 2 and moved_bytes == size_bytes:
                die()

        client.hub.sender.SubmitLetter = submit_and_die  # type: ignore[assignment]  # where this process ends
        client.send(entry, moved)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
