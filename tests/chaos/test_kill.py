"""kill -9 of every process of the hub in turn, letters under way: what was acknowledged arrives, and exactly once.

A service is killed with all its copies: it is gone until it is started again. Of one copy alone see test_copies.py.
"""

import random

import pytest

from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import Post
from tests.chaos.traffic import Moment, Traffic

MOMENTS = {
    "directory": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
    "documents": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.SAVING),
    "intake": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED, Moment.REFUSING, Moment.ANSWERING),
    "evidence": (Moment.SUBMITTING, Moment.ACKNOWLEDGED),
    "notifications": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
    "workers": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ANSWERING),
    "temporal": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.REFUSING),
    "postgres": (Moment.UPLOADING, Moment.ACKNOWLEDGED, Moment.ACCEPTED, Moment.SAVING, Moment.ANSWERING),
    "s3": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.SAVING),
}
"""When each is killed: at moments at which it has work to do."""
MOST_TIMES = {Moment.REFUSING: 1, Moment.ANSWERING: 1}
"""How often that is certain to happen."""


@pytest.mark.parametrize("victim", MOMENTS)
def test_killed_under_letters(stack: Stack, post: Post, chance: random.Random, victim: str) -> None:
    moment, times = chance.choice(MOMENTS[victim]), chance.choice((1, 2))
    times = min(times, MOST_TIMES.get(moment, times))
    with Traffic(post, chance) as traffic:
        traffic.wait_for(moment, times)
        killed = faults.kill(stack, *faults.copies(stack, victim))
        travelled = traffic.finish()
    faults.wait_until_back(stack, killed)
    whole.check(stack, post, travelled)
