"""intake is killed within the one transaction that registers a reply, and between its COMMIT and the answer.

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
from tests.chaos.letters import SENDERS, Kind
from tests.chaos.post import Post
from tests.chaos.test_sender import registered
from tests.chaos.traffic import Travelled, persist
from tests.waiting import until

SENDER, ASKER = SENDERS[0], "second-bank"


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
    ("place", "waits", "stays"),
    [(in_the_transaction, ("ledger.lock", "transactionid"), False), (after_commit, ("COMMIT", "SyncRep"), True)],
)
def test_intake_killed(stack: Stack, post: Post, place: Any, waits: tuple[str, str], *, stays: bool) -> None:
    """The reply is there wholly (`stays`) or not at all; sending it again gives one letter, and one answer.

    `waits`: the SQL that intake waits in, and for what (PostgreSQL's wait_event).
    """
    with psycopg.connect(stack.database_url("dabir"), autocommit=True) as holder:
        client, over = post.clients[SENDER], threading.Event()
        # Its book has begun, and nothing else is left to do for intake.
        before = client.send(post.write(SENDER, [ASKER])).letter.name
        until("an earlier letter is available", lambda: is_available(holder, before))
        question = Travelled(Kind.QUESTION, ASKER, (SENDER,), post.write(ASKER, [SENDER], Kind.QUESTION))
        question.sent = post.clients[ASKER].send(question.entry)
        asked = take_in(holder, post, question)
        entry = post.write(SENDER, [ASKER], Kind.REPLY, answers=asked)
        reply = question.replies[asked] = Travelled(Kind.REPLY, SENDER, (ASKER,), entry)
        with ThreadPoolExecutor(1) as member:
            try:
                with place(holder):
                    sending = member.submit(lambda: persist(lambda: client.send(entry, resumed=True), over))
                    until(f"intake waits in {waits}", lambda: serving(stack, *waits))
                    backends = serving(stack, *waits)
                    killed = faults.kill(stack, *faults.copies(stack, "intake"))
                    assert not registered(stack, entry.letter), "not yet seen by anybody"
                until("PostgreSQL ends what the killed one began", lambda: not backends & serving(stack))
                there = registered(stack, entry.letter)
                sent = reply.sent = sending.result(60)
            finally:
                over.set()
        assert registered(stack, entry.letter) == [(sent.letter.registry_number.text, 1)]
        assert not stays or there == registered(stack, entry.letter), "sent again, it got its first number"
        faults.wait_until_back(stack, killed)
        take_in(holder, post, reply)
    whole.check(stack, post, [question, reply])


def take_in(connection: psycopg.Connection[Any], post: Post, letter: Travelled) -> str:
    """Its one recipient signs for it and saves it, as soon as it is available; returns the delivery."""
    ((delivery, body),) = letter.deliveries().items()
    until("it is available", lambda: is_available(connection, letter.name))
    letter.decided[delivery] = post.clients[body].accept(delivery)
    post.clients[body].save(delivery, post.folder / delivery.replace("/", "-"))
    return delivery


def is_available(connection: psycopg.Connection[Any], letter: str) -> bool:
    query = "SELECT count(*) FROM intake.delivery WHERE letter = %s AND available_at IS NOT NULL"
    return connection.execute(query, (letter,)).fetchone() == (1,)


def serving(stack: Stack, sql: str = "", event: str = "") -> set[int]:
    """The PostgreSQL processes that serve intake; those in this SQL that wait for this event, where one is named."""
    query = """
        SELECT pid FROM pg_stat_activity
        WHERE usename = 'intake' AND position(%(sql)s IN query) > 0 AND %(event)s IN ('', wait_event)
        """
    with psycopg.connect(stack.database_url("dabir")) as connection:
        rows = connection.execute(query, {"sql": sql, "event": event}).fetchall()
    return {pid for (pid,) in rows}
