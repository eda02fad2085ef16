"""How long an outgoing call may take."""

from contextvars import copy_context
from pathlib import Path

import pytest

from services.runtime import deadline
from services.runtime.channel import timeout_seconds
from services.runtime.config import ProcessConfig

CONFIG = ProcessConfig(
    hub="h",
    source="intake",
    environment="development",
    tls_certificate=Path(),
    tls_key=Path(),
    tls_roots=Path(),
    metrics_listen="",
    call_timeout_seconds=10.0,
    call_margin_seconds=1.0,
)


@pytest.mark.parametrize(
    ("remaining", "wanted", "least", "most"),
    [
        (None, None, 10, 10),
        (None, 3.0, 3, 3),
        (5.0, None, 3, 4),
        (60.0, None, 58, 59),
        (5.0, 2.0, 2, 2),
        (5.0, 30.0, 3, 4),
        (0.5, None, 0, 0),
    ],
)
def test_the_callers_deadline_less_a_margin(
    remaining: float | None, wanted: float | None, least: float, most: float
) -> None:
    context = copy_context()
    context.run(deadline.set_remaining, remaining)
    assert least <= context.run(timeout_seconds, CONFIG, wanted) <= most
