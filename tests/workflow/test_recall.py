"""A recall: what was not accepted is withdrawn, whoever accepted is asked, and whoever it concerns is told."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from dabir.common.v1 import manifest_pb2
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, LetterPlan
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, ResendNotification, RetryNow
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp

SENDER, RECIPIENT = "bodies/interior", "bodies/bank-1"


def needs_answer(delivery: DeliveryPlan) -> None:
    delivery.answer_needed = True
    delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(hours=1)))


async def registered(line: Line, recipients: int = 1, **letter: object) -> tuple[LetterPlan, list[str]]:
    """A letter in its mailboxes, and the names of its deliveries."""
    plan = await line.hub.intake.register(recipients, **letter)
    await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
    return plan, [delivery.delivery for delivery in plan.deliveries]


async def told(line: Line, delivery: str, *wanted: tuple[str, str]) -> None:
    """Wait until exactly these were told of a delivery, each once."""

    async def all_told() -> bool:
        return sorted(line.hub.notifications.types_told(delivery)) == sorted(wanted)

    await eventually(f"{wanted} are told, not {line.hub.notifications.types_told(delivery)}", all_told)


async def test_what_was_not_accepted_is_withdrawn_and_the_letter_closes(line: Line) -> None:
    async with line.working(), line.following():
        plan, (first, second) = await registered(line, 2)
        await line.hub.intake.recall(first, second)
        await line.run_of(plan.letter).result()
    assert line.hub.intake.stated(plan.letter)[-3:] == [Event.WITHDRAWN, Event.WITHDRAWN, Event.CLOSED]
    assert line.hub.faults.calls["ApplyRecall"] == 1
    for number, delivery in enumerate((first, second), start=1):
        body = f"bodies/bank-{number}"
        await told(line, delivery, ("delivery.available", body), ("delivery.withdrawn", body))


async def test_a_recall_of_one_leaves_the_others_as_they_are(line: Line) -> None:
    async with line.working(), line.following():
        plan, (first, second) = await registered(line, 2)
        await line.hub.intake.recall(first)
        await told(line, first, ("delivery.available", RECIPIENT), ("delivery.withdrawn", RECIPIENT))
        assert await line.attribute(plan.letter, "DabirStage") == "AWAITING_ACCEPTANCE"
        await line.hub.intake.accept(second)
        await line.run_of(plan.letter).result()
    assert line.hub.intake.delivery(first).state == states.DELIVERY_STATE_WITHDRAWN


async def test_a_recall_names_up_to_fifty_in_one_call(line: Line) -> None:
    async with line.working(), line.following():
        plan, deliveries = await registered(line, 60)
        await line.hub.intake.recall(*deliveries)
        await line.run_of(plan.letter).result()
    assert line.hub.faults.calls["ApplyRecall"] == 2


async def test_an_accepted_one_waits_for_its_recipients_answer(line: Line) -> None:
    async with line.working(), line.following():
        plan, (delivery,) = await registered(line, delivery=needs_answer)
        await line.hub.intake.accept(delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        await line.hub.intake.recall(delivery)
        await line.shows(plan.letter, DabirStage="RECALL_ASKED", DabirWaitingOn="recipient")
        details = await line.details(plan.letter)
        assert "### Accepted, and asked to give it back" in details
        assert "its recipient grants or refuses that, or does neither; due " in details
        asked = [("delivery.available", RECIPIENT), ("delivery.recall_asked", RECIPIENT)]
        await told(line, delivery, *asked)
        await line.hub.intake.answer_recall(delivery, granted=True)
        await line.run_of(plan.letter).result()
        await told(line, delivery, *asked, ("delivery.recall_answered", SENDER))
    assert line.hub.faults.calls["ApplyRecall"] == 0
    assert line.hub.faults.calls["FlagLate"] == 0


async def test_a_refused_recall_leaves_the_story_as_it_was(line: Line) -> None:
    async with line.working(), line.following():
        plan, (delivery,) = await registered(line, delivery=needs_answer)
        await line.hub.intake.accept(delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        await line.hub.intake.recall(delivery)
        await line.shows(plan.letter, DabirStage="RECALL_ASKED")
        await line.hub.intake.answer_recall(delivery, granted=False)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        due = plan.deliveries[0].times.answer_due.ToDatetime()
        assert (await line.attribute(plan.letter, "DabirDueAt")).replace(tzinfo=None) == due
        await line.hub.intake.answer(delivery)
        await line.run_of(plan.letter).result()
    kinds = [kind for kind, _ in line.hub.notifications.types_told(delivery)]
    assert kinds == ["delivery.available", "delivery.recall_asked", "delivery.recall_answered"]


async def test_who_has_not_answered_a_recall_can_be_told_again(line: Line) -> None:
    async with line.working(), line.following():
        plan, (delivery,) = await registered(line)
        await line.hub.intake.accept(delivery, return_window=timedelta(hours=1))
        await line.hub.intake.recall(delivery)
        await line.shows(plan.letter, DabirStage="RECALL_ASKED")
        order = ResendNotification(operator="operators/night-shift", reason="asked by phone", delivery=delivery)
        run = line.run_of(plan.letter)
        await run.execute_update("ResendNotification", order, result_type=OperatorActionResult)
    kinds = [kind for kind, _ in line.hub.notifications.types_told(delivery)]
    assert kinds == ["delivery.available", "delivery.recall_asked", "delivery.recall_asked"]


async def test_recalled_before_it_came_it_takes_no_number_and_nobody_is_told(line: Line) -> None:
    line.hub.refuse("SetRetention")
    async with line.working(), line.following():
        plan = await line.hub.intake.register(2)
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        first, second = (delivery.delivery for delivery in plan.deliveries)
        await line.hub.intake.recall(first)
        await eventually("it is withdrawn while the letter waits for an operator", withdrawn(line, first))
        line.hub.mend()
        await retry_now(line, plan.letter)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(second)
        await line.run_of(plan.letter).result()
    assert line.hub.intake.stated(plan.letter).count(Event.AVAILABLE) == 1
    assert line.hub.notifications.types_told(first) == []


async def test_what_no_mailbox_takes_goes_on_when_it_is_recalled(line: Line) -> None:
    """Parked for an operator before, it needs none any more."""
    async with line.working(), line.following():
        plan = await line.hub.intake.register(2)
        first, second = (delivery.delivery for delivery in plan.deliveries)
        line.hub.intake.no_mailbox.add(second)
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        line.hub.intake.no_mailbox.clear()
        await line.hub.intake.recall(second)
        await line.shows(plan.letter, DabirAttention="NONE", DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(first)
        await line.run_of(plan.letter).result()


async def test_a_recalled_copy_keeps_a_letter_open_until_it_is_withdrawn(line: Line) -> None:
    def second_is_copy(delivery: DeliveryPlan) -> None:
        if delivery.delivery.endswith("/2"):
            delivery.kind = manifest_pb2.RECIPIENT_KIND_COPY

    async with line.working(), line.following():
        plan, (first, copy) = await registered(line, 2, delivery=second_is_copy)
        line.hub.refuse("ApplyRecall")
        await line.hub.intake.recall(copy)
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        assert "withdraw 1 was refused: REFUSAL_ORDERED" in await line.details(plan.letter)
        await line.hub.intake.accept(first)
        await eventually("its acceptance is known", known_accepted(line, plan.letter, first))
        assert line.hub.intake.plans[plan.letter].state == states.LETTER_STATE_OPEN
        line.hub.mend()
        await retry_now(line, plan.letter)
        await line.run_of(plan.letter).result()
    # The operator's action is stated beside the story.
    course = [event for event in line.hub.intake.stated(plan.letter) if event != Event.OPERATOR_ACTION]
    assert course[-2:] == [Event.WITHDRAWN, Event.CLOSED]


async def test_a_recall_that_intake_does_not_apply_parks(line: Line) -> None:
    line.hub.intake.applies_recalls = False
    async with line.working(), line.following():
        plan, (delivery,) = await registered(line)
        await line.hub.intake.recall(delivery)
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        assert "RECALL_NOT_APPLIED" in await line.details(plan.letter)
        assert line.hub.faults.calls["ApplyRecall"] == 1
        line.hub.intake.applies_recalls = True
        await retry_now(line, plan.letter)
        await line.run_of(plan.letter).result()


async def terminated(line: Line, letter: str) -> None:
    await line.run_of(letter).terminate("a test")


async def deleted(line: Line, letter: str) -> None:
    execution = WorkflowExecution(workflow_id=line.run_of(letter).id)
    request = DeleteWorkflowExecutionRequest(namespace=line.temporal.namespace, workflow_execution=execution)
    await line.temporal.workflow_service.delete_workflow_execution(request)

    async def gone() -> bool:
        try:
            await line.run_of(letter).describe()
        except RPCError as error:
            return error.status == RPCStatusCode.NOT_FOUND
        return False

    await eventually("Temporal has no run any more", gone)


@pytest.mark.parametrize("end", [terminated, deleted])
async def test_a_recall_nobody_applied_is_applied_by_the_next_run(
    line: Line, end: Callable[[Line, str], Awaitable[None]]
) -> None:
    """Committed at intake, then the worker and the run are gone, and no follower tells of it."""
    async with line.following():
        async with line.working():
            plan, (first, second) = await registered(line, 2, delivery=needs_answer)
            await line.hub.intake.accept(second)
            await eventually("its acceptance is known", known_accepted(line, plan.letter, second))
    await line.hub.intake.recall(first, second)
    await end(line, plan.letter)
    async with line.working():

        async def started() -> bool:
            return await line.reconciler.reconcile() == 1

        await eventually("the letter has a run again", started)
        await line.shows(plan.letter, DabirStage="RECALL_ASKED")
        await told(line, first, ("delivery.available", RECIPIENT), ("delivery.withdrawn", RECIPIENT))
        await told(line, second, ("delivery.available", "bodies/bank-2"), ("delivery.recall_asked", "bodies/bank-2"))
    assert line.hub.intake.delivery(first).state == states.DELIVERY_STATE_WITHDRAWN
    assert line.hub.intake.stated(plan.letter).count(Event.WITHDRAWN) == 1


async def test_withdrawn_but_nobody_told_the_next_run_tells(line: Line) -> None:
    """The run ended between the withdrawal and its telling; so did one between a recall's answer and its telling."""
    async with line.following():
        async with line.working():
            plan, (first, second, third) = await registered(line, 3, delivery=needs_answer)
            await line.hub.intake.accept(second)
            await eventually("its acceptance is known", known_accepted(line, plan.letter, second))
            line.hub.out("Notify")
            await line.hub.intake.recall(first, second)
            await eventually("it is withdrawn", withdrawn(line, first))
            await line.hub.intake.answer_recall(second, granted=False)
            await line.shows(plan.letter, DabirAttention="RETRYING")
    await line.run_of(plan.letter).terminate("a test")
    line.hub.mend()
    async with line.working():

        async def started() -> bool:
            return await line.reconciler.reconcile() == 1

        await eventually("the letter has a run again", started)
        await told(line, first, ("delivery.available", RECIPIENT), ("delivery.withdrawn", RECIPIENT))
        await told(line, second, ("delivery.available", "bodies/bank-2"), ("delivery.recall_answered", SENDER))
        await told(line, third, ("delivery.available", "bodies/bank-3"))
    assert line.hub.faults.calls["ApplyRecall"] == 1


async def test_a_return_ends_a_delivery(line: Line) -> None:
    async with line.working(), line.following():
        plan, (delivery,) = await registered(line, delivery=needs_answer)
        await line.hub.intake.accept(delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        await line.hub.intake.give_back(delivery)
        await line.run_of(plan.letter).result()
    assert line.hub.intake.stated(plan.letter)[-2:] == [Event.RETURNED, Event.CLOSED]


def withdrawn(line: Line, delivery: str) -> Callable[[], Awaitable[bool]]:
    async def is_withdrawn() -> bool:
        return line.hub.intake.delivery(delivery).state == states.DELIVERY_STATE_WITHDRAWN

    return is_withdrawn


def known_accepted(line: Line, letter: str, delivery: str) -> Callable[[], Awaitable[bool]]:
    """The run knows of the acceptance: its details no longer name the delivery as AVAILABLE."""
    number = delivery.rpartition("/")[2]

    async def is_known() -> bool:
        return f"delivery {number}, `bodies/bank-{number}`, stands at AVAILABLE" not in await line.details(letter)

    return is_known


async def retry_now(line: Line, letter: str) -> None:
    order = RetryNow(operator="operators/night-shift", reason="mended")
    await line.run_of(letter).execute_update("RetryNow", order, result_type=OperatorActionResult)
