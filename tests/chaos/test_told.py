"""Last of these files: after all that was done to the hub, every recipient was told of every delivery."""

import random

from infra.local.stack import Stack
from tests.chaos import whole
from tests.chaos.post import Post
from tests.chaos.traffic import Traffic

CLAIM_SECONDS = 60.0
"""What a killed notifications had begun to send goes out again so much later (its `webhook_claim_seconds`)."""


def test_every_recipient_was_told(stack: Stack, post: Post, chance: random.Random) -> None:
    with Traffic(post, chance) as traffic:
        travelled = traffic.finish()
    whole.check(stack, post, travelled)
    for delivery, body in post.arrived.items():
        told = post.hooks.wait_for(body, delivery, timeout_seconds=CLAIM_SECONDS + 30)
        assert told, f"{body} was not told of {delivery}"
    assert not post.hooks.unverified
