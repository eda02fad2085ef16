"""A step's ways: quick where all is well, pending and visible in an outage, parked after a refusal."""

from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, ResendNotification, RetryNow
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp

WHO = {"operator": "operators/night-shift", "reason": "the bank called"}


async def retry(line: Line, letter: str, **fields: str) -> str:
    order = RetryNow(**(WHO | fields))
    answer = await line.run_of(letter).execute_update("RetryNow", order, result_type=OperatorActionResult)
    return str(answer.outcome)


async def resend(line: Line, letter: str, **fields: str) -> str:
    order = ResendNotification(**(WHO | fields))
    answer = await line.run_of(letter).execute_update("ResendNotification", order, result_type=OperatorActionResult)
    return str(answer.outcome)


async def pending(line: Line, letter: str) -> list[str]:
    """The activities an operator sees as pending."""
    described = await line.run_of(letter).describe()
    return [one.activity_type.name for one in described.raw_description.pending_activities]


async def test_in_an_outage_a_step_is_pending_and_goes_on_by_itself(line: Line) -> None:
    line.hub.out("SetRetention")
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirAttention="RETRYING", DabirWaitingOn="hub", DabirStage="REGISTERED")
        assert await pending(line, plan.letter) == ["SetRetention"]
        assert "**In an outage**: retain 1 documents" in await line.details(plan.letter)
        assert plan.deliveries[0].state == states.DELIVERY_STATE_CREATED
        line.hub.mend()
        await line.shows(plan.letter, DabirAttention="NONE", DabirStage="AWAITING_ACCEPTANCE")


async def test_retry_now_ends_the_back_off_and_is_stated(line: Line) -> None:
    line.hub.out("ConsignDeliveries")
    async with line.working(), line.following():
        plan = await line.hub.intake.register()

        async def backs_off() -> bool:
            described = await line.run_of(plan.letter).describe()
            activities = described.raw_description.pending_activities
            return bool(activities) and activities[0].attempt >= 5  # 8 s and more until the next

        await line.shows(plan.letter, DabirAttention="RETRYING")
        await eventually("the back-off has grown", backs_off)
        line.hub.mend()
        began = now()
        outcome = await retry(line, plan.letter)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        assert now() - began < timedelta(seconds=6)
    assert outcome.startswith("Stated: statements/")
    [action] = line.hub.intake.actions.values()
    assert (action.subject, action.action) == (plan.letter, "retry_now")
    assert (action.operator, action.reason) == (WHO["operator"], WHO["reason"])


async def test_a_refusal_parks_until_it_is_put_right(line: Line) -> None:
    line.hub.refuse("SetRetention")
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION", DabirWaitingOn="operator")
        # A refusal never falls back: nothing is pending, nothing is tried again by itself.
        assert await pending(line, plan.letter) == []
        assert line.hub.faults.calls["SetRetention"] == 1
        details = await line.details(plan.letter)
        assert "refused: REFUSAL_ORDERED" in details
        assert "`RetryNow`" in details
        await retry(line, plan.letter)

        async def refused_again() -> bool:
            return line.hub.faults.calls["SetRetention"] == 2

        await eventually("tried once more, and refused", refused_again)
        line.hub.mend()
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        await retry(line, plan.letter)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE", DabirAttention="NONE")


async def test_retention_that_is_not_read_back_parks(line: Line) -> None:
    line.hub.documents.shortened_by = timedelta(days=1)
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        assert "RETENTION_NOT_READ_BACK" in await line.details(plan.letter)
        assert plan.deliveries[0].state == states.DELIVERY_STATE_CREATED
        line.hub.documents.shortened_by = timedelta()
        await retry(line, plan.letter)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")


async def test_an_unusable_plan_parks_and_fails_no_workflow_task(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        del plan.documents[:]
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        assert "PLAN_WITHOUT_RETENTION" in await line.details(plan.letter)
        history = await line.run_of(plan.letter).fetch_history()
        assert not any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)


async def test_clocks_run_on_while_notifications_are_out(line: Line) -> None:
    line.hub.out("Notify")
    async with line.working(), line.following():
        plan = await line.hub.intake.register(
            delivery=lambda delivery: delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(seconds=2)))
        )

        async def flagged() -> bool:
            return plan.deliveries[0].times.late_acceptance

        await eventually("lateness is flagged", flagged)
        assert await line.attribute(plan.letter, "DabirAttention") == "RETRYING"
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        await line.run_of(plan.letter).result()


async def test_a_fact_that_comes_while_its_delivery_is_looked_up_is_not_lost(line: Line) -> None:
    def needs_answer(delivery: DeliveryPlan) -> None:
        delivery.answer_needed = True

    intake = line.hub.intake
    async with line.working(), line.following():
        plan = await intake.register(delivery=needs_answer)
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        line.hub.out("GetLetterPlan")
        await intake.accept(delivery)
        await line.shows(plan.letter, DabirAttention="RETRYING")  # an ordinary activity: signals come in beside it
        intake.may_answer.clear()
        line.hub.mend()
        read = intake.plans_read

        async def was_read() -> bool:
            return intake.plans_read > read

        await eventually("the look-up has read that it was accepted", was_read)
        await intake.answer(delivery)

        async def signalled() -> bool:
            history = await line.run_of(plan.letter).fetch_history()
            return sum(event.HasField("workflow_execution_signaled_event_attributes") for event in history.events) == 2

        await eventually("the answer is told meanwhile", signalled)
        intake.may_answer.set()
        await line.run_of(plan.letter).result()


async def test_one_refused_delivery_holds_up_no_other(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register(3)
        line.hub.intake.no_mailbox.add(plan.deliveries[1].delivery)
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION", DabirStage="REGISTERED")

        async def others_available() -> bool:
            found = [delivery.state for delivery in plan.deliveries]
            return found == [
                states.DELIVERY_STATE_AVAILABLE,
                states.DELIVERY_STATE_CREATED,
                states.DELIVERY_STATE_AVAILABLE,
            ]

        await eventually("the two others are in their mailboxes", others_available)
        line.hub.intake.no_mailbox.clear()
        await retry(line, plan.letter, delivery=plan.deliveries[1].delivery)
        await line.shows(plan.letter, DabirAttention="NONE", DabirStage="AWAITING_ACCEPTANCE")


async def test_an_operator_has_a_recipient_told_again(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        assert f'`ResendNotification` `{{"operator": "…", "reason": "…", "delivery": "{delivery}"}}`' in (
            await line.details(plan.letter)
        )
        outcome = await resend(line, plan.letter, delivery=delivery)
    assert "Endpoints told: 1." in outcome
    told = [kind for kind, _ in line.hub.notifications.types_told(delivery)]
    assert told == ["delivery.available", "delivery.available"]
    [action] = line.hub.intake.actions.values()
    assert (action.subject, action.action) == (delivery, "resend_notification")


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (RetryNow(**WHO), "NOTHING_WAITS"),
        (RetryNow(operator="o"), "OPERATOR_AND_REASON_NEEDED"),
        (RetryNow(reason="r"), "OPERATOR_AND_REASON_NEEDED"),
        (RetryNow(operator="o" * 201, reason="r"), "OPERATOR_AND_REASON_NEEDED"),
        (RetryNow(operator="o", reason="r" * 501), "OPERATOR_AND_REASON_NEEDED"),
        (ResendNotification(**WHO, delivery="letters/x/deliveries/1"), "DELIVERY_NOT_FOUND"),
        (ResendNotification(**WHO), "DELIVERY_NOT_FOUND"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(
    line: Line, order: RetryNow | ResendNotification, reason: str
) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await line.run_of(plan.letter).execute_update(order.DESCRIPTOR.name, order)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == reason
    assert line.hub.intake.actions == {}
    assert len(line.hub.notifications.told) == 1


async def test_an_order_may_be_typed_into_the_ui(line: Line) -> None:
    """The UI and the command line send plain JSON, and can show no other answer."""
    typist = await Client.connect(line.config.temporal_target, namespace=line.config.temporal_namespace)
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        run = typist.get_workflow_handle(line.run_of(plan.letter).id)
        order = WHO | {"delivery": plan.deliveries[0].delivery}
        answer = await run.execute_update("ResendNotification", order)
        assert "Endpoints told: 1." in answer["outcome"]
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.execute_update("ResendNotification", order | {"deliveri": ""})
    refused = caught.value.cause
    assert isinstance(refused, ApplicationError)
    assert 'no field named "deliveri"' in str(refused.cause)


async def test_telling_who_has_nothing_to_do_is_refused(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        delivery = plan.deliveries[0].delivery
        await line.hub.intake.accept(delivery, return_window=timedelta(hours=1))
        await line.shows(plan.letter, DabirStage="RETURN_WINDOW")
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await resend(line, plan.letter, delivery=delivery)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "NOTHING_EXPECTED"
