"""A letter's story on a real Temporal: from its statement in the ledger to its closing."""

from datetime import UTC, timedelta

from temporalio.client import WorkflowExecutionStatus

from dabir.common.v1 import manifest_pb2
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp


async def test_registered_letter_is_carried_to_its_closing(line: Line) -> None:
    hub = line.hub
    async with line.working(), line.following(2):
        plan = await hub.intake.register()
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE", DabirWaitingOn="recipient")
        assert hub.documents.retained[plan.documents[0]] == plan.retain_until.ToDatetime(tzinfo=UTC)
        assert hub.notifications.types_told(delivery) == [("delivery.available", "bodies/bank-1")]
        await hub.intake.accept(delivery)
        result = await line.run_of(plan.letter).result()
    assert result.outcome == "CLOSED"
    assert hub.intake.plans[plan.letter].state == states.LETTER_STATE_CLOSED
    assert (await line.run_of(plan.letter).describe()).status == WorkflowExecutionStatus.COMPLETED
    assert await line.attribute(plan.letter, "DabirStage") == "CLOSED"


async def test_an_answer_is_waited_for(line: Line) -> None:
    def needs_answer(delivery: DeliveryPlan) -> None:
        delivery.answer_needed = True
        delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(hours=1)))

    async with line.working(), line.following():
        plan = await line.hub.intake.register(delivery=needs_answer)
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(delivery)
        await line.shows(plan.letter, DabirStage="AWAITING_ANSWER")
        assert await line.attribute(plan.letter, "DabirDueAt") == plan.deliveries[0].times.answer_due.ToDatetime(
            tzinfo=UTC
        )
        await line.hub.intake.answer(delivery)
        await line.run_of(plan.letter).result()


async def test_the_return_window_keeps_a_letter_open(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery, return_window=timedelta(seconds=3))
        await line.shows(plan.letter, DabirStage="RETURN_WINDOW", DabirDueAt=None)
        assert line.hub.faults.calls["CloseLetter"] == 0
        await line.run_of(plan.letter).result()
    assert now() >= plan.deliveries[0].return_until.ToDatetime(tzinfo=UTC)


async def test_a_passed_due_is_flagged_and_never_an_end(line: Line) -> None:
    def due_soon(delivery: DeliveryPlan) -> None:
        delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(seconds=2)))

    async with line.working(), line.following():
        plan = await line.hub.intake.register(delivery=due_soon)
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirAttention="LATE", DabirStage="AWAITING_ACCEPTANCE")
        assert plan.deliveries[0].times.late_acceptance
        told = line.hub.notifications

        async def both_told() -> bool:
            late = {("delivery.late", "bodies/bank-1"), ("delivery.late", "bodies/interior")}
            return late <= set(told.types_told(delivery))

        await eventually("recipient and sender are told that it is late", both_told)
        await line.hub.intake.accept(delivery)
        await line.run_of(plan.letter).result()
    assert await line.attribute(plan.letter, "DabirAttention") == "NONE"


async def test_what_became_available_after_its_due_is_not_asked_about_without_end(line: Line) -> None:
    def due_before(delivery: DeliveryPlan) -> None:
        delivery.times.acceptance_due.CopyFrom(stamp(now() - timedelta(seconds=1)))
        delivery.times.late_acceptance = False

    async with line.working(), line.following():
        plan = await line.hub.intake.register(delivery=due_before)
        line.hub.intake.never_flags.add(plan.letter)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        await line.run_of(plan.letter).result()
    assert line.hub.faults.calls["FlagLate"] <= 1


async def test_recipients_are_reminded_unless_they_acted(line: Line) -> None:
    def reminded(delivery: DeliveryPlan) -> None:
        delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(hours=1)))
        delivery.remind_at.append(stamp(now() + timedelta(seconds=2)))

    async with line.working(), line.following():
        plan = await line.hub.intake.register(2, delivery=reminded)
        waits, acted = (delivery.delivery for delivery in plan.deliveries)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(acted)

        async def was_reminded() -> bool:
            return ("delivery.reminder", "bodies/bank-1") in line.hub.notifications.types_told(waits)

        await eventually("who has not accepted is reminded", was_reminded)
        assert [kind for kind, _ in line.hub.notifications.types_told(acted)] == ["delivery.available"]
        assert [kind for kind, _ in line.hub.notifications.types_told(waits)].count("delivery.reminder") == 1


async def test_what_no_signal_told_of_is_found_out_when_a_reminder_is_due(line: Line) -> None:
    def reminded(delivery: DeliveryPlan) -> None:
        delivery.remind_at.append(stamp(now() + timedelta(seconds=3)))

    async with line.working():
        async with line.following():
            plan = await line.hub.intake.register(delivery=reminded)
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        delivery = plan.deliveries[0].delivery
        await line.hub.intake.accept(delivery, return_window=timedelta(hours=1))
        await line.shows(plan.letter, DabirStage="RETURN_WINDOW")
    assert line.hub.notifications.types_told(delivery) == [("delivery.available", "bodies/bank-1")]


async def test_an_urgent_letter_not_acknowledged_is_shown(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register(urgent_unacked_at=stamp(now() + timedelta(seconds=2)))
        await line.shows(plan.letter, DabirAttention="URGENT_UNACKED")
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        await line.run_of(plan.letter).result()


async def test_an_unfinished_letter_is_closed_at_its_time(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register(close_at=stamp(now() + timedelta(seconds=3)))
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.run_of(plan.letter).result()
    assert plan.state == states.LETTER_STATE_CLOSED
    assert plan.deliveries[0].state == states.DELIVERY_STATE_AVAILABLE


async def test_one_workflow_carries_every_recipient_and_copies_keep_nothing_open(line: Line) -> None:
    def last_two_are_copies(delivery: DeliveryPlan) -> None:
        if int(delivery.delivery.rpartition("/")[2]) > 118:
            delivery.kind = manifest_pb2.RECIPIENT_KIND_COPY

    async with line.working(), line.following(2):
        plan = await line.hub.intake.register(120, delivery=last_two_are_copies)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE", DabirRecipientCount=120)
        assert line.hub.faults.calls["ConsignDeliveries"] == 3
        assert len(line.hub.notifications.told) == 120
        assert len(await line.attribute(plan.letter, "DabirRecipients")) == 20
        for delivery in plan.deliveries[:118]:
            await line.hub.intake.accept(delivery.delivery)
        await line.run_of(plan.letter).result()
    assert line.hub.intake.stated(plan.letter)[-1] == Event.CLOSED
