"""python -m tests.workflow.record: saves a history of every story in tests/histories, beside those that are there.

To be run with a release: what is saved must replay with all code that comes after. Nothing saved is ever replaced.
"""

import os
import subprocess
import sys

from tests.workflow.test_replay import FOLDER, SAVE

if __name__ == "__main__":
    played = [str(FOLDER.parent / "workflow" / "test_replay.py"), "-k", "replays_as_it_was_played"]
    command = [sys.executable, "-m", "pytest", "-q", *played]
    sys.exit(subprocess.run(command, env=os.environ | {SAVE: str(FOLDER)}, check=False).returncode)
