"""Bodies take places for inspections in turn."""

import asyncio

from services.documents.inspections import Turns


async def test_a_body_with_many_does_not_hold_up_one_with_few() -> None:
    turns, order, release = Turns(2), list[str](), asyncio.Event()

    async def inspect(body: str) -> None:
        async with turns.taken(body):
            order.append(body)
            await release.wait()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for body in "aaaaaaaabc":
            tasks.create_task(inspect(body))
            await asyncio.sleep(0)
        assert order == ["a", "a"]  # a free place is anybody's
        release.set()
    # One of a's waited for a place before the others came; the rest of a's waited behind that one.
    assert order[:5] == ["a", "a", "a", "b", "c"]
    assert order[5:] == ["a"] * 5


async def test_one_that_gives_up_leaves_its_turn_to_the_next() -> None:
    turns, taken = Turns(1), asyncio.Event()

    async def wait() -> None:
        async with turns.taken("a"):
            taken.set()

    async with turns.taken("b"):
        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        for one in waiting[:2]:
            one.cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
    await asyncio.wait_for(waiting[2], 1)
    assert taken.is_set()
