"""What Temporal holds may be lost at any moment: letters go on from what the database says."""

import random
from collections.abc import Collection

import psycopg

from dabir.formats import names
from dabir.formats.statement import Event
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.letters import SENDERS, Kind
from tests.chaos.post import Post
from tests.chaos.traffic import Moment, Traffic
from tests.waiting import until
from workers.start import workflow_id

SENDER, RECIPIENT = SENDERS[0], "sample-bank"


def is_stated(stack: Stack, event: Event, subject: str) -> bool:
    with psycopg.connect(stack.database_url("dabir")) as connection:
        query = "SELECT count(*) FROM ledger.statement WHERE event = %s AND subject = %s"
        return connection.execute(query, (event.value, subject)).fetchone() == (1,)


def test_letters_go_on_after_their_runs_were_terminated(stack: Stack, post: Post, chance: random.Random) -> None:
    """Those of the traffic, and a late one's twice: once nothing but a clock would wake it, once its recipient decides.

    The others travel while the late one's clock runs.
    """
    sent = post.clients[SENDER].send(post.write(SENDER, [RECIPIENT], Kind.LATE))
    letter, run = sent.letter.name, workflow_id(sent.letter.name)
    delivery = names.delivery(letter, 1)
    until("it is available", lambda: is_stated(stack, Event.AVAILABLE, delivery))

    terminate(stack, run)
    moment = chance.choice((Moment.ACKNOWLEDGED, Moment.ACCEPTED, Moment.REFUSING, Moment.ANSWERING))
    with Traffic(post, chance) as traffic:
        traffic.wait_for(moment, 1)
        until("some of its letters' runs are terminated", lambda: terminate_all(stack, traffic.acknowledged()))
        travelled = traffic.finish()
    until("it is flagged as late", lambda: is_stated(stack, Event.ACCEPTANCE_REJECTION_EXPIRY, delivery))

    terminate(stack, run)
    post.clients[RECIPIENT].accept(delivery)
    until("it is closed", lambda: is_stated(stack, Event.CLOSED, letter))
    whole.check(stack, post, travelled)


def terminate(stack: Stack, run: str) -> None:
    """Ends the letter's open run, and returns when it is ended."""
    until("it has a run", lambda: run in faults.runs(stack))
    run_id = faults.runs(stack)[run]
    assert faults.terminate(stack, run, run_id)
    until("the run is ended", lambda: faults.runs(stack).get(run) != run_id)


def terminate_all(stack: Stack, letters: Collection[str]) -> int:
    """Ends the open runs of these letters; how many there were."""
    open_runs, ids = faults.runs(stack), [workflow_id(letter) for letter in letters]
    return sum(faults.terminate(stack, run, open_runs[run]) for run in ids if run in open_runs)


def test_letters_go_on_without_temporals_file(stack: Stack, post: Post, chance: random.Random) -> None:
    moment, times = chance.choice((Moment.SUBMITTING, Moment.ACKNOWLEDGED)), chance.choice((1, 2, 3))
    with Traffic(post, chance) as traffic:
        traffic.wait_for(moment, times)
        killed = faults.delete_temporal(stack)
        travelled = traffic.finish()
    faults.wait_until_back(stack, killed)
    whole.check(stack, post, travelled)
