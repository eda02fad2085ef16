"""What members state after acceptance, and recalls: every worker is killed between their COMMIT and their telling.

While none runs nothing is told of. Then each letter goes on: who is to be told is told, and what is done is closed.
"""

from contextlib import ExitStack

import psycopg

from dabir.client import Client
from dabir.common.v1.receipt_pb2 import RETURN_REASON_UNREADABLE
from dabir.formats import names
from dabir.formats.statement import Event
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.letters import SENDERS
from tests.chaos.post import Post
from tests.chaos.test_copies import away
from tests.waiting import until

SENDER, RECIPIENT = SENDERS[0], "sample-bank"


def test_what_was_stated_while_no_worker_ran_is_told(stack: Stack, post: Post) -> None:
    sender, recipient = post.clients[SENDER], post.clients[RECIPIENT]
    letters = [sender.send(post.write(SENDER, [RECIPIENT])).letter.name for _ in range(5)]
    returned, unopened, granted, refused, read = letters
    for letter in letters:
        assert post.hooks.wait_for(RECIPIENT, names.delivery(letter, 1), timeout_seconds=60), letter
    for letter in (returned, granted, refused, read):
        recipient.accept(names.delivery(letter, 1))

    with ExitStack() as absent:
        killed: faults.Killed = {}
        for worker in faults.copies(stack, "workers"):
            killed |= absent.enter_context(away(stack, worker))
        decide(sender, recipient, letters)
        assert told(post, letters) == {(RECIPIENT, letter, "delivery.available") for letter in letters}
        assert stated(stack, letters, Event.CLOSED) == set()
        assert stated(stack, letters, Event.WITHDRAWN) == set()
    faults.wait_until_back(stack, killed)

    news = {(RECIPIENT, unopened, "delivery.withdrawn")}
    news |= {(SENDER, letter, "delivery.recall_answered") for letter in (granted, refused)}
    until("who is to be told is told", lambda: news <= told(post, letters))
    until("what is done is closed", lambda: stated(stack, letters, Event.CLOSED) == {returned, unopened, granted})
    assert stated(stack, letters, Event.WITHDRAWN) == {names.delivery(unopened, 1)}
    whole.check(stack, post)


def decide(sender: Client, recipient: Client, letters: list[str]) -> None:
    """Each letter takes another branch; the hub states it at once."""
    returned, unopened, granted, refused, read = letters
    assert recipient.return_delivery(names.delivery(returned, 1), RETURN_REASON_UNREADABLE).by_us
    for letter in (unopened, granted, refused):
        sender.recall(letter, "به اشتباه فرستاده شد")
    assert recipient.answer_recall(names.delivery(granted, 1), grant=True).by_us
    assert recipient.answer_recall(names.delivery(refused, 1), grant=False).by_us
    recipient.mark_read(names.delivery(read, 1), "مدیرعامل")


def told(post: Post, letters: list[str]) -> set[tuple[str, str, str]]:
    """Who was told what of these letters."""
    return {(hook.body, hook.letter, hook.event_type) for hook in post.hooks.hooks() if hook.letter in letters}


def stated(stack: Stack, letters: list[str], event: Event) -> set[str]:
    """The letters or deliveries of which this is stated; once, or it fails."""
    query = (
        "SELECT subject FROM ledger.statement WHERE event = %s AND split_part(subject, '/deliveries/', 1) = ANY (%s)"
    )
    with psycopg.connect(stack.database_url("dabir")) as connection:
        rows = connection.execute(query, (event.value, letters)).fetchall()
    subjects = {subject for (subject,) in rows}
    assert len(subjects) == len(rows)
    return subjects
