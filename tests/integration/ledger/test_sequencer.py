"""Positions: two sequencers race over what eight writers state, while a follower reads on."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from services.evidence import store
from tests.conftest import Postgres
from tests.integration.ledger import raw
from tests.integration.ledger.raw import lock, new_letter

WRITERS, TRANSACTIONS = 8, 60
BOOKS = [f"books/body-{n}/registry/out" for n in range(3)]


def write(url: str, seed: int) -> None:
    """Transactions of two statements each: a number in a shared book, then something about a shared letter's chain."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, no secret
    with psycopg.connect(url) as connection:
        for _ in range(TRANSACTIONS):
            book, body = chance.choice(BOOKS), f"bodies/body-{chance.randrange(3)}"
            letter = new_letter()
            first = lock(connection, sorted([letter, book, body]), events=[raw.REGISTERED])
            pairs = list(zip(first.chains, first.years, first.counts, first.heads, strict=True))
            for subject, events in (([letter, book], [raw.REGISTERED]), ([body], ["urn:dabir:event:book-closed"])):
                some = [pair for pair in pairs if pair[0] in subject]
                chains, years, counts, heads = (list(column) for column in zip(*some, strict=True))
                raw.Raw(subject[0], chains, years, counts, heads, first.stated_at, events).append(connection)
            connection.commit()


async def number(url: str, done: threading.Event) -> int:
    """A sequencer with small batches, so that many of them meet; returns how many it numbered."""
    total = 0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            stopped = done.is_set()
            numbered = await store.number_statements(connection, 5)
            total += numbered
            if stopped and not numbered:
                return total
            await asyncio.sleep(0)


async def follow(url: str, count: int) -> list[int]:
    """Read on from the last position seen until `count` statements came."""
    seen: list[int] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while len(seen) < count:
            seen += [one.position for one in await store.after_cursor(connection, seen[-1] if seen else 0, 50)]
            await asyncio.sleep(0)
    return seen


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_two_sequencers_give_every_statement_one_position_in_the_order_of_its_chains(
    fresh_postgres: Postgres,
) -> None:
    intake, evidence, owner = (fresh_postgres.database_url(role) for role in ("intake", "evidence", "dabir"))
    count, done = WRITERS * TRANSACTIONS * 2, threading.Event()
    with ThreadPoolExecutor(WRITERS) as pool:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            sequencers = [tasks.create_task(number(evidence, done)) for _ in range(2)]
            follower = tasks.create_task(follow(evidence, count))
            await asyncio.gather(*(loop.run_in_executor(pool, write, intake, seed) for seed in range(WRITERS)))
            done.set()
    (first, second), followed = (task.result() for task in sequencers), follower.result()
    assert first + second == count
    assert first, "the first sequencer took part"
    assert second, "the second sequencer took part"
    assert followed == list(range(1, count + 1)), "a follower sees every statement once, in order"
    assert rows(owner, "SELECT count(*), min(position), max(position) FROM ledger.statement") == [(count, 1, count)]
    assert rows(owner, "SELECT position FROM ledger.numbering") == [(count,)]
    backwards = rows(
        owner,
        "SELECT * FROM (SELECT chain, link.sequence, "
        "position - lag(position) OVER (PARTITION BY chain ORDER BY link.sequence) AS step "
        "FROM ledger.link JOIN ledger.statement ON id = statement) AS steps WHERE step < 0",
    )
    assert backwards == [], "within a chain, positions follow the facts"
