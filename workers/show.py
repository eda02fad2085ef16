"""What an operator sees of a letter in the Temporal UI: its search attributes, its summary and its details. Pure.

Ids, states and instants only: any operator may read them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from dabir.common.v1.manifest_pb2 import Priority
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_CREATED, LETTER_STATE_CLOSED, DeliveryState
from workers import plan as rules
from workers.step import Trouble, Waiting

SENDER = SearchAttributeKey.for_keyword("DabirSender")
RECIPIENTS = SearchAttributeKey.for_keyword_list("DabirRecipients")
RECIPIENT_COUNT = SearchAttributeKey.for_int("DabirRecipientCount")
STAGE = SearchAttributeKey.for_keyword("DabirStage")
WAITING_ON = SearchAttributeKey.for_keyword("DabirWaitingOn")
PRIORITY = SearchAttributeKey.for_keyword("DabirPriority")
DUE_AT = SearchAttributeKey.for_datetime("DabirDueAt")
REGISTRY_NUMBER = SearchAttributeKey.for_keyword("DabirRegistryNumber")
DEFINITION = SearchAttributeKey.for_keyword("DabirDefinition")
ATTENTION = SearchAttributeKey.for_keyword("DabirAttention")

RECIPIENTS_SHOWN = 20
"""A keyword list holds 2,048 bytes, and a start with more is refused."""
ROWS_SHOWN = 20
"""Of each table of the details."""

RETRY_LINE = '- update `RetryNow` `{"operator": "…", "reason": "…"}`: tries what waits at once'

_STAGE_TITLES = {
    "REGISTERED": "Registered, not yet in every mailbox",
    "AWAITING_ACCEPTANCE": "In the mailbox, awaiting acceptance",
    "RECALL_ASKED": "Accepted, and asked to give it back",
    "AWAITING_ANSWER": "Accepted, awaiting the answer",
    "RETURN_WINDOW": "Accepted, may still be returned",
    "CLOSED": "Closed",
}


def fixed_attributes(plan: LetterPlan) -> TypedSearchAttributes:
    """What never changes, for the start of a workflow, with the stage it starts in."""
    bodies = list(dict.fromkeys(delivery.recipient_body for delivery in plan.deliveries))
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SENDER, plan.sender_body),
        SearchAttributePair(RECIPIENTS, bodies[:RECIPIENTS_SHOWN]),
        SearchAttributePair(RECIPIENT_COUNT, len(plan.deliveries)),
        SearchAttributePair(PRIORITY, _priority(plan)),
        SearchAttributePair(REGISTRY_NUMBER, plan.registry_number),
        SearchAttributePair(DEFINITION, plan.definition),
    ]
    return TypedSearchAttributes([*pairs, *_pairs(moving_attributes(plan, list(plan.deliveries), [], urgent=False))])


def moving_attributes(
    plan: LetterPlan, deliveries: Sequence[DeliveryPlan], waiting: Sequence[Waiting], *, urgent: bool
) -> dict[SearchAttributeKey[Any], Any]:
    """What changes as the letter goes on; None where an attribute has no value."""
    dues = [due for delivery in deliveries if (due := rules.next_due(delivery)) is not None]
    return {
        STAGE: stage(plan, deliveries),
        WAITING_ON: waiting_on(plan, deliveries, waiting),
        ATTENTION: attention(plan, deliveries, waiting, urgent=urgent),
        DUE_AT: min(dues, default=None),
    }


def stage(plan: LetterPlan, deliveries: Sequence[DeliveryPlan]) -> str:
    """Where the letter stands: as far as the delivery that is furthest behind."""
    if plan.state == LETTER_STATE_CLOSED:
        return "CLOSED"
    if not deliveries or any(delivery.state == DELIVERY_STATE_CREATED for delivery in deliveries):
        return "REGISTERED"
    if any(rules.awaits_acceptance(delivery) for delivery in deliveries):
        return "AWAITING_ACCEPTANCE"
    if any(delivery.recall_asked for delivery in deliveries):
        return "RECALL_ASKED"
    if any(rules.awaits_answer(delivery) for delivery in deliveries):
        return "AWAITING_ANSWER"
    return "RETURN_WINDOW"


def waiting_on(plan: LetterPlan, deliveries: Sequence[DeliveryPlan], waiting: Sequence[Waiting]) -> str:
    """Who has to do something next: operator, hub, recipient, or nobody."""
    if any(step.trouble == Trouble.NEEDS_ATTENTION for step in waiting):
        return "operator"
    if plan.state == LETTER_STATE_CLOSED:
        return "hub" if waiting else "nobody"
    return "hub" if waiting or stage(plan, deliveries) == "REGISTERED" else "recipient"


def attention(plan: LetterPlan, deliveries: Sequence[DeliveryPlan], waiting: Sequence[Waiting], *, urgent: bool) -> str:
    """What an operator should look at first: the gravest of what is the case."""
    if trouble := gravest(waiting):
        return trouble
    if plan.state == LETTER_STATE_CLOSED:
        return "NONE"
    if urgent:
        return "URGENT_UNACKED"
    return "LATE" if any(rules.is_late(delivery) for delivery in deliveries) else "NONE"


def gravest(waiting: Sequence[Waiting]) -> str:
    """The worst of why steps wait; "" when none does."""
    troubles = {step.trouble for step in waiting}
    found = (trouble for trouble in (Trouble.NEEDS_ATTENTION, Trouble.RETRYING) if trouble in troubles)
    return next(found, "")


def summary(plan: LetterPlan) -> str:
    """One line: number, priority, sender → how many recipients."""
    count = len(plan.deliveries)
    to = plan.deliveries[0].recipient_body if count == 1 else f"{count} recipients"
    return f"{plan.registry_number} · {_priority(plan)} · {plan.sender_body} → {to}"


def details(
    plan: LetterPlan, deliveries: Sequence[DeliveryPlan], waiting: Sequence[Waiting], notes: Sequence[str]
) -> str:
    """Markdown: what it waits for, since when, until when, what happens then, and what an operator can do now."""
    closed = plan.state == LETTER_STATE_CLOSED
    expected = [] if closed else [delivery for delivery in deliveries if rules.is_asked_for_more(delivery)]
    lines = [f"### {_STAGE_TITLES[stage(plan, deliveries)]}", f"`{plan.letter}` · {plan.registry_number or '—'}", ""]
    lines += trouble_lines(waiting)
    lines += _expected_lines(expected, len(deliveries))
    if closed and waiting:
        lines += ["The letter is closed; this run ends when whoever is named above has been told.", ""]
    if plan.HasField("close_at") and not closed:
        lines += [f"If nothing more happens, it closes {_closing(plan, deliveries)}.", ""]
    lines += [f"- {note}" for note in notes]
    return "\n".join(
        [*lines, "", "**What you can do now**", "", *_action_lines(expected, waiting), "", _end_line(closed, waiting)]
    )


def _closing(plan: LetterPlan, deliveries: Sequence[DeliveryPlan]) -> str:
    """How and when: unclaimed only where somebody was still to do something."""
    closes_at, unclaimed_at = rules.may_close_at(plan, deliveries), rules.instant(plan.close_at)
    if closes_at == unclaimed_at:
        return f"as unclaimed at {time(unclaimed_at)}"
    windows = [delivery for delivery in deliveries if delivery.HasField("return_until")]
    return f"at {time(closes_at)}, when nothing may be returned any more" if windows else "by itself"


def trouble_lines(waiting: Sequence[Waiting]) -> list[str]:
    """The steps that wait, and why."""
    lines = []
    for step in waiting[:ROWS_SHOWN]:
        since = f"since {time(step.since)}"
        if step.trouble == Trouble.NEEDS_ATTENTION:
            lines.append(
                f"**Needs you**: {step.summary} was refused: {step.reason}, {since}. Put that right, then `RetryNow`."
            )
        else:
            lines.append(f"**In an outage**: {step.summary} is being retried, {since}. It goes on by itself.")
    return [*lines, ""] if lines else []


def _expected_lines(expected: Sequence[DeliveryPlan], total: int) -> list[str]:
    if not expected:
        return []
    lines = [
        f"Waits for **{len(expected)} of {total}** recipients:",
        "",
    ]
    lines += [_row(delivery) for delivery in expected[:ROWS_SHOWN]]
    if len(expected) > ROWS_SHOWN:
        lines.append(f"\nand {len(expected) - ROWS_SHOWN} more.")
    return [*lines, ""]


def _row(delivery: DeliveryPlan) -> str:
    """A line of a list: in the UI the cells of a table stand without a gap between them."""
    times, due = delivery.times, rules.next_due(delivery)
    began = rules.instant(times.available_at if rules.awaits_acceptance(delivery) else times.decided_at)
    then = "then stated as late" if not rules.is_late(delivery) else "late, and still open"
    clock = "no due: it stays open" if due is None else f"due {time(due)}, {then}"
    if delivery.recall_asked:
        recalled = time(rules.instant(delivery.recalled_at))
        clock = f"recalled {recalled}: its recipient grants or refuses that, or does neither; {clock}"
    number = delivery.delivery.rpartition("/")[2]
    state = DeliveryState.Name(delivery.state).removeprefix("DELIVERY_STATE_")
    return f"- delivery {number}, `{delivery.recipient_body}`, stands at {state} since {time(began)}; {clock}"


def _action_lines(expected: Sequence[DeliveryPlan], waiting: Sequence[Waiting]) -> list[str]:
    lines = []
    if waiting:
        lines.append(RETRY_LINE)
    if expected:
        example = expected[0].delivery
        lines.append(
            f'- update `ResendNotification` `{{"operator": "…", "reason": "…", "delivery": "{example}"}}`: '
            "tells that recipient again"
        )
    if not lines:
        lines.append("- nothing: it goes on by itself")
    return lines


def _end_line(closed: bool, waiting: Sequence[Waiting]) -> str:
    if closed and not waiting:
        return ""
    return "Terminating or cancelling does not end a letter: it is started again within a minute."


def time(at: datetime) -> str:
    """As details write it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _priority(plan: LetterPlan) -> str:
    return Priority.Name(plan.priority).removeprefix("PRIORITY_").lower()


def _pairs(attributes: dict[SearchAttributeKey[Any], Any]) -> list[SearchAttributePair[Any]]:
    return [SearchAttributePair(key, value) for key, value in attributes.items() if value is not None]
