"""What the seed draws, without a stack."""

import random

from tests.chaos.letters import BODIES, Kind, Planned, draw


def drawn(seed: int) -> list[Planned]:
    return draw(random.Random(seed))  # noqa: S311 - a schedule, no secret


def test_a_seed_repeats_its_letters() -> None:
    assert [drawn(seed) for seed in range(100)] == [drawn(seed) for seed in range(100)]
    assert len({tuple(drawn(seed)) for seed in range(100)}) > 90


def test_every_kind_travels_every_time() -> None:
    always = {Kind.QUESTION, Kind.REFUSED, Kind.ORDER, Kind.CIRCULAR, Kind.WRONG_DIGEST}
    for seed in range(100):
        planned = drawn(seed)
        assert {one.kind for one in planned} - {Kind.LETTER, Kind.NOTICE} == always
        assert sum(one.large for one in planned) == 1
        assert all(one.sender not in one.recipients and {one.sender, *one.recipients} <= {*BODIES} for one in planned)
