"""Every branch of a letter's life, and a link's incident, as stories that are played for their histories.

They are played beside each other on one line: none orders a fault that another would meet.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, RetryNow
from dabir.workflow.v1.link_pb2 import Pause, Resume
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.incident import WHO, Incident
from tests.workflow.small_intake import now, stamp
from workers.start import start

Run = WorkflowHandle[Any, Any]


def needs_answer(delivery: DeliveryPlan) -> None:
    delivery.answer_needed = True
    delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(hours=1)))


async def available(line: Line, recipients: int = 1, **letter: object) -> tuple[Run, list[str]]:
    """The run of a letter in its mailboxes, and the names of its deliveries."""
    plan = await line.hub.intake.register(recipients, **({"delivery": needs_answer} | letter))
    await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
    return line.run_of(plan.letter), [delivery.delivery for delivery in plan.deliveries]


async def accepted(line: Line) -> tuple[Run, str]:
    """The run of a letter that was accepted and waits for its answer."""
    run, (delivery,) = await available(line)
    await line.hub.intake.accept(delivery)
    await line.shows(_letter(delivery), DabirStage="AWAITING_ANSWER")
    return run, delivery


async def answered(line: Line) -> Run:
    run, delivery = await accepted(line)
    await line.hub.intake.answer(delivery)
    return run


async def refused(line: Line) -> Run:
    run, (delivery,) = await available(line)
    await line.hub.intake.refuse(delivery)
    return run


async def returned(line: Line) -> Run:
    run, delivery = await accepted(line)
    await line.hub.intake.give_back(delivery)
    return run


async def recalled_unopened(line: Line) -> Run:
    run, (first, second) = await available(line, 2)
    await line.hub.intake.recall(first, second)
    return run


async def recall_granted(line: Line) -> Run:
    run, delivery = await recall_asked(line)
    await line.hub.intake.answer_recall(delivery, granted=True)
    return run


async def recall_refused(line: Line) -> Run:
    run, delivery = await recall_asked(line)
    await line.hub.intake.answer_recall(delivery, granted=False)
    await line.shows(_letter(delivery), DabirStage="AWAITING_ANSWER")
    await line.hub.intake.answer(delivery)
    return run


async def recall_asked(line: Line) -> tuple[Run, str]:
    run, delivery = await accepted(line)
    await line.hub.intake.recall(delivery)
    await line.shows(_letter(delivery), DabirStage="RECALL_ASKED")
    return run, delivery


async def late(line: Line) -> Run:
    """Accepted after its due; reminded before; answered after its due."""

    def soon(delivery: DeliveryPlan) -> None:
        delivery.answer_needed = True
        delivery.remind_at.append(stamp(now() + timedelta(seconds=1)))
        delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(seconds=2)))
        delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(seconds=3)))

    run, (delivery,) = await available(line, delivery=soon, urgent_unacked_at=stamp(now() + timedelta(seconds=1)))
    await line.shows(_letter(delivery), DabirAttention="URGENT_UNACKED")

    async def both_passed() -> bool:
        return line.hub.intake.delivery(delivery).times.late_answer

    await eventually("both clocks are flagged as passed", both_passed)
    await line.hub.intake.accept(delivery)
    await line.shows(_letter(delivery), DabirStage="AWAITING_ANSWER", DabirAttention="LATE")
    await line.hub.intake.answer(delivery)
    return run


async def unclaimed(line: Line) -> Run:
    run, _ = await available(line, close_at=stamp(now() + timedelta(seconds=6)))
    return run


async def closed_before(line: Line) -> Run:
    """A run that begins when the letter is closed, and tells what stands."""
    run, (delivery,) = await available(line)
    await run.terminate("a test")
    plan = line.hub.intake.plans[_letter(delivery)]
    plan.state = LETTER_STATE_CLOSED
    await start(line.temporal, line.config.task_queue, plan)
    return run


async def parked(line: Line) -> Run:
    """Refused by an office's mailbox until an operator has it tried again."""
    plan = await line.hub.intake.register(2)
    stuck = plan.deliveries[1].delivery
    line.hub.intake.no_mailbox.add(stuck)
    await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
    line.hub.intake.no_mailbox.discard(stuck)
    run = line.run_of(plan.letter)
    await run.execute_update("RetryNow", RetryNow(**WHO, delivery=stuck), result_type=OperatorActionResult)
    await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
    for delivery in plan.deliveries:
        await line.hub.intake.accept(delivery.delivery)
    return run


async def link(line: Line) -> Run:
    """Down, paused, resumed, up."""
    incident = Incident(line)
    await incident.shows(DabirStage="LINK_DOWN")
    await incident.order(Pause(**WHO))
    await incident.shows(DabirStage="LINK_PAUSED")
    await incident.order(Resume(**WHO, rate_per_minute=60))
    await incident.shows(DabirStage="LINK_DOWN")
    incident.up()
    await incident.shows(DabirStage="LINK_UP")
    return incident.run


STORIES: dict[str, Callable[[Line], Awaitable[Run]]] = {
    story.__name__.replace("_", "-"): story
    for story in (
        *(answered, refused, returned, recalled_unopened, recall_granted, recall_refused),
        *(late, unclaimed, closed_before, parked, link),
    )
}


def _letter(delivery: str) -> str:
    return delivery.partition("/deliveries/")[0]
