"""What a release of the workers may do to a stack. Python imports this at the start of each process of it (PYTHONPATH).

In the folder DABIR_RELEASE, `held` keeps workers from starting, as a roll-out that hangs. `changed` makes workers of a
release whose story of a letter is another one, without `workflow.patched`: what replay tests find.
"""

import os
import sys
import time
from pathlib import Path

RELEASE = Path(os.environ["DABIR_RELEASE"])


def change() -> None:
    """A pause before the documents are retained: a letter under way did not have it."""
    from temporalio import workflow

    import services  # noqa: F401  # as in workers: before grpc
    from workers.letter import LetterWorkflow

    retain = LetterWorkflow._retain_documents

    async def retain_later(self: LetterWorkflow) -> None:
        await workflow.sleep(1)
        await retain(self)

    LetterWorkflow._retain_documents = retain_later  # type: ignore[method-assign]


if sys.orig_argv[1:3] == ["-m", "workers"]:
    while (RELEASE / "held").exists():
        time.sleep(0.05)
    if (RELEASE / "changed").exists():
        change()
