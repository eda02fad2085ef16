"""A closed letter's run ends when whoever was still to be told of what stands is told."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus

from dabir.common.v1 import manifest_pb2
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.test_recall import retry_now, told
from tests.workflow.test_reconcile import LAGS, reconciled
from workers.reconcile import Reconciler


def second_is_copy(delivery: DeliveryPlan) -> None:
    if delivery.delivery.endswith("/2"):
        delivery.kind = manifest_pb2.RECIPIENT_KIND_COPY


@pytest.mark.parametrize("fault", ["out", "refuse"])
async def test_a_copy_untold_at_closing_is_told_afterwards(line: Line, fault: str) -> None:
    getattr(line.hub, fault)("Notify")
    trouble = "RETRYING" if fault == "out" else "NEEDS_ATTENTION"
    async with line.working(), line.following():
        plan = await line.hub.intake.register(2, delivery=second_is_copy)
        original, copy = (delivery.delivery for delivery in plan.deliveries)
        await line.shows(plan.letter, DabirAttention=trouble, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(original)
        # The closing waits for nobody; the run does, and says for whom.
        waits_on = "hub" if fault == "out" else "operator"
        await line.shows(plan.letter, DabirStage="CLOSED", DabirAttention=trouble, DabirWaitingOn=waits_on)
        assert line.hub.intake.stated(plan.letter)[-1] == Event.CLOSED
        details = await line.details(plan.letter)
        assert "delivery.available to bodies/bank-2" in details
        assert "this run ends when whoever is named above has been told" in details
        assert "it is started again within a minute" in details
        # To whom accepted it, that it is there is no news.
        assert "delivery.available to bodies/bank-1" not in details
        line.hub.mend()
        if fault == "refuse":
            await retry_now(line, plan.letter)
        await line.run_of(plan.letter).result()
        await told(line, copy, ("delivery.available", "bodies/bank-2"))
    assert await line.attribute(plan.letter, "DabirWaitingOn") == "nobody"
    assert await line.attribute(plan.letter, "DabirAttention") == "NONE"


async def test_who_is_untold_of_a_withdrawal_at_closing_is_told_afterwards(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        line.hub.out("Notify")
        delivery = plan.deliveries[0].delivery
        await line.hub.intake.recall(delivery)
        await line.shows(plan.letter, DabirStage="CLOSED", DabirAttention="RETRYING")
        line.hub.mend()
        await line.run_of(plan.letter).result()
        await told(line, delivery, ("delivery.available", "bodies/bank-1"), ("delivery.withdrawn", "bodies/bank-1"))


async def test_who_was_untold_when_a_closed_letters_run_was_terminated_is_told_by_the_next(line: Line) -> None:
    async with line.working():
        async with line.following():
            plan = await line.hub.intake.register()
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
            line.hub.out("Notify")
            delivery = plan.deliveries[0].delivery
            await line.hub.intake.recall(delivery)
            await line.shows(plan.letter, DabirStage="CLOSED", DabirAttention="RETRYING")
            await line.run_of(plan.letter).terminate("a test")
        await eventually(LAGS, lambda: reconciled(line, 1))
        line.hub.mend()
        await line.run_of(plan.letter).result()
        await told(line, delivery, ("delivery.available", "bodies/bank-1"), ("delivery.withdrawn", "bodies/bank-1"))
        # The next worker's reconciler knows of none of this, and finds that the run completed.
        again = Reconciler(line.config, line.temporal, line.hub.channel)
        for reconciler, asks in ((line.reconciler, 0), (again, 1), (again, 0)):
            before = line.hub.faults.calls["GetLetterPlan"]
            assert await reconciler.reconcile() == 0
            assert line.hub.faults.calls["GetLetterPlan"] == before + asks


async def test_a_recall_that_was_not_heard_of_before_the_end_is_told_afterwards(line: Line) -> None:
    """The follower is out while the return window ends; the run closes the letter by its own clock."""
    async with line.working():
        async with line.following():
            plan = await line.hub.intake.register()
            delivery = plan.deliveries[0].delivery
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
            await line.hub.intake.accept(delivery, return_window=timedelta(seconds=3))
            await line.shows(plan.letter, DabirStage="RETURN_WINDOW")
        await line.hub.intake.recall(delivery)
        await line.run_of(plan.letter).result()
    await told(line, delivery, ("delivery.available", "bodies/bank-1"), ("delivery.recall_asked", "bodies/bank-1"))


async def test_a_closed_letters_run_survives_its_worker_while_it_tells(line: Line) -> None:
    line.hub.out("Notify")
    async with line.following():
        async with line.working():
            plan = await line.hub.intake.register(2, delivery=second_is_copy)
            original, copy = (delivery.delivery for delivery in plan.deliveries)
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
            await line.hub.intake.accept(original)
            await line.shows(plan.letter, DabirStage="CLOSED")
        assert (await line.run_of(plan.letter).describe()).status == WorkflowExecutionStatus.RUNNING
        line.hub.mend()
        async with line.working():

            async def ended() -> bool:
                return (await line.run_of(plan.letter).describe()).status == WorkflowExecutionStatus.COMPLETED

            await eventually("the run ends", ended)
    await told(line, copy, ("delivery.available", "bodies/bank-2"))
    assert line.hub.intake.delivery(copy).state == states.DELIVERY_STATE_AVAILABLE
