"""Reads back, through the stubs and by clients of its own, whether what happened is what was planned.

Figures are counted over the statements of this run, by event and not by last state. Every statement is verified on
reading (dabir.client.trust), every receipt against its statement, every chain from the head that stood before.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dabir.client import Client, ClientError, RefusedError
from dabir.client.chains import Head, gaps, heads
from dabir.client.trust import Proven
from dabir.common.v1.manifest_pb2 import CLASSIFICATION_NORMAL
from dabir.common.v1.receipt_pb2 import VERDICT_RECALL_REFUSED, Verdict
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from infra.demo import content, expected
from infra.demo.cast import Cast
from infra.demo.hooks import Hook
from infra.demo.plan import Outcome, To
from infra.demo.play import Travelled

MOST_WAIT_SECONDS = 90.0
"""For the workflows to state what follows from the last act."""


@dataclass(frozen=True)
class Before:
    """The ledger as the bodies saw it when the run began: names of statements, heads of chains, and of each letter the
    digest of its registration.
    """

    statements: frozenset[str]
    heads: dict[str, Head]
    registrations: dict[str, bytes]


@dataclass
class Checked:
    """What was read back. `problems` are sentences; none means that all is as planned."""

    problems: list[str] = field(default_factory=list)
    troubled: set[str] = field(default_factory=set)
    letters: int = 0
    deliveries: int = 0
    accepted: int = 0
    refused_by_recipient: int = 0
    answered: int = 0
    returned: int = 0
    withdrawn: int = 0
    recall_refused: int = 0
    read: int = 0
    late: int = 0
    refused_at_intake: int = 0
    registry_gaps: int = 0
    receipts_verified: int = 0
    webhooks_verified: int = 0
    statements: int = 0

    def problem(self, number: str, sentence: str) -> None:
        """Something of the letter with this number is not as planned."""
        self.problems.append(f"letter {number}: {sentence}")
        self.troubled.add(number)


def all_statements(cast: Cast) -> list[Proven]:
    """Every statement that any body of the cast may see, each verified, by position."""
    found = {proven.name: proven for body in cast.members for proven in cast.client(body).statements()}
    return sorted(found.values(), key=lambda proven: proven.position)


def look_before(cast: Cast) -> Before:
    """To be called before the run's first letter."""
    stated = all_statements(cast)
    registrations = {one.subject: one.digest for one in stated if one.event is Event.SUBMISSION_ACCEPTANCE}
    return Before(frozenset(proven.name for proven in stated), heads(stated), registrations)


def check(
    cast: Cast, before: Before, travelled: Sequence[Travelled], hooks: Iterable[Hook], unverified: Sequence[str]
) -> Checked:
    """Compares the plan with what the hub says to `cast`, which should be another one than the play's."""
    checked = Checked()
    check_letters(cast, checked, travelled)
    registered = [one for one in travelled if one.planned.fault is None]
    stated = [proven for proven in all_statements(cast) if proven.name not in before.statements]
    _count_events(checked, {one.name for one in registered}, stated)
    broken = gaps(stated, known=before.heads, first_digests=before.registrations)
    checked.registry_gaps = len(broken)
    checked.problems += [f"{gap.chain} {gap.sequence}: {gap.what}" for gap in broken]
    _check_hooks(cast, checked, registered, hooks, unverified)
    return checked


def check_letters(cast: Cast, checked: Checked, travelled: Sequence[Travelled]) -> None:
    """Compares each of these letters with the plan; those that they answer, overtake or reuse stand among them."""
    registered = [one for one in travelled if one.planned.fault is None]
    _wait_for_events(cast, checked, registered)
    by_number = {one.planned.number: one for one in registered}
    for one in registered:
        _check_letter(cast, checked, one, registered)
        if one.planned.overtakes:
            _check_overtaking(cast, checked, one, by_number[one.planned.overtakes])
    for one in travelled:
        if one.planned.fault is not None:
            _check_refused(cast, checked, one, by_number)


def _wait_for_events(cast: Cast, checked: Checked, registered: Sequence[Travelled]) -> None:
    """Until every letter has the events that the plan says; those that never come are problems."""
    for one in registered:
        client, wanted = cast.client(one.planned.sender), expected.events(one, registered)

        def missing(client: Client = client, one: Travelled = one, wanted: set[str] = wanted) -> set[str]:
            return wanted - expected.told(client.statements(one.name))

        if left := _until_empty(missing):
            checked.problem(one.planned.number, f"the ledger lacks {', '.join(sorted(left))}")


def _until_empty(missing: Callable[[], set[str]]) -> set[str]:
    deadline = time.monotonic() + MOST_WAIT_SECONDS
    while (left := missing()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _check_letter(cast: Cast, checked: Checked, one: Travelled, registered: Sequence[Travelled]) -> None:
    """One registered letter, as its sender and as each recipient is shown it."""
    planned, sender = one.planned, cast.client(one.planned.sender)
    try:
        life = sender.life(one.name)
        letter, deliveries = sender.letter(one.name), sender.sent_deliveries(one.name)
    except ClientError as error:
        checked.problem(planned.number, f"{error.reason} {error}")
        return
    checked.receipts_verified += len(life.receipts)
    if life.gaps:
        checked.problem(planned.number, f"gaps in {', '.join(sorted({gap.chain for gap in life.gaps}))}")
    closed = letter.state == letter_pb2.LETTER_STATE_CLOSED
    if (letter.registry_number.text, closed) != (one.number, planned.closes):
        checked.problem(planned.number, f"is {letter.registry_number.text}, {'closed' if closed else 'open'}")
    if _is_in_confidential_book(letter) is (planned.classification == CLASSIFICATION_NORMAL):
        checked.problem(planned.number, f"is in the book {letter.registry_number.book}")
    if [delivery.recipient_office for delivery in deliveries] != [cast.office(to.body) for to in planned.recipients]:
        checked.problem(planned.number, "has other deliveries than recipients")
    if extra := expected.told(life.statements) - expected.events(one, registered):
        checked.problem(planned.number, f"also: {', '.join(sorted(extra))}")
    for to, delivery in zip(planned.recipients, deliveries, strict=False):
        _check_delivery(cast, checked, one, to, delivery, answered=expected.is_answered(planned, to, registered))


def _is_in_confidential_book(letter: letter_pb2.Letter) -> bool:
    return names.split_book(letter.registry_number.book)[1] == "out-confidential"


def _check_delivery(
    cast: Cast, checked: Checked, one: Travelled, to: To, sent: letter_pb2.SentDelivery, *, answered: bool
) -> None:
    """Sender and recipient are shown the same state, and the recipient what was sent, or nothing if it is closed."""
    state, late = expected.state(to, answered=answered), to.outcome is Outcome.ACCEPTED_LATE
    recipient = cast.client(to.body)
    try:
        got = recipient.delivery(sent.name)
        opened = recipient.open(sent.name) if expected.is_open(to) else None
    except ClientError as error:
        checked.problem(one.planned.number, f"{sent.recipient_office}: {error.reason} {error}")
        return
    reader = sent.first_reading.position
    shown = (sent.state, got.envelope.state, sent.times.late_acceptance, sent.times.late_answer, reader)
    if shown != (state, state, late, False, to.read_by) or got.HasField("content") is not (opened is not None):
        checked.problem(one.planned.number, f"{sent.name} is not as planned: {shown}")
    if opened is not None:
        for what in content.differences(one.planned, to, sent.name, opened):
            checked.problem(one.planned.number, f"{sent.name} has another {what} than planned")


def _check_overtaking(cast: Cast, checked: Checked, one: Travelled, earlier: Travelled) -> None:
    """What overtook another letter was taken in before it."""
    client = cast.client(one.planned.sender)
    first, then = (
        [proven.position for proven in client.statements(name) if proven.event is Event.CONSIGNMENT_ACCEPTANCE]
        for name in (one.name, earlier.name)
    )
    if not first < then:
        checked.problem(one.planned.number, f"did not overtake {earlier.planned.number}")


def _check_refused(cast: Cast, checked: Checked, one: Travelled, registered: Mapping[str, Travelled]) -> None:
    """The hub refused it for the planned reason, and holds nothing of it; under its name, what was before."""
    planned = one.planned
    wanted = planned.fault.value if planned.fault else ""
    if one.refusal_reason != wanted:
        checked.problem(planned.number, f"was to be refused for {wanted}, not {one.refusal_reason or 'registered'}")
        return
    try:
        held = cast.client(planned.sender).letter(one.name).registry_number.text
    except RefusedError as error:
        if error.code != "NOT_FOUND":
            raise
        held = ""
    if held == (registered[planned.reuses].number if planned.reuses else ""):
        checked.refused_at_intake += 1
    else:
        checked.problem(planned.number, f"was refused, and yet is registered as {held or 'nothing'}")


def _count_events(checked: Checked, letters: set[str], stated: Sequence[Proven]) -> None:
    """The figures, over the statements of this run's letters."""
    counted = Counter(proven.event for proven in stated if proven.payload.txn in letters)
    checked.letters = counted[Event.SUBMISSION_ACCEPTANCE]
    checked.deliveries = counted[Event.AVAILABLE]
    checked.accepted = counted[Event.CONSIGNMENT_ACCEPTANCE]
    checked.refused_by_recipient = counted[Event.CONSIGNMENT_REJECTION]
    checked.answered = counted[Event.ANSWERED]
    checked.returned = counted[Event.RETURNED]
    checked.withdrawn = counted[Event.WITHDRAWN]
    answers = [one.says.reason for one in stated if one.event is Event.RECALL_ANSWERED and one.payload.txn in letters]
    checked.recall_refused = answers.count(Verdict.Name(VERDICT_RECALL_REFUSED))
    checked.read = counted[Event.CONTENT_ACCESS_TRACKING]
    checked.late = counted[Event.ACCEPTANCE_REJECTION_EXPIRY]
    checked.statements = counted.total()


def _check_hooks(
    cast: Cast, checked: Checked, registered: Sequence[Travelled], hooks: Iterable[Hook], unverified: Sequence[str]
) -> None:
    """Every delivery's recipient was told by a verified hook, and no hook came that did not verify."""
    ours = [hook for hook in hooks if hook.letter in {one.name for one in registered}]
    checked.webhooks_verified = len(ours)
    told = {(hook.body, hook.delivery) for hook in ours if hook.event_type == "delivery.available"}
    for one in registered:
        for place, to in enumerate(one.planned.recipients, start=1):
            if (to.body, one.delivery(place)) not in told:
                checked.problem(one.planned.number, f"{cast.members[to.body].en} was not told by a hook")
    checked.problems += [f"a webhook did not verify: {what}" for what in unverified]
