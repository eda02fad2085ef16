"""kill -9 of every process of the hub, letters under way: what was acknowledged arrives, and exactly once.

A service is killed with all its copies: it is gone until it is started again. Of one copy alone see test_copies.py.
Three die in the course of one traffic, the next one maybe before the one before is back.
"""

import random

import pytest

from infra.local import control
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import Post
from tests.chaos.traffic import PHASES, Traffic, draw_moment

TOGETHER_SECONDS = 200.0
"""All of them start at the same time: on a slow machine that takes longer than any of them alone."""
VICTIMS = (
    ("directory", "evidence", "notifications"),
    ("documents", "postgres", "s3"),
    ("intake", "temporal", "workers"),
)
"""By traffic; which of them dies in which of its phases is drawn."""


@pytest.mark.parametrize("victims", VICTIMS, ids=", ".join)
def test_killed_under_letters(stack: Stack, post: Post, chance: random.Random, victims: tuple[str, ...]) -> None:
    killed: faults.Killed = {}
    with Traffic(post, chance) as traffic:
        for victim, phase in zip(chance.sample(victims, len(victims)), PHASES, strict=True):
            traffic.wait_for(*draw_moment(chance, phase))
            killed |= faults.kill(stack, *faults.copies(stack, victim))
        travelled = traffic.finish()
    faults.wait_until_back(stack, killed)
    whole.check(stack, post, travelled)


def test_every_process_killed_at_once_comes_back(stack: Stack, post: Post) -> None:
    killed = faults.kill(stack, *control.status(stack.directory))
    faults.wait_until_back(stack, killed, TOGETHER_SECONDS)
    whole.check(stack, post)
    for client in post.clients.values():
        assert client.bodies()
