"""How long what no letter needs is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Periods:
    """In seconds since it last changed."""

    claim_seconds: float
    upload_seconds: float
    empty_upload_seconds: float
    rejected_seconds: float
    unclaimed_seconds: float
    attempt_seconds: float
