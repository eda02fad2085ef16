"""The files of a folder, dealt out one by one as annexes of the plan's letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dabir.client import InputError, sending
from infra.demo.plan import Letter


@dataclass(frozen=True)
class Rejected:
    """A file that no letter could take along, and why."""

    file: Path
    reason: str
    message: str


@dataclass
class Annexes:
    """Files by the number of the letter they go with; those that were rejected."""

    dealt: dict[str, list[Path]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def of(self, letter: Letter) -> list[Path]:
        return self.dealt.get(letter.number, [])

    def reject(self, letter: Letter, file: Path, reason: str, message: str) -> Rejected:
        """Takes a file out of its letter."""
        self.dealt[letter.number].remove(file)
        self.rejected.append(Rejected(file, reason, message))
        return self.rejected[-1]


def deal(folder: Path | None, letters: Sequence[Letter]) -> Annexes:
    """Deals the folder's files, by name, over the letters. One whose ending tells no media type is rejected at once."""
    annexes = Annexes()
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder else []
    for place, file in enumerate(files):
        try:
            sending.media_type(file)
        except InputError as error:
            annexes.rejected.append(Rejected(file, error.reason, str(error)))
            continue
        annexes.dealt.setdefault(letters[place % len(letters)].number, []).append(file)
    return annexes
