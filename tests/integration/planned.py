"""What the demo's last line must be, counted by hand from the twenty-three letters of its plan and the six faulty."""

from collections.abc import Mapping

KEYS = [
    "ok",
    "letters",
    "deliveries",
    "accepted",
    "refused_by_recipient",
    "answered",
    "returned",
    "withdrawn",
    "recall_refused",
    "read",
    "late",
    "refused_at_intake",
    "registry_gaps",
    "receipts_verified",
    "webhooks_verified",
    "statements",
    "seconds",
    "temporal_ui",
]
"""In their order."""
FIGURES = {
    "letters": 23,
    "deliveries": 39,
    "accepted": 37,
    "refused_by_recipient": 1,
    "answered": 5,
    "returned": 1,
    "withdrawn": 1,
    "recall_refused": 1,
    "read": 5,
    "late": 2,
    "refused_at_intake": 6,
    "registry_gaps": 0,
    "receipts_verified": 40,
}
"""Those that are the same in every run. Of hooks there may be more: one that the hub was not sure of comes again."""


def is_planned(figures: Mapping[str, object]) -> bool:
    """Whether the last line's figures are those of the whole plan."""
    hooks = figures["webhooks_verified"]
    return {name: figures[name] for name in FIGURES} == FIGURES and isinstance(hooks, int) and hooks >= 39
