"""The budget of workflows.md: what one letter may cost Temporal, counted on a real server."""

from collections import Counter
from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp

WORKFLOW_TASKS, EVENTS = 4, 40
"""Of a letter to one recipient, without incident and up to acceptance."""


def with_clocks(delivery: DeliveryPlan) -> None:
    """Both clocks and three reminders: the most that a delivery has to wait for."""
    delivery.answer_needed = True
    delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(days=2)))
    delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(days=10)))
    delivery.remind_at.extend(stamp(now() + timedelta(days=day)) for day in (1, 8, 9))


def counted(history: WorkflowHistory) -> Counter[str]:
    return Counter(EventType.Name(event.event_type) for event in history.events)


async def test_a_letter_to_one_recipient_keeps_to_the_budget(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register(delivery=with_clocks, urgent_unacked_at=stamp(now() + timedelta(hours=1)))
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        found = counted(await line.run_of(plan.letter).fetch_history())
    assert found["EVENT_TYPE_WORKFLOW_TASK_COMPLETED"] <= WORKFLOW_TASKS, found
    assert sum(found.values()) <= EVENTS, found
    # Ordinary activities would be the dearest way to keep the story: there is none without an outage.
    assert found["EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"] == 0
    print(
        f"up to acceptance: {found['EVENT_TYPE_WORKFLOW_TASK_COMPLETED']} workflow tasks, {sum(found.values())} events"
    )


async def test_the_most_recipients_stay_within_temporals_limits(line: Line) -> None:
    """Temporal warns of a history from 10,240 events or 10 MB; 500 recipients share them, a fifth of them is tried."""
    recipients, limit = 100, 500
    async with line.working(), line.following():
        plan = await line.hub.intake.register(recipients, delivery=with_clocks)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE", DabirRecipientCount=recipients)
        for delivery in plan.deliveries:
            await line.hub.intake.accept(delivery.delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        for delivery in plan.deliveries:
            await line.hub.intake.answer(delivery.delivery)
        await line.run_of(plan.letter).result()
        history = await line.run_of(plan.letter).fetch_history()
    events, size_bytes = len(history.events), sum(event.ByteSize() for event in history.events)
    print(f"{recipients} recipients, all answered: {events} events, {size_bytes} bytes")
    assert events * limit / recipients < 10_240
    assert size_bytes * limit / recipients < 10 << 20
