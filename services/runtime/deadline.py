"""How long the call being served may still take. The gate sets it; outgoing calls take it over, less a margin."""

import time
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("dabir_deadline", default=None)


def set_remaining(seconds: float | None) -> None:
    """For the gate: the time its caller gave, None where it gave none."""
    _until.set(None if seconds is None else time.monotonic() + seconds)


def remaining_seconds() -> float | None:
    """What is left of the caller's time, never below 0; None where there is no deadline or no call."""
    until = _until.get()
    return None if until is None else max(0.0, until - time.monotonic())
