"""The whole stack: everything in the table is up, everybody's certificates work, and copies share the work."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dabir.client import Client
from infra.local import control
from infra.local.members import members, profile_folder
from infra.local.settings import events_of
from infra.local.stack import SERVICES, Stack, replica_name
from tests.conftest import Postgres


def client(stack: Stack, number: int) -> Client:
    """The client of the demo's n-th body."""
    return Client.from_profile(profile_folder(stack, members()[number]) / "profile.toml")


def test_every_process_is_up(stack: Stack) -> None:
    processes = control.status(stack.directory)
    assert {name: process["state"] for name, process in processes.items()} == dict.fromkeys(processes, "up")


def test_bodies_call_the_services_with_the_profiles_the_stack_wrote(stack: Stack) -> None:
    for number, member in enumerate(members()):
        with client(stack, number) as dabir:
            assert {one.name for one in dabir.bodies()} >= {one.name for one in members()}
            office = f"{member.name}/offices/"
            assert all(letter.sender_office.startswith(office) for letter in dabir.letters())
            assert all(envelope.recipient_office.startswith(office) for envelope in dabir.envelopes())
            added = {"urn:dabir:event:certificate-added"}
            assert {statement.event for statement in dabir.statements(member.name)} == added


def test_seals_list_the_events_that_the_ledger_lets_their_service_state(postgres: Postgres) -> None:
    with psycopg.connect(postgres.owner_url) as connection:
        rows = connection.execute("SELECT service, uri FROM ledger.event").fetchall()
    assert {(service, event) for service in SERVICES for event in events_of(service)} == set(rows)


@pytest.fixture(scope="module")
def two_of_each(stack_folder: Callable[[str], Path]) -> Iterator[Stack]:
    folder = stack_folder("replicas")
    directory = folder / "state"
    yield control.up(directory, 2)
    control.clean(directory)


def served(stack: Stack, process: str) -> float:
    """How many calls from members the process has served."""
    with urllib.request.urlopen(f"http://{stack.address(f'{process}.metrics')}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = (sample for family in families for sample in family.samples if sample.name == "dabir_calls_total")
    return sum(sample.value for sample in samples if "Health" not in str(sample.labels))


def test_both_copies_of_a_service_see_traffic(two_of_each: Stack) -> None:
    for number in range(8):
        with client(two_of_each, number) as dabir:
            dabir.bodies()
            dabir.bodies()
            list(dabir.letters())
            list(dabir.letters())
    for service in ("directory", "intake"):
        assert all(served(two_of_each, replica_name(service, copy)) > 0 for copy in (1, 2))


def test_every_process_killed_at_once_comes_back(two_of_each: Stack) -> None:
    before = control.status(two_of_each.directory)
    for process in before.values():
        os.kill(process["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 200

    def back() -> bool:
        now = control.status(two_of_each.directory)
        return all(now[name]["state"] == "up" and now[name]["pid"] != before[name]["pid"] for name in before)

    while not back():
        assert time.monotonic() < deadline, control.status(two_of_each.directory)
        time.sleep(0.1)
    with client(two_of_each, 0) as dabir:
        assert dabir.bodies()
        assert list(dabir.letters()) == []
