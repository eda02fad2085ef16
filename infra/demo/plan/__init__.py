"""The demo's letters as data. The numbers are those of the project's twenty-four letters; an answer has its question's
number and `-answer`.
"""

from infra.demo.plan.administrative import CIRCULAR_LETTER, COPIES, FOLLOWED, LATE, RECALLED, RETURNED, SIGNED_FOR
from infra.demo.plan.banking import (
    ACCOUNT_INQUIRY,
    CONTROL,
    GUARANTEES,
    ORDERS,
    SEIZED,
    TAX,
)
from infra.demo.plan.letter import (
    ADMINISTRATIVE,
    CIRCULAR,
    FREEZE_ORDER,
    NOTICE,
    REFUSAL_REASON,
    RETURN_REASON,
    Earlier,
    Fault,
    Letter,
    Outcome,
    Signer,
    To,
)
from infra.demo.plan.refused import FAULTY

STORIES: tuple[tuple[Letter, ...], ...] = (
    TAX,
    SEIZED,
    LATE,
    CIRCULAR_LETTER,
    FOLLOWED,
    ORDERS,
    ACCOUNT_INQUIRY,
    GUARANTEES,
    COPIES,
    RECALLED,
    SIGNED_FOR,
    CONTROL,
    RETURNED,
)
"""Letters that belong together, in the order in which they are written. The stories travel side by side; those whose
clocks are waited for go first.
"""
REGISTERED: tuple[Letter, ...] = tuple(
    sorted((letter for story in STORIES for letter in story), key=lambda letter: int(letter.number.partition("-")[0]))
)
"""By number."""

__all__ = [
    "ADMINISTRATIVE",
    "CIRCULAR",
    "FAULTY",
    "FREEZE_ORDER",
    "NOTICE",
    "REFUSAL_REASON",
    "REGISTERED",
    "RETURN_REASON",
    "STORIES",
    "Earlier",
    "Fault",
    "Letter",
    "Outcome",
    "Signer",
    "To",
]
