"""The demo's letters as data. The numbers are those of the project's twenty-four letters; an answer has its question's
number and `-answer`.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Plan:
    """What is played. `stories` are letters that belong together, in the order in which they are written: the stories
    travel side by side. `faulty` are sent after them, and must be refused.
    """

    stories: tuple[tuple[Letter, ...], ...]
    faulty: tuple[Letter, ...] = ()

    @property
    def registered(self) -> tuple[Letter, ...]:
        """The letters that are registered, by number."""
        letters = (letter for story in self.stories for letter in story)
        return tuple(sorted(letters, key=lambda letter: int(letter.number.partition("-")[0])))


PLAN = Plan(
    (
        # Those whose clocks are waited for go first.
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
    ),
    FAULTY,
)
"""All of the demo's letters."""

__all__ = [
    "ADMINISTRATIVE",
    "CIRCULAR",
    "FREEZE_ORDER",
    "NOTICE",
    "PLAN",
    "REFUSAL_REASON",
    "RETURN_REASON",
    "Earlier",
    "Fault",
    "Letter",
    "Outcome",
    "Plan",
    "Signer",
    "To",
]
