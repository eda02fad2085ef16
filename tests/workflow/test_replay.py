"""Letters under way survive a change of the code: saved histories replay, and a story without its cache goes on.

A change of story that breaks a saved history needs `workflow.patched`. `python -m tests.workflow.record` saves today's.
"""

import asyncio
import dataclasses
import itertools
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from dabir.common.v1 import manifest_pb2
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, ResendNotification, RetryNow
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp
from tests.workflow.stories import STORIES
from tests.workflow.test_closing import second_is_copy
from workers.converter import DATA_CONVERTER
from workers.worker import WORKFLOW_RUNNER, WORKFLOWS

SAVE = "DABIR_SAVE_HISTORIES"
"""In the environment: a folder. Histories of what is played here are saved in it."""
FOLDER = Path(__file__).parents[1] / "histories"
HISTORIES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}


async def replay(history: WorkflowHistory) -> None:
    """Raises when today's code would have done otherwise."""
    await Replayer(workflows=WORKFLOWS, workflow_runner=WORKFLOW_RUNNER, data_converter=DATA_CONVERTER).replay_workflow(
        history
    )


def test_a_history_of_every_story_is_kept() -> None:
    assert {"letter", "told-after-closing", *STORIES} <= {name.rpartition("-")[0] for name in HISTORIES}


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_saved_history_replays(name: str) -> None:
    await replay(WorkflowHistory.from_json(f"saved/{name}", HISTORIES[name]))


async def test_a_history_of_another_story_does_not() -> None:
    """The fault that these tests must catch: code that does something else than it did."""
    said = json.loads(HISTORIES["letter-1"])
    timer = next(event for event in said["events"] if "timerStartedEventAttributes" in event)
    timer["eventType"] = "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    timer["activityTaskScheduledEventAttributes"] = {"activityId": "1", "activityType": {"name": "Notify"}}
    del timer["timerStartedEventAttributes"]
    with pytest.raises(workflow.NondeterminismError):
        await replay(WorkflowHistory.from_json("letter/changed", json.dumps(said)))


async def test_every_story_replays_as_it_was_played(line: Line) -> None:
    """Beside each other."""
    async with line.working(), line.following():
        runs = await asyncio.gather(*(story(line) for story in STORIES.values()))
        await asyncio.gather(*(run.result() for run in runs))
    for name, run in zip(STORIES, runs, strict=True):
        history = await run.fetch_history()
        await replay(history)
        save(name, history)


async def test_an_eventful_letter_replays_as_it_was_played(line: Line) -> None:
    """Three recipients; an outage, a refusal, a retry; late, reminded, told again; cancelled; answered."""

    def clocks(delivery: DeliveryPlan) -> None:
        delivery.answer_needed = True
        delivery.times.acceptance_due.CopyFrom(stamp(now() + timedelta(seconds=6)))
        delivery.times.answer_due.CopyFrom(stamp(now() + timedelta(hours=1)))
        delivery.remind_at.append(stamp(now() + timedelta(seconds=5)))

    hub = line.hub
    hub.out("SetRetention")
    # Without a cache every workflow task plays the whole history again.
    line.config = dataclasses.replace(line.config, workflow_cache=0)
    async with line.working(), line.following():
        plan = await hub.intake.register(3, delivery=clocks, priority=manifest_pb2.PRIORITY_IMMEDIATE)
        run = line.run_of(plan.letter)
        first, second, third = (delivery.delivery for delivery in plan.deliveries)
        await line.shows(plan.letter, DabirAttention="RETRYING")
        hub.mend()
        hub.refuse("ConsignDeliveries")
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION")
        hub.mend()
        order = RetryNow(operator="operators/night-shift", reason="mended")
        await run.execute_update("RetryNow", order, result_type=OperatorActionResult)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await hub.intake.accept(first)
        await run.cancel()
        await line.shows(plan.letter, DabirAttention="LATE")
        resend = ResendNotification(operator="operators/night-shift", reason="asked by phone", delivery=second)
        await run.execute_update("ResendNotification", resend, result_type=OperatorActionResult)
        for delivery in (second, third):
            await hub.intake.accept(delivery)
        for delivery in (first, second, third):
            await hub.intake.answer(delivery)

        async def closed() -> bool:
            return bool(await line.attribute(plan.letter, "DabirStage") == "CLOSED")

        await eventually("the letter closes", closed)
        history = await run.fetch_history()
    await replay(history)
    save("letter", history)


async def test_a_closed_letter_that_still_tells_replays_as_it_was_played(line: Line) -> None:
    """A copy that was not told when the letter closed."""
    line.hub.out("Notify")
    async with line.working(), line.following():
        plan = await line.hub.intake.register(2, delivery=second_is_copy)
        await line.shows(plan.letter, DabirStage="AWAITING_ACCEPTANCE")
        await line.hub.intake.accept(plan.deliveries[0].delivery)
        await line.shows(plan.letter, DabirStage="CLOSED", DabirAttention="RETRYING")
        line.hub.mend()
        run = line.run_of(plan.letter)
        await run.result()
    history = await run.fetch_history()
    await replay(history)
    save("told-after-closing", history)


def save(name: str, history: WorkflowHistory) -> None:
    """Beside what is saved, if that was asked for; a line for each event."""
    if SAVE not in os.environ:
        return
    folder = Path(os.environ[SAVE])
    number = next(number for number in itertools.count(1) if not (folder / f"{name}-{number}.json").exists())
    events = [json.dumps(scrubbed(event)) for event in json.loads(history.to_json())["events"]]
    text = '{"events": [\n' + ",\n".join(events) + "\n]}\n"
    (folder / f"{name}-{number}.json").write_text(text, encoding="utf-8")


def scrubbed(said: Any) -> Any:
    """Without what belongs to one machine: stack traces and the worker's identity."""
    if isinstance(said, dict):
        return {
            key: "" if key == "stackTrace" else "worker" if key == "identity" else scrubbed(value)
            for key, value in said.items()
        }
    return [scrubbed(value) for value in said] if isinstance(said, list) else said
