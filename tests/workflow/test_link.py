"""One line for one incident of a body's link: how it stands, what an operator does about it, and its end."""

import grpc.aio
import pytest
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateStage,
)

from dabir.notifications.v1.notifications_pb2 import DownLink
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, RetryNow
from dabir.workflow.v1.link_pb2 import Pause, Resume
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.incident import WHO, Incident
from tests.workflow.small_intake import now, stamp
from workers import link


@pytest.fixture
def incident(line: Line) -> Incident:
    return Incident(line)


async def test_a_link_that_is_down_is_one_line_until_it_is_up(line: Line, incident: Incident) -> None:
    others = [Incident(line) for _ in range(3)]
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN", DabirAttention="LINK_DOWN", DabirWaitingCount=3)
        described = await incident.run.describe()
        assert (await described.static_summary() or "").startswith(f"link of {incident.body} · since 2")
        found = {pair.key.name: pair.value for pair in described.typed_search_attributes}
        assert found["DabirRecipients"] == [incident.body]
        assert stamp(found["DabirSince"]) == incident.stands.since
        details = await incident.details()
        assert "### Down: what is sent there fails" in details
        assert "**3** notifications wait; the oldest is of " in details
        assert '- update `Pause` `{"operator": "…", "reason": "…"}`' in details
        for other in others:
            await other.shows(DabirStage="LINK_DOWN")
        incident.stands.waiting = 40
        await incident.shows(DabirWaitingCount=40)
        incident.up()
        await incident.shows(DabirStage="LINK_UP", DabirAttention="NONE", DabirWaitingOn="nobody", DabirWaitingCount=0)
        assert (await incident.run.result()).outcome == "UP"
        assert (await others[0].run.describe()).status == WorkflowExecutionStatus.RUNNING


async def test_how_it_stands_is_said_only_when_it_is_news(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")

        async def nothing_started() -> bool:
            return await line.links.reconcile() == 0

        await eventually("Temporal's list of runs, which lags behind them, has it", nothing_started)
        before = len((await incident.run.fetch_history()).events)
        for _ in range(5):
            assert await line.links.reconcile() == 0
        assert len((await incident.run.fetch_history()).events) == before


async def test_an_operator_pauses_and_resumes_a_link(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        outcome = await incident.order(Pause(**WHO))
        await incident.shows(DabirStage="LINK_PAUSED", DabirWaitingOn="operator", DabirAttention="LINK_PAUSED")
        assert incident.stands.HasField("pause_time")
        assert '- update `Resume` `{"operator": "…", "reason": "…", "ratePerMinute": 60}`' in await incident.details()
        await incident.order(Resume(**WHO, rate_per_minute=30))
        await incident.shows(DabirStage="LINK_DOWN")
        # The same update id in this incident is this order; Temporal itself does not take it twice.
        await incident.order(Pause(**WHO), update_id="again")
        await incident.order(Pause(**WHO), update_id="again")
    assert outcome.startswith("Stated: statements/")
    actions = [(one.action, one.subject, one.operator, one.reason) for one in line.hub.intake.actions.values()]
    named = (incident.body, WHO["operator"], WHO["reason"])
    assert actions == [("pause_link", *named), ("resume_link", *named), ("pause_link", *named)]
    rates = [getattr(order, "rate_per_minute", None) for order in line.hub.notifications.orders.values()]
    assert rates == [None, 30, None]


async def test_an_order_that_makes_no_sense_is_refused(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        assert await incident.refused(Pause(operator="o")) == "OPERATOR_AND_REASON_NEEDED"
        assert await incident.refused(Pause(operator="o\u202e", reason="r")) == "BIDI_CHARACTER"
        assert await incident.refused(Resume(**WHO)) == "LINK_NOT_PAUSED"
        assert await incident.refused(Resume(**WHO, rate_per_minute=-1)) == "RATE_NOT_ALLOWED"
        assert await incident.refused(Resume(**WHO, rate_per_minute=60_001)) == "RATE_NOT_ALLOWED"
        # Paused by another's hand, which the run does not know yet: notifications refuses, and nothing is stated.
        incident.stands.pause_time.CopyFrom(stamp(now()))
        assert await incident.refused(Pause(**WHO)) == "LINK_PAUSED"
        await incident.shows(DabirStage="LINK_PAUSED")
        assert await incident.refused(Pause(**WHO)) == "LINK_PAUSED"
    assert line.hub.intake.actions == {}
    assert line.hub.notifications.orders == {}


async def test_an_order_is_carried_out_and_stated_through_outages(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        line.hub.out("PauseLink", "RecordOperatorAction")
        ordered = await incident.run.start_update(
            "Pause", Pause(**WHO), wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=OperatorActionResult
        )
        await incident.shows(DabirAttention="RETRYING", DabirWaitingOn="hub")
        assert "**In an outage**: pause the link" in await incident.details()
        line.hub.mend()
        line.hub.refuse("RecordOperatorAction")
        await incident.shows(DabirStage="LINK_PAUSED", DabirAttention="NEEDS_ATTENTION")
        incident.up()  # it ends when the order is stated, not before
        await incident.shows(DabirStage="LINK_UP", DabirAttention="NEEDS_ATTENTION")
        line.hub.mend()
        await incident.order(RetryNow(**WHO))
        assert (await ordered.result()).outcome.startswith("Stated: ")
        assert (await incident.run.result()).outcome == "UP"
    assert sorted(action.action for action in line.hub.intake.actions.values()) == ["pause_link", "retry_now"]


async def test_a_terminated_run_starts_again_and_the_next_incident_is_another(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        await incident.order(Pause(**WHO), update_id="mine")
        await incident.run.terminate("a test")

        async def started() -> bool:
            return await line.links.reconcile() == 1

        await eventually("the link has a run again", started)
        await incident.shows(DabirStage="LINK_PAUSED")
        await incident.run.cancel()

        async def noted() -> bool:
            return "A cancellation was asked for" in await incident.details()

        await eventually("a cancellation is noted and ignored", noted)
        incident.up()
        await incident.shows(DabirStage="LINK_UP")
        await incident.run.result()
        # Down again a day later: the same id, and an update id used again is another order.
        incident.stands.ClearField("pause_time")
        incident.stands.since.CopyFrom(stamp(now()))
        line.hub.notifications.links[incident.body] = incident.stands
        await incident.shows(DabirStage="LINK_DOWN")
        await incident.order(Pause(**WHO), update_id="mine")
    assert len(line.hub.notifications.orders) == 2
    assert len(line.hub.intake.actions) == 2


async def test_what_was_read_before_is_not_taken_for_news(line: Line, incident: Incident) -> None:
    """A worker read that the link is not paused, and says so after it was."""
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        read_at = now()
        await incident.order(Pause(**WHO))
        stale = DownLink()
        stale.CopyFrom(incident.stands)
        stale.ClearField("pause_time")
        await line.links._tell(incident.run.id, stale, read_at)
        described = await incident.run.describe()
        assert "Paused at " in await incident.details()
        assert described.status == WorkflowExecutionStatus.RUNNING


async def test_an_incident_of_weeks_goes_on_as_a_new_run(
    line: Line, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "EVENTS_MAX", 20)
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        first = (await incident.run.describe()).run_id
        for waiting in range(10, 20):
            incident.stands.waiting = waiting
            await incident.shows(DabirWaitingCount=waiting)
        described = await incident.run.describe()
        assert described.run_id != first
        assert described.status == WorkflowExecutionStatus.RUNNING
        assert {pair.key.name: pair.value for pair in described.typed_search_attributes}["DabirRecipients"] == [
            incident.body
        ]
        incident.up()
        await incident.shows(DabirStage="LINK_UP")


async def test_an_outage_of_notifications_ends_no_run(line: Line, incident: Incident) -> None:
    async with line.working():
        await incident.shows(DabirStage="LINK_DOWN")
        incident.up()
        line.hub.out("ListDownLinks")
        with pytest.raises(grpc.aio.AioRpcError):
            await line.links.reconcile()
        assert (await incident.run.describe()).status == WorkflowExecutionStatus.RUNNING
