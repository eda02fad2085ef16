"""Incidents of the hub: a part is down, a release is wrong, one sender sends more than its share."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

from infra.local.settings import config_file
from services.runtime.channel import open_channel
from services.runtime.config import load
from tests.chaos.faults import runs
from tests.incidents.hub import NOTICE, Hub
from tests.incidents.page import Page
from tests.incidents.test_letters import NO_LINES, workflow_id
from tests.incidents.ui import Ui
from tests.waiting import until
from workers.config import WorkerConfig
from workers.connection import connect
from workers.follow import Follower

FLOOD, SHARE = 60, 10


def test_s3_is_down(hub: Hub, ui: Ui) -> None:
    """Before the letter's documents are retained."""
    with ExitStack() as over:
        with hub.workers_held():
            letter = hub.send("prosecutor", ["sample-bank"])
            over.enter_context(hub.outage("s3", "s3.s3"))
        see_outage(hub, ui, letter, "s3", "Port allocation failed")
    see_it_over(hub, ui, letter)


def test_postgresql_is_down(hub: Hub, ui: Ui) -> None:
    """While the letter's due passes."""
    letter = hub.send("prosecutor", ["sample-bank"], NOTICE)
    until("it is in the mailbox", lambda: hub.standing("prosecutor", letter).times.HasField("available_at"))
    with hub.outage("postgres", "postgres"):
        see_outage(hub, ui, letter, "postgres", "Address already in use")
    see_it_over(hub, ui, letter)


def see_outage(hub: Hub, ui: Ui, letter: str, part: str, says: str) -> None:
    """By the page's first commands in the log of the part, which tell before any step has waited; and in the UI."""
    page = Page("outage")
    ui.open(page.queries[0])
    until(f"{part} says why", lambda: says in page.do(0, hub.stack.directory).stdout)
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees(*page.sees)
    ui.picture(f"outage-{part}")


def see_it_over(hub: Hub, ui: Ui, letter: str) -> None:
    """The part is back: by the page's last command the letter goes on."""
    page = Page("outage")
    tried = page.do(1, hub.stack.directory, LETTER=letter)
    assert tried.returncode == 0 or "Nothing waits" in tried.stderr
    ui.open(page.queries[0])
    ui.sees(NO_LINES)
    hub.accept("sample-bank", letter)


def test_a_release_breaks_determinism(hub: Hub, ui: Ui) -> None:
    page = Page("release")
    letter = hub.send("prosecutor", ["sample-bank", "second-bank"])
    hub.accept("sample-bank", letter)
    with hub.changed_release():
        hub.accept("second-bank", letter, 2)
        ui.open(page.queries[0])
        ui.sees(workflow_id(letter))
        ui.picture("release-list")
        ui.follow(workflow_id(letter))
        ui.turn_to("Event History")
        ui.sees(*page.sees)
        ui.picture("release")
    pid = hub.pid("workers")
    assert pid is not None
    assert page.do(0, hub.stack.directory).returncode == 0
    hub.came_back("workers", pid)
    ui.open(page.queries[0])
    ui.sees(NO_LINES)


def test_one_sender_floods_the_hub(hub: Hub, ui: Ui) -> None:
    """Queued with the workers stopped, ten letters of one body are in mailboxes before the 30th of another's sixty."""
    page = Page("flood")
    with hub.workers_held():
        flood = hub.send_many("administration", ["province"], FLOOD)
        others = hub.send_many("economy", ["province"], SHARE)
        with ThreadPoolExecutor(1) as threads:  # the browser has a loop of its own in this thread
            threads.submit(asyncio.run, queue(hub, {*flood, *others})).result()
        ui.open(page.queries[0])
        ui.sees(f"{FLOOD + SHARE} Workflows")
        ui.open(page.queries[1])
        ui.sees(f"{FLOOD} Workflows")
        ui.picture("flood")
    hub.whole()
    counted = page.do(0, hub.stack.directory)
    assert counted.returncode == 0, counted.stderr
    ui.open(page.queries[0])
    ui.sees(NO_LINES)
    ui.picture("flood-over")
    flooded = sorted(available(hub, "administration", letter) for letter in flood)
    assert max(available(hub, "economy", letter) for letter in others) < flooded[FLOOD // 2 - 1]


async def queue(hub: Hub, letters: set[str]) -> None:
    """Has runs of these begun and waiting for a worker, in the order of their registration: workers/follow alone."""
    config = load(WorkerConfig, config_file(hub.stack, "workers"))
    temporal = await connect(config)
    async with (
        open_channel(config, config.evidence_target) as evidence,
        open_channel(config, config.intake_target) as intake,
    ):
        follower = Follower(config, temporal, evidence, intake)
        while not letters <= {f"letters/{run.removeprefix('letter/')}" for run in runs(hub.stack)}:
            await follower.follow_once()


def available(hub: Hub, sender: str, letter: str) -> datetime:
    """When it came into the mailbox."""
    return hub.standing(sender, letter).times.available_at.ToDatetime(UTC)
