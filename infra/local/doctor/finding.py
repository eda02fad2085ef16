"""What is said about a part, and what the checks share."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[3]
ENVIRONMENT = CHECKOUT / ".venv"


class Finding(NamedTuple):
    """About one part. `remedy` is empty if the part is there."""

    part: str
    found: str
    remedy: str = ""


def environment_is_made() -> bool:
    """Whether make has brought the environment up to the lock file."""
    return (ENVIRONMENT / ".synced").exists()
