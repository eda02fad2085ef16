"""Waiting for what another process or task brings about, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

RECOVERY_SECONDS = 60.0
"""In how long the hub must have mended whatever was done to it (issue: a letter goes on within 60 s)."""


def until(what: str, condition: Callable[[], object], timeout_seconds: float = RECOVERY_SECONDS) -> None:
    """Returns when the condition holds; fails with `what` when it does not within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds:g} s: {what}"
        time.sleep(0.1)


async def eventually(what: str, condition: Callable[[], bool | Awaitable[bool]], timeout_seconds: float = 30.0) -> None:
    """`until`, for a condition that the test's own loop has to go on for."""
    deadline = time.monotonic() + timeout_seconds
    while not (holds if isinstance(holds := condition(), bool) else await holds):
        assert time.monotonic() < deadline, f"not within {timeout_seconds:g} s: {what}"
        await asyncio.sleep(0.1)
