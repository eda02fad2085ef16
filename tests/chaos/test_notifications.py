"""Who waits to be told is told, though notifications is killed while it tells."""

import random
from collections import Counter

import psycopg

from dabir.formats import names
from dabir.formats.statement import Event
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.letters import BANKS, SENDERS
from tests.chaos.post import Post
from tests.waiting import until

LETTERS = 3
TOLD = Event.NOTIFICATION_FOR_ACCEPTANCE


def test_recipients_are_told(stack: Stack, post: Post, chance: random.Random) -> None:
    """By one verified webhook or more; that it arrived is stated once."""
    client = post.clients[SENDERS[0]]
    letters = [client.send(post.write(SENDERS[0], BANKS)).letter.name for _ in range(LETTERS)]
    waiting = {names.delivery(letter, place): body for letter in letters for place, body in enumerate(BANKS, 1)}
    count, event = chance.randrange(1, len(waiting)), chance.choice((Event.AVAILABLE, TOLD))
    until("some are told", lambda: len(stated(stack, event).keys() & waiting) >= count)
    killed = faults.kill(stack, *faults.copies(stack, "notifications"))
    until("it is stated of all that they were told", lambda: waiting.keys() <= stated(stack, TOLD).keys())
    assert {stated(stack, TOLD)[delivery] for delivery in waiting} == {1}
    assert waiting.items() <= {hook.delivery: hook.body for hook in post.hooks.hooks()}.items()
    faults.wait_until_back(stack, killed)
    whole.check(stack, post)


def stated(stack: Stack, event: Event) -> Counter[str]:
    """How often this is stated, by subject."""
    with psycopg.connect(stack.database_url("dabir")) as connection:
        rows = connection.execute("SELECT subject FROM ledger.statement WHERE event = %s", (event.value,)).fetchall()
    return Counter(subject for (subject,) in rows)
