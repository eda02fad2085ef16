"""The whole stack: everything in the table is up, and everybody's certificates work."""

import psycopg

from dabir.client import Client
from infra.local import control
from infra.local.members import members, profile_folder
from infra.local.settings import events_of
from infra.local.stack import SERVICES, Stack
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
