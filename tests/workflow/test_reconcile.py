"""Every open letter has an open run, whatever ended it, and goes on from where it stands."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp
from tests.workflow.test_recall import RECIPIENT, retry_now, told
from workers.start import start

LAGS = "Temporal's list of runs, which lags behind them, shows them as they are"


async def reconciled(line: Line, started: int) -> bool:
    return await line.reconciler.reconcile() == started


async def test_a_terminated_run_starts_again_and_repeats_nothing(line: Line) -> None:
    async with line.working():
        async with line.following():
            plan = await line.hub.intake.register(2)
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery, return_window=timedelta(hours=1))
        await line.run_of(plan.letter).terminate("a test")
        await eventually(LAGS, lambda: reconciled(line, 1))
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await eventually(LAGS, lambda: reconciled(line, 0))
        assert plan.deliveries[1].delivery in await line.details(plan.letter)
    assert len(line.hub.notifications.told) == 2
    assert line.hub.faults.calls["ConsignDeliveries"] == 1
    assert [states.DeliveryState.Name(one.state) for one in plan.deliveries] == [
        "DELIVERY_STATE_ACCEPTED",
        "DELIVERY_STATE_AVAILABLE",
    ]


async def test_a_run_that_ended_before_it_told_of_a_passed_due_leaves_that_to_the_next(line: Line) -> None:
    def due_soon(delivery: DeliveryPlan) -> None:
        delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(seconds=2)))

    async with line.working():
        async with line.following():
            line.hub.out("Notify")
            plan = await line.hub.intake.register(delivery=due_soon)
            await line.shows(plan.letter, DabirAttention="RETRYING", DabirStage="AWAITING_ACCEPTANCE")

            async def nobody_told() -> bool:
                described = await line.run_of(plan.letter).describe()
                return len(described.raw_description.pending_activities) == 3

            await eventually("three notices wait for notifications", nobody_told)
        await line.run_of(plan.letter).terminate("a test")
        line.hub.mend()
        await eventually(LAGS, lambda: reconciled(line, 1))
        wanted = {
            ("delivery.available", "bodies/bank-1"),
            ("delivery.late", "bodies/bank-1"),
            ("delivery.late", "bodies/interior"),
        }

        async def told() -> bool:
            return wanted == set(line.hub.notifications.types_told(plan.deliveries[0].delivery))

        await eventually("recipient and sender are told that it is late", told)
    assert line.hub.faults.calls["FlagLate"] == 1


async def test_letters_that_were_never_started_are(line: Line) -> None:
    plans = [await line.hub.intake.register() for _ in range(5)]
    async with line.working():
        assert await line.reconciler.reconcile() == 5
        for plan in plans:
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")


async def test_a_run_that_missed_a_recall_is_told_of_it_once(line: Line) -> None:
    async with line.working():
        async with line.following():
            plan = await line.hub.intake.register(2)
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        line.hub.intake.applies_recalls = False
        await line.hub.intake.recall(plan.deliveries[0].delivery)
        for _ in range(3):
            await line.reconciler.reconcile()
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        line.hub.intake.applies_recalls = True
        await retry_now(line, plan.letter)
        await told(
            line, plan.deliveries[0].delivery, *((f"delivery.{what}", RECIPIENT) for what in ("available", "withdrawn"))
        )
        events = (await line.run_of(plan.letter).fetch_history()).events
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events) == 1


async def test_closed_letters_are_left_in_peace(line: Line) -> None:
    plan = await line.hub.intake.register()
    plan.state = states.LETTER_STATE_CLOSED
    async with line.working():
        assert await line.reconciler.reconcile() == 0
    with pytest.raises(RPCError):
        await line.run_of(plan.letter).describe()


async def test_a_closed_letters_run_ends_at_once(line: Line) -> None:
    plan = await line.hub.intake.register()
    await start(line.temporal, line.config.task_queue, plan)
    plan.state = states.LETTER_STATE_CLOSED
    async with line.working():
        assert (await line.run_of(plan.letter).result()).outcome == "CLOSED"
    assert line.hub.faults.calls["SetRetention"] == 0


async def test_letters_that_cannot_be_started_do_not_keep_the_others(line: Line) -> None:
    refused, unnameable, sound = [await line.hub.intake.register() for _ in range(3)]
    line.hub.intake.hidden.add(refused.letter)
    unnameable.sender_body = "nobody"
    async with line.working():
        assert await line.reconciler.reconcile() == 1
        await line.shows(sound.letter, DabirStage="AWAITING_ACCEPTANCE")


async def test_cancelling_is_noted_and_ignored(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.run_of(plan.letter).cancel()

        async def noted() -> bool:
            return "A cancellation was asked for" in await line.details(plan.letter)

        await eventually("the cancellation is shown", noted)
        assert (await line.run_of(plan.letter).describe()).status == WorkflowExecutionStatus.RUNNING
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        assert (await line.run_of(plan.letter).result()).outcome == "CLOSED"


async def test_a_run_survives_its_worker(line: Line) -> None:
    async with line.following():
        async with line.working():
            plan = await line.hub.intake.register()
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        async with line.working():
            assert (await line.run_of(plan.letter).result()).outcome == "CLOSED"
