"""intake is killed within its one transaction, and between COMMIT and its answer.

Where a kill falls is not left to chance here: PostgreSQL is made to wait at exactly that place.
"""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import SENDERS, Post
from tests.chaos.test_sender import registered
from tests.chaos.traffic import persist
from tests.chaos.waiting import until

SENDER = SENDERS[0]


@contextlib.contextmanager
def in_the_transaction(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """While the block runs, nobody takes a number of the sender's book."""
    held = "SELECT FROM ledger.chain WHERE name = %s FOR UPDATE"
    with connection.transaction():
        assert connection.execute(held, (f"books/{SENDER}/main/out",)).rowcount == 1, "it has sent letters before"
        yield


@contextlib.contextmanager
def after_commit(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """While the block runs, what intake commits is made durable, and it is not told: PostgreSQL waits for a copy."""
    connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    connection.execute("ALTER SYSTEM SET synchronous_commit = local")  # all others are told
    connection.execute("ALTER ROLE intake SET synchronous_commit = on")
    connection.execute("SELECT pg_reload_conf()")
    # A role's setting is read when a connection begins.
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'intake'")
    try:
        yield
    finally:
        connection.execute("ALTER ROLE intake RESET synchronous_commit")
        connection.execute("ALTER SYSTEM RESET synchronous_commit")
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("place", "wait_event", "stays"), [(in_the_transaction, "transactionid", False), (after_commit, "SyncRep", True)]
)
def test_intake_killed(stack: Stack, post: Post, place: Any, wait_event: str, *, stays: bool) -> None:
    """The letter is there wholly (`stays`) or not at all, and sending it again gives one letter."""
    with psycopg.connect(stack.database_url("dabir"), autocommit=True) as holder:
        client, over = post.clients[SENDER], threading.Event()
        client.send(post.write(SENDER, ["second-bank"]))  # so that its book has begun
        entry = post.write(SENDER, ["second-bank"])
        with ThreadPoolExecutor(1) as member:
            try:
                with place(holder):
                    sending = member.submit(lambda: persist(lambda: client.send(entry, resumed=True), over))
                    until(f"intake waits for {wait_event}", lambda: intake_waits(stack, wait_event))
                    pid = faults.kill(stack, "intake")
                    assert not registered(stack, entry.letter), "not yet seen by anybody"
                if stays:
                    until("the committed letter is seen", lambda: registered(stack, entry.letter))
                there = registered(stack, entry.letter)
                sent = sending.result(60)
            finally:
                over.set()
    assert registered(stack, entry.letter) == [(sent.letter.registry_number.text, 1)]
    assert not stays or there == registered(stack, entry.letter)
    faults.wait_until_back(stack, "intake", pid)
    whole.check(stack, post, [])


def intake_waits(stack: Stack, event: str) -> bool:
    """Whether a connection of intake's waits for this (PostgreSQL's wait_event)."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'intake' AND wait_event = %s"
    with psycopg.connect(stack.database_url("dabir")) as connection:
        return connection.execute(query, (event,)).fetchone() != (0,)
