"""How many tries may be under way: each endpoint has its share, all failing ones half, e-mail its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.notifications.domain.endpoint import Endpoint
from services.notifications.places import Places

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def endpoint(body: str = "", *, failing: bool = False, email: bool = False) -> Endpoint:
    """Of a body of its own, unless one is given."""
    made = uuid.uuid4()
    return Endpoint(
        id=made,
        body=body or f"bodies/b{made}",
        url=None if email else "https://hooks.bank.example/",
        email_address="registry@bank.example" if email else None,
        event_types=[],
        clearance=1,
        secret=b"s" * 32,
        created_at=NOW,
        failing_since=NOW if failing else None,
    )


class Taken:
    """Tries that hang until the test ends them."""

    def __init__(self) -> None:
        self.places, self.released, self.tasks = Places(4), asyncio.Event(), list[asyncio.Task[None]]()

    def take(self, where: Endpoint, at_once: int = 32) -> int:
        """As many as there is room for; how many."""
        room = max(0, self.places.free(where, at_once))
        for _ in range(room):
            task = asyncio.create_task(self._hang())
            self.tasks.append(task)
            self.places.take(where, task)
        return room

    async def end(self) -> None:
        self.released.set()
        await asyncio.gather(*self.tasks)

    async def _hang(self) -> None:
        await self.released.wait()


@pytest.fixture
async def taken() -> AsyncIterator[Taken]:
    made = Taken()
    yield made
    await made.end()


async def test_an_endpoint_has_its_share_and_one_place_while_it_fails(taken: Taken) -> None:
    sound, dead = endpoint(), endpoint(failing=True)
    assert [taken.take(sound), taken.take(sound)] == [4, 0]
    assert [taken.take(dead), taken.take(dead)] == [1, 0]


async def test_a_body_has_an_eighth_however_many_endpoints_it_has(taken: Taken) -> None:
    assert sum(taken.take(endpoint("bodies/bank")) for _ in range(20)) == 4
    assert taken.take(endpoint("bodies/interior")) == 4
    assert taken.take(endpoint("bodies/bank", email=True), at_once=4) == 1


async def test_however_many_are_dead_half_of_the_places_are_the_others(taken: Taken) -> None:
    assert sum(taken.take(endpoint(failing=True)) for _ in range(100)) == 16
    assert [taken.take(endpoint()) for _ in range(5)] == [4, 4, 4, 4, 0]


async def test_a_single_place_is_for_failing_ones_too(taken: Taken) -> None:
    assert taken.take(endpoint(failing=True), at_once=1) == 1


async def test_email_takes_no_webhooks_place(taken: Taken) -> None:
    assert sum(taken.take(endpoint(email=True), at_once=8) for _ in range(100)) == 8
    assert taken.take(endpoint()) == 4


async def test_a_look_up_left_behind_keeps_a_place_of_the_failing_ones(taken: Taken) -> None:
    lookups = [asyncio.get_running_loop().create_future() for _ in range(16)]
    for lookup in lookups:  # of endpoints of which nobody has recorded yet that they fail
        taken.places.keep(endpoint(), lookup)
    assert taken.take(endpoint(failing=True)) == 0
    assert [taken.take(endpoint()) for _ in range(5)] == [4, 4, 4, 4, 0]
    assert len(taken.places.tasks()) == 16  # those that end when they are cancelled
    for lookup in lookups:
        lookup.set_result(())
    await asyncio.sleep(0)
    assert taken.take(endpoint(failing=True)) == 1


async def test_a_look_up_left_behind_is_its_endpoints(taken: Taken) -> None:
    dead, lookup = endpoint("bodies/bank", failing=True), asyncio.get_running_loop().create_future()
    taken.places.keep(dead, lookup)
    assert taken.take(dead) == 0
    assert [taken.take(endpoint("bodies/bank")) for _ in range(2)] == [3, 0]
    lookup.set_result(())
    await asyncio.sleep(0)
    assert taken.take(dead) == 1


async def test_a_look_up_left_behind_is_a_failing_one_whatever_its_endpoint_does(taken: Taken) -> None:
    lookups = {one.id: (one, asyncio.get_running_loop().create_future()) for one in [endpoint() for _ in range(16)]}
    for one, lookup in lookups.values():
        taken.places.keep(one, lookup)
    assert [taken.take(one) for one, _ in lookups.values()] == [0] * 16  # sound, as they were listed
    assert taken.take(endpoint(failing=True)) == 0


async def test_half_of_the_places_are_never_of_look_ups_left_behind(taken: Taken) -> None:
    for _ in range(8):
        hanging = endpoint()
        for _ in range(4):  # begun before any of them was left behind
            taken.places.keep(hanging, asyncio.get_running_loop().create_future())
    assert [taken.take(endpoint()) for _ in range(5)] == [4, 4, 4, 4, 0]


async def test_a_place_is_free_again_when_its_try_ends(taken: Taken) -> None:
    sound = endpoint()
    taken.take(sound)
    await taken.end()
    assert taken.places.free(sound, 32) == 4
    assert taken.places.tasks() == []
