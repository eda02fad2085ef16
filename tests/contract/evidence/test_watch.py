"""WatchStatements through the real stubs."""

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from functools import partial

import grpc.aio
import psycopg
import pytest

from dabir.common.v1.manifest_pb2 import CLASSIFICATION_CONFIDENTIAL
from dabir.formats.statement import leaf_entry, verify_statement
from services.evidence import sequencer
from tests.contract.evidence.harness import Evidence, Watch, listing
from tests.contract.harness import until
from tests.integration.ledger.writer import SENDERS, consign, register


async def test_a_stream_gives_what_stands_and_then_what_comes(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "bank") as watch:
        seen = await watch.statements(2)
        await evidence.letter()
        seen += await watch.statements(2)
        assert list((await listing(evidence, "bank")).statements) == seen
    for one in seen:
        assert verify_statement(one.jws, evidence.seal).jti in one.name
        assert len(leaf_entry(one.jws, one.salt)) == 32


async def test_a_stream_is_woken_and_does_not_wait_for_its_heartbeat(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = dataclasses.replace(evidence.config, watch_heartbeat_seconds=3600)
    monkeypatch.setattr(evidence.feed, "_config", never)
    async with Watch(evidence, "bank") as watch:
        assert not (await watch.next()).HasField("statement")
        for _ in range(2):
            await evidence.letter()
            assert len(await watch.statements(2)) == 2


async def test_a_stream_that_is_caught_up_says_how_far_and_says_it_again(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "interior") as watch:
        assert [one.position for one in await watch.up_to(3)] == [1]
        for _ in range(2):
            heartbeat = await watch.next()
            assert (heartbeat.HasField("statement"), heartbeat.position) == (False, 3)


async def test_nobody_is_given_anothers_statements(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "other") as stranger, Watch(evidence, "interior") as sender:
        assert await stranger.up_to(3) == []
        await evidence.letter()
        assert await stranger.up_to(6) == []
        assert {one.subject.count("/deliveries/") for one in await sender.up_to(6)} == {0}


async def test_what_is_classified_is_given_to_the_cleared_only(evidence: Evidence) -> None:
    letter = await evidence.letter(classification=CLASSIFICATION_CONFIDENTIAL)
    async with Watch(evidence, "bank") as uncleared, Watch(evidence, "bank-cleared") as cleared:
        assert await uncleared.up_to(3) == []
        assert {one.subject.partition("/deliveries")[0] for one in await cleared.up_to(3)} == {letter}
        await evidence.letter(classification=CLASSIFICATION_CONFIDENTIAL)
        assert await uncleared.up_to(6) == []
        assert len(await cleared.up_to(6)) == 2


async def test_long_statements_are_all_given(evidence: Evidence) -> None:
    """Pages are then cut before they have as many statements as they may."""
    evidence.put_long_statements(9)
    async with Watch(evidence, "bank") as watch:
        assert [one.position for one in await watch.up_to(9)] == list(range(1, 10))


async def test_every_reader_of_a_body_gets_everything(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "bank") as one, Watch(evidence, "bank") as other:
        first = await one.statements(2), await other.statements(2)
        await evidence.letter()
        second = await one.statements(2), await other.statements(2)
        assert first[0] == first[1]
        assert second[0] == second[1]


async def test_a_stream_goes_on_after_any_break_without_gap_or_repeat(evidence: Evidence) -> None:
    for _ in range(5):
        await evidence.letter()
    whole = list((await listing(evidence, "bank")).statements)
    for taken in range(len(whole) + 1):
        async with Watch(evidence, "bank") as watch:
            seen = await watch.statements(taken)
        async with Watch(evidence, "bank", seen[-1].position if seen else 0) as watch:
            assert seen + await watch.up_to(15) == whole
        await until(lambda: evidence.sample("dabir_watch_streams") == 0)
    async with Watch(evidence, "bank", 4) as from_a_heartbeat:  # position 4 is interior's
        assert await from_a_heartbeat.up_to(15) == whole[2:]


async def test_nothing_is_lost_or_repeated_while_many_state(evidence: Evidence) -> None:
    """The sequencer numbers, two services state and streams come and go, all at once."""

    async def state(letters: int) -> None:
        async with await psycopg.AsyncConnection.connect(evidence.url("intake"), autocommit=True) as connection:
            for _ in range(letters):
                await consign(connection, evidence.ledger, await register(connection, evidence.ledger, SENDERS[0]))

    async def watch(seen: list[int], chunk: int) -> None:
        """A reader that breaks after every `chunk` statements and goes on."""
        while len(seen) < 80:
            async with Watch(evidence, "bank", seen[-1] if seen else 0) as stream:
                seen += [one.position for one in await stream.statements(min(chunk, 80 - len(seen)))]
            await until(lambda: evidence.sample("dabir_watch_streams") < 2)

    readers: list[list[int]] = [[], []]
    async with asyncio.TaskGroup() as tasks:
        numbering = tasks.create_task(sequencer.run(evidence.pool, evidence.config, evidence.figures))
        reading = [tasks.create_task(watch(seen, chunk)) for seen, chunk in zip(readers, (80, 7), strict=True)]
        for letters in (20, 20):
            tasks.create_task(state(letters))
        await asyncio.gather(*reading)
        numbering.cancel()
    whole = [one.position for one in (await listing(evidence, "bank", page_size=500)).statements]
    assert len(whole) == 80
    assert readers == [whole, whole]


async def test_a_revoked_certificate_ends_its_stream_and_no_others(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "bank") as ours, Watch(evidence, "interior") as others:
        await ours.statements(2)
        await others.statements(1)
        evidence.revoke("bank")
        assert await ours.ending() == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
        async with Watch(evidence, "bank") as again:
            assert await again.ending() == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
        await evidence.letter()
        assert len(await others.statements(1)) == 1


async def test_streams_are_limited_by_body_and_in_all(evidence: Evidence) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await (await stack.enter_async_context(Watch(evidence, "bank"))).next()
        async with Watch(evidence, "bank") as fourth:
            assert await fourth.ending() == ("RESOURCE_EXHAUSTED", "WATCH_STREAMS_OF_BODY")
        async with Watch(evidence, "interior") as others:
            await others.next()
            assert evidence.sample("dabir_watch_streams") == 4
            async with Watch(evidence, "other") as one_too_many:
                assert await one_too_many.ending() == ("RESOURCE_EXHAUSTED", "WATCH_STREAMS_FULL")
        await listing(evidence, "bank")
    await until(lambda: evidence.sample("dabir_watch_streams") == 0)
    async with Watch(evidence, "bank") as freed:
        await freed.next()


async def test_a_reader_that_takes_nothing_is_ended_and_its_place_freed(evidence: Evidence) -> None:
    await evidence.letter()
    evidence.put_long_statements(40)  # more than connections buffer
    async with Watch(evidence, "bank") as slow:
        await slow.next()
        await until(lambda: evidence.sample("dabir_watch_streams") == 0)
        assert await slow.ending() == ("RESOURCE_EXHAUSTED", "READER_TOO_SLOW")
        assert evidence.sample("dabir_calls_running") == 0
        assert slow.position < 43
        async with Watch(evidence, "bank", slow.position) as again:
            assert [one.position for one in await again.up_to(43)] == list(range(slow.position + 1, 44))


async def test_a_server_that_stops_ends_its_streams_at_once(evidence: Evidence) -> None:
    await evidence.letter()
    async with Watch(evidence, "bank") as watch:
        await watch.statements(2)
        stopping = asyncio.create_task(evidence.server.stop())
        assert await watch.ending() == ("UNAVAILABLE", "STOPPING")
        await stopping


async def test_the_reader_of_the_ledger_outlives_its_connections(evidence: Evidence) -> None:
    for letters in (1, 2):
        async with await _opened(evidence):
            await evidence.letter()
            await until(partial(_has_read, evidence, 3 * letters))
        evidence.rows(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'evidence'")
        await evidence.pool.check()


async def _opened(evidence: Evidence) -> Watch:
    """Asked again, as the hub says, where a call met one of the connections that were ended: each is met once."""
    while True:
        watch = Watch(evidence, "bank")
        try:
            await watch.next()
        except grpc.aio.AioRpcError as error:
            await watch.__aexit__()
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        else:
            return watch


def _has_read(evidence: Evidence, end: int) -> bool:
    return evidence.feed.head == end


@pytest.mark.parametrize(
    ("after", "refused"),
    [
        (-1, ("INVALID_ARGUMENT", "REQUEST_INVALID")),
        (4, ("FAILED_PRECONDITION", "POSITION_AHEAD")),
        (2**63 - 1, ("FAILED_PRECONDITION", "POSITION_AHEAD")),
    ],
)
async def test_a_position_that_was_never_given_is_refused(
    evidence: Evidence, after: int, refused: tuple[str, str]
) -> None:
    await evidence.letter()
    async with Watch(evidence, "bank", after) as watch:
        assert await watch.ending() == refused


async def test_who_may_watch(evidence: Evidence) -> None:
    refusals = {"worker": "PERMISSION_DENIED", "nobody": "PERMISSION_DENIED", "unlisted": "UNAUTHENTICATED"}
    for who, code in refusals.items():
        async with Watch(evidence, who) as watch:
            assert (await watch.ending())[0] == code, who
