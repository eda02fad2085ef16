"""The guarded client and names that hang: who owns a name decides how long its look-up takes."""

import asyncio
import gc
import weakref
from threading import Thread
from typing import Any

import pytest

from services.runtime.outgoing import Outgoing, OutgoingFailed
from tests.contract.harness import until
from tests.contract.notifications.receiver import receiving
from tests.contract.notifications.slow_names import SlowNames
from tests.contract.notifications.test_outgoing import outgoing


async def test_names_that_hang_hold_up_no_other(slow: SlowNames) -> None:
    """More of them than are sent at once, all given up: the threads that look them up still hang."""
    async with receiving(verify=False) as receiver, outgoing("127.0.0.0/8", resolve=slow) as client:
        for number in range(8):
            post = asyncio.create_task(client.post(f"http://slow{number}.bank.example:9/", b"{}", {}))
            await slow.hangs(number + 1)
            post.cancel()
            await asyncio.wait([post])
        assert (await client.post(f"http://hooks.bank.example:{receiver.port}/hook", b"{}", {})).status == 200
    assert receiver.hosts == [f"hooks.bank.example:{receiver.port}"]


async def test_a_look_up_that_goes_on_is_told_of(slow: SlowNames) -> None:
    async with outgoing("127.0.0.0/8", resolve=slow, connect_seconds=0.05) as client:
        lookup = await given_up(client)
        assert (lookup.done(), len(slow.threads())) == (False, 1)
        slow.answer.set()
        assert await lookup == ("127.0.0.1",)
    async with outgoing("127.0.0.0/8", resolve=slow) as client:
        with pytest.raises(OutgoingFailed) as caught:
            await client.post("http://slow.bank.example:9/", b"{}", {})
    assert (caught.value.reason, caught.value.lookup) == ("CONNECTION_FAILED", None)


async def test_a_machine_without_threads_is_out_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with outgoing() as client:
        monkeypatch.setattr(Thread, "start", exhausted)
        with pytest.raises(OutgoingFailed) as caught:
            await client.post("https://hooks.bank.example/", b"{}", {})
        monkeypatch.undo()
    assert caught.value.reason == "CONNECTION_FAILED"


async def test_nobody_waits_for_a_look_up_when_the_process_ends(slow: SlowNames) -> None:
    async with outgoing(resolve=slow) as client:
        post = asyncio.create_task(client.post("https://slow.bank.example/", b"{}", {}))
        await slow.hangs()
        assert [thread.daemon for thread in slow.threads()] == [True]
        post.cancel()
        await asyncio.wait([post])


async def test_a_look_up_that_fails_when_it_was_given_up_says_nothing(slow: SlowNames) -> None:
    loop, said = asyncio.get_running_loop(), list[str]()
    slow.addresses = ()
    async with outgoing(resolve=slow, connect_seconds=0.05) as client:
        lookup = await asyncio.create_task(given_up(client))
        gone = weakref.ref(lookup)
        loop.set_exception_handler(lambda _loop, context: said.append(context["message"]))
        try:
            slow.answer.set()
            await asyncio.wait([lookup])
            del lookup  # what failed and nobody asked says so when it is forgotten
            await until(lambda: gc.collect() >= 0 and gone() is None)
        finally:
            loop.set_exception_handler(None)
    assert said == []


async def given_up(client: Outgoing) -> asyncio.Future[Any]:
    """The look-up of a name that hangs, when its try has timed out."""
    with pytest.raises(OutgoingFailed) as caught:
        await client.post("http://slow.bank.example:9/", b"{}", {})
    assert caught.value.reason == "TIMEOUT"
    assert caught.value.lookup is not None
    return caught.value.lookup
