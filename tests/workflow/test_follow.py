"""From the ledger to Temporal: nothing lost, nothing twice, refusals recorded and passed, outages waited for."""

import asyncio
import contextlib
import dataclasses
from datetime import timedelta
from pathlib import Path

import grpc.aio
import psycopg
from temporalio.client import WorkflowExecutionStatus

import workers
from dabir.evidence.v1.evidence_pb2 import FollowedStatement, RefusedStatement
from dabir.intake.v1 import letter_pb2 as states
from tests.conftest import Postgres
from tests.waiting import eventually
from tests.workflow.conftest import Line
from workers.follow import Follower, Outcome, Told, progress


def rows(postgres: Postgres, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.owner_url) as connection:
        return connection.execute(query).fetchall()


def test_the_cursor_passes_what_was_told_or_refused_and_stops_before_what_waits() -> None:
    told = [Outcome(5, Told.YES), Outcome(4, Told.REFUSED, "NO"), Outcome(7, Told.YES), Outcome(6, Told.LATER)]
    assert progress(3, told) == (5, [RefusedStatement(position=4, reason="NO")])
    assert progress(3, [Outcome(4, Told.LATER), Outcome(5, Told.REFUSED, "NO")]) == (3, [])
    assert progress(3, []) == (3, [])


async def test_two_followers_start_each_letter_once(line: Line, fresh_postgres: Postgres) -> None:
    async with line.working(), line.following(2):
        plans = await asyncio.gather(*(line.hub.intake.register() for _ in range(30)))
        for plan in plans:
            await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        for plan in plans:
            await line.hub.intake.accept(plan.deliveries[0].delivery)
        for plan in plans:
            await line.run_of(plan.letter).result()
    for plan in plans:
        runs = [run async for run in line.temporal.list_workflows(f'WorkflowId = "{line.run_of(plan.letter).id}"')]
        assert [run.status for run in runs] == [WorkflowExecutionStatus.COMPLETED]
    assert rows(fresh_postgres, b"SELECT * FROM evidence.refusal") == []


async def test_a_batch_that_takes_longer_than_its_lease_still_gets_on(line: Line, fresh_postgres: Postgres) -> None:
    class Slow(Follower):
        async def _tell(self, statement: FollowedStatement) -> None:
            await asyncio.sleep(0.2)

    for _ in range(15):
        await line.hub.intake.register()
    config = dataclasses.replace(line.config, follow_letters_at_once=1, follow_lease_seconds=2)
    follower = Slow(config, line.temporal, line.hub.channel, line.hub.channel)

    async def all_told() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):  # LEASE_LOST, on a machine that stood still
            await follower.follow_once()
        return rows(fresh_postgres, b"SELECT position FROM evidence.cursor") == [(15,)]

    await eventually("the cursor passes every statement", all_told)


async def test_a_refusal_is_recorded_and_passed(line: Line, fresh_postgres: Postgres) -> None:
    async with line.working(), line.following():
        unknown = await line.hub.intake.register()
        del line.hub.intake.plans[unknown.letter]
        known = await line.hub.intake.register()
        await line.shows(known.letter, DabirStage="AWAITING_ACCEPTANCE")
    assert rows(fresh_postgres, b"SELECT follower, position, reason FROM evidence.refusal") == [
        ("workflows", 1, "LETTER_NOT_FOUND")
    ]


async def test_an_outage_is_waited_for_and_nothing_is_passed(line: Line, fresh_postgres: Postgres) -> None:
    line.hub.out("GetLetterPlan")
    async with line.working(), line.following(2):
        plan = await line.hub.intake.register()

        async def tried() -> bool:
            return line.hub.faults.calls["GetLetterPlan"] >= 3

        await eventually("the followers try again", tried)
        assert rows(fresh_postgres, b"SELECT position FROM evidence.cursor") == [(0,)]
        line.hub.mend()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
    assert rows(fresh_postgres, b"SELECT * FROM evidence.refusal") == []


async def test_one_letter_that_waits_holds_its_place_and_its_order(line: Line) -> None:
    follower = line.follower()
    async with line.working():
        first, second = await line.hub.intake.register(), await line.hub.intake.register()
        line.hub.intake.out_for.add(first.letter)

        async def told_second() -> bool:
            await follower.follow_once()
            return line.hub.notifications.types_told(second.deliveries[0].delivery) != []

        await eventually("the second letter goes on", told_second)
        assert line.hub.notifications.types_told(first.deliveries[0].delivery) == []
        line.hub.intake.out_for.clear()

        async def told_first() -> bool:
            await follower.follow_once()
            return line.hub.notifications.types_told(first.deliveries[0].delivery) != []

        await eventually("the first letter goes on", told_first)


async def test_what_stands_behind_a_letter_that_waits_is_told_once(line: Line) -> None:
    """Temporal takes 10,000 signals in a run, and an outage may last for days."""
    follower = line.follower()
    waiting, hidden, other = [await line.hub.intake.register() for _ in range(3)]
    line.hub.intake.out_for.add(waiting.letter)
    line.hub.intake.hidden.add(hidden.letter)
    await line.hub.intake.accept(other.deliveries[0].delivery)
    for _ in range(5):
        await follower.follow_once()
    events = (await line.run_of(other.letter).fetch_history()).events
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events) == 1
    assert line.hub.faults.calls["GetLetterPlan"] == 2 + 5


async def test_a_defect_at_one_letter_does_not_hold_up_the_rest_for_ever(line: Line, fresh_postgres: Postgres) -> None:
    async with line.working(), line.following():
        broken = await line.hub.intake.register()
        line.hub.intake.broken.add(broken.letter)
        sound = [await line.hub.intake.register() for _ in range(3)]
        await line.shows(sound[-1].letter, DabirStage="AWAITING_ACCEPTANCE")

        async def refused() -> bool:
            return rows(fresh_postgres, b"SELECT reason FROM evidence.refusal") == [("INTERNAL",)]

        await eventually("the statement is refused after some tries", refused)


async def test_a_completed_letter_is_never_repeated_and_counts_as_told(line: Line, fresh_postgres: Postgres) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        delivery = plan.deliveries[0].delivery
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(delivery)
        await line.run_of(plan.letter).result()
        line.hub.intake.plans[plan.letter].state = states.LETTER_STATE_OPEN  # as if intake were behind
        await line.hub.intake.answer(delivery)
        other = await line.hub.intake.register()
        await line.shows(other.letter, DabirStage="AWAITING_ACCEPTANCE")
    runs = [run async for run in line.temporal.list_workflows(f'WorkflowId = "{line.run_of(plan.letter).id}"')]
    assert len(runs) == 1
    assert rows(fresh_postgres, b"SELECT * FROM evidence.refusal") == []


async def test_a_fact_about_a_letter_without_a_run_starts_it(line: Line) -> None:
    plan = await line.hub.intake.register()
    delivery = plan.deliveries[0].delivery
    async with line.working(), line.following():
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.run_of(plan.letter).terminate("a test")
        await line.hub.intake.accept(delivery, return_window=timedelta(hours=1))
        await line.shows(plan.letter, DabirStage="RETURN_WINDOW")
    assert line.hub.faults.calls["Notify"] == 1


async def test_a_run_carries_priority_and_fairness(line: Line) -> None:
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        described = await line.run_of(plan.letter).describe()
    priority = described.raw_description.workflow_execution_info.priority
    assert (priority.priority_key, priority.fairness_key) == (2, "interior")
    summary = await described.static_summary()
    assert summary == "1405/12/345 · urgent · bodies/interior → bodies/bank-1"


def test_the_names_stand_once() -> None:
    """Outside of the messages no workflow, signal or update is named."""
    paths = list(Path(workers.__file__).parent.glob("*.py"))
    assert {"letter.py", "link.py"} <= {path.name for path in paths}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for name in (
            *("LetterWorkflow", "FactStated", "RetryNow", "ResendNotification"),
            *("LinkWorkflow", "LinkSeen", "Pause", "Resume"),
        ):
            assert f'name="{name}"' not in text, path
