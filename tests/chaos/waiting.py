"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

RECOVERY_SECONDS = 60.0
"""In how long the hub must have mended whatever was done to it (issue: a letter goes on within 60 s)."""


def until(what: str, condition: Callable[[], object], timeout_seconds: float = RECOVERY_SECONDS) -> None:
    """Returns when the condition holds; fails with `what` when it does not within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds:.0f} s: {what}"
        time.sleep(0.1)
