"""kill -9 of every process of the hub in turn, letters under way: what was acknowledged arrives, and exactly once."""

import random

import pytest

from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import Post
from tests.chaos.traffic import Moment, Traffic

MOMENTS = {
    "directory": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
    "documents": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.SAVING),
    "intake": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
    "evidence": (Moment.SUBMITTING, Moment.ACKNOWLEDGED),
    "notifications": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
    "workers": (Moment.SUBMITTING, Moment.ACKNOWLEDGED),
    "temporal": (Moment.SUBMITTING, Moment.ACKNOWLEDGED),
    "postgres": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED, Moment.SAVING),
    "s3": (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.SAVING),
}
"""When each is killed: at moments at which it has work to do."""


@pytest.mark.parametrize("victim", MOMENTS)
def test_killed_under_letters(stack: Stack, post: Post, chance: random.Random, victim: str) -> None:
    moment, times = chance.choice(MOMENTS[victim]), chance.choice((1, 2))
    print(f"{victim} is killed when, for time {times}, {moment.value}")
    with Traffic(post, chance) as traffic:
        traffic.wait_for(moment, times)
        pid = faults.kill(stack, victim)
        travelled = traffic.finish()
    faults.wait_until_back(stack, victim, pid)
    whole.check(stack, post, travelled)
