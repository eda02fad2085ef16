"""What is written in these tests: the kinds of the demo's letters, and a few of them drawn by the seed."""

import itertools
import random
from dataclasses import dataclass
from enum import Enum

from dabir.client import RECIPIENT_KIND_TO, Manifest, Recipient
from dabir.common.v1.manifest_pb2 import CLASSIFICATION_CONFIDENTIAL, PRIORITY_IMMEDIATE
from infra.demo import plan

SENDERS = ("interior", "economy", "administration", "prosecutor")
BANKS = ("sample-bank", "second-bank")
BODIES = (*SENDERS, *BANKS)


class Kind(Enum):
    """A kind of letter, and what becomes of it."""

    LETTER = "accepted; it stays open for days"
    NOTICE = "accepted, and closed by that"
    LATE = "accepted when its eight seconds are over, and closed by that"
    QUESTION = "accepted, answered by each recipient, and closed by that"
    REPLY = "an answer; accepted"
    REFUSED = "refused by its recipient, and closed by that"
    ORDER = "confidential and immediate; accepted, and closed by that"
    CIRCULAR = "accepted by several; it stays open for days"
    WRONG_DIGEST = "refused at intake: a document has another digest than the manifest says"

    @property
    def closes(self) -> bool:
        return self not in (Kind.LETTER, Kind.REPLY, Kind.CIRCULAR, Kind.WRONG_DIGEST)

    @property
    def direction(self) -> str:
        """The outgoing book that it is numbered in."""
        return "out-confidential" if self is Kind.ORDER else "out"

    def manifest(self, number: int, offices: list[str]) -> Manifest:
        """What its sender says, to these offices."""
        letter = Manifest(definition=_DEFINITIONS.get(self, plan.ADMINISTRATIVE), subject=f"نامهٔ {number}")
        if self is Kind.ORDER:
            letter.classification, letter.priority = CLASSIFICATION_CONFIDENTIAL, PRIORITY_IMMEDIATE
        for office in offices:
            letter.recipients.append(
                Recipient(
                    office=office,
                    kind=RECIPIENT_KIND_TO,
                    acceptance_needed=self in _WITH_CLOCK,
                    answer_needed=self is Kind.QUESTION,
                )
            )
        return letter


_DEFINITIONS = {
    Kind.NOTICE: plan.NOTICE,
    Kind.LATE: "definitions/chaos-notice/1",  # of these tests' own
    Kind.ORDER: plan.FREEZE_ORDER,
    Kind.CIRCULAR: plan.CIRCULAR,
}
_WITH_CLOCK = (Kind.LATE, Kind.QUESTION, Kind.REFUSED, Kind.ORDER, Kind.CIRCULAR)


@dataclass(frozen=True)
class Planned:
    """A letter of the traffic. `large`: it has an annex of more than one segment."""

    kind: Kind
    sender: str
    recipients: tuple[str, ...]
    large: bool = False


def draw(chance: random.Random) -> list[Planned]:
    """One letter of each kind that the demo sends, the late one excepted: it costs its eight seconds.

    Who writes to whom and in which order is drawn, and which one is large. Answers are no part of it: they follow.
    """
    kinds = [Kind.QUESTION, Kind.REFUSED, Kind.ORDER, Kind.CIRCULAR, Kind.WRONG_DIGEST]
    kinds.append(chance.choice((Kind.LETTER, Kind.NOTICE)))
    chance.shuffle(kinds)
    large = chance.choice([kind for kind in kinds if kind is not Kind.WRONG_DIGEST])
    senders = itertools.cycle(chance.sample(SENDERS, len(SENDERS)))
    planned = []
    for kind in kinds:
        match kind:
            case Kind.CIRCULAR:
                sender, recipients = "administration", [*BANKS, chance.choice(("interior", "economy"))]
            case Kind.ORDER:
                sender, recipients = "prosecutor", chance.sample(BANKS, chance.choice((1, 1, 2)))
            case Kind.REFUSED:
                sender, recipients = next(senders), [chance.choice(BANKS)]
            case _:
                sender, recipients = next(senders), chance.sample(BANKS, chance.choice((1, 1, 2)))
        planned.append(Planned(kind, sender, tuple(recipients), large=kind is large))
    return planned
