"""EvidenceInternalService and the sequencer through the real stubs."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration

from dabir.evidence.v1 import evidence_pb2 as pb
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceInternalServiceStub
from infra.local.pki import DevelopmentPki
from services.evidence import sequencer
from tests.conftest import Postgres
from tests.contract.evidence.harness import DEADLINE_SECONDS, Evidence, Follower, config_of, refusal
from tests.waiting import eventually


async def test_a_follower_reads_on_from_its_cursor(evidence: Evidence) -> None:
    letter = await evidence.letter()
    async with Follower(evidence, "one") as one:
        first = await one.follow(max_statements=2)
        assert [(told.position, told.subject) for told in first.statements] == [
            (1, letter),
            (2, f"{letter}/deliveries/1"),
        ]
        assert (first.cursor, first.head, first.lease_held) == (0, 3, False)
        assert {(told.txn, told.sequence) for told in first.statements} == {(letter, 1)}
        assert (await one.follow(max_statements=2)).statements == first.statements, "nothing moved: given again"
        assert await one.advance(0, 2) == 2
        assert [told.position for told in (await one.follow()).statements] == [3]
        assert await one.advance(2, 3) == 3
        assert not (await one.follow()).statements


async def test_a_batch_is_one_holders(evidence: Evidence) -> None:
    await evidence.letter()
    async with Follower(evidence, "one") as one, Follower(evidence, "two") as two:
        await one.follow()
        held = await two.follow()
        assert (held.lease_held, held.lease, list(held.statements)) == (True, "", [])
        stolen = (await one.follow()).lease
        await one.advance(0, 1)
        assert await refusal(two.advance(1, 2, lease="9b2f6b1e-1b7c-4f0c-9a53-0a2a5d3f9f10")) == (
            "ABORTED",
            "LEASE_LOST",
        )
        await one.follow()
        assert await refusal(two.advance(1, 2, lease=stolen)) == ("ABORTED", "LEASE_LOST"), "a newer lease ended it"


async def test_a_lease_that_is_over_is_anyones_and_moves_nothing(evidence: Evidence) -> None:
    await evidence.letter()
    async with Follower(evidence, "one") as one, Follower(evidence, "two") as two:
        await one.follow()
        assert (await two.follow()).lease_held
        evidence.rows(b"UPDATE evidence.cursor SET lease_until = clock_timestamp() RETURNING true")
        assert await refusal(one.advance(0, 1)) == ("ABORTED", "LEASE_LOST")
        assert not (await two.follow()).lease_held
        assert await two.advance(0, 3) == 3


async def test_a_lease_lasts_as_long_as_asked(evidence: Evidence) -> None:
    async with Follower(evidence, "one") as one:
        await one.follow(lease_seconds=300)
    left = evidence.rows(
        b"SELECT extract(epoch FROM lease_until - clock_timestamp()) BETWEEN 240 AND 300 FROM evidence.cursor"
    )
    assert left == [(True,)]


async def test_an_advance_whose_answer_was_lost_is_repeated_without_effect(evidence: Evidence) -> None:
    await evidence.letter()
    async with Follower(evidence, "one") as one:
        await one.follow()
        for _ in range(2):
            assert await one.advance(0, 2, refused={2: "WORKFLOW_REFUSED"}) == 2
        assert await refusal(one.advance(0, 3)) == ("ABORTED", "LEASE_LOST"), "the cursor is not where it says"
    assert evidence.rows(b"SELECT follower, position, reason FROM evidence.refusal") == [
        ("workflows", 2, "WORKFLOW_REFUSED")
    ]


async def test_a_cursor_moves_only_over_what_is_there(evidence: Evidence) -> None:
    await evidence.letter()
    async with Follower(evidence, "one") as one:
        await one.follow()
        for call in (
            one.advance(0, 4),
            one.advance(2, 1),
            one.advance(0, 1, refused={2: "X"}),
            one.advance(1, 2, refused={1: "X"}),
            one.advance(0, 1, lease="not a lease"),
        ):
            assert await refusal(call) == ("INVALID_ARGUMENT", "ADVANCE_INVALID")
        assert (await one.follow()).cursor == 0
    assert evidence.rows(b"SELECT count(*) FROM evidence.refusal") == [(0,)]


async def test_following_needs_a_deadline_and_right_fields(evidence: Evidence) -> None:
    async with evidence.channel("worker") as channel:
        follow = partial(EvidenceInternalServiceStub(channel).Follow, timeout=DEADLINE_SECONDS)
        right: dict[str, Any] = {"follower": "workflows", "holder": "one", "lease_duration": Duration(seconds=1)}
        unhurried = EvidenceInternalServiceStub(channel).Follow(pb.FollowRequest(**right))
        assert await refusal(unhurried) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")
        for wrong in (
            {"follower": "Work flows"},
            {"holder": ""},
            {"lease_duration": None},
            {"lease_duration": Duration(seconds=301)},
            {"max_statements": 1001},
        ):
            request = pb.FollowRequest(**{**right, **wrong})
            assert await refusal(follow(request)) == ("INVALID_ARGUMENT", "REQUEST_INVALID"), wrong


async def test_the_figures_say_how_far_followers_are(evidence: Evidence) -> None:
    await evidence.letter()
    async with Follower(evidence, "one") as one:
        await one.follow()
        await one.advance(0, 1, refused={1: "WORKFLOW_REFUSED"})
    await evidence.letter(numbered=False)
    await evidence.figures.measure(evidence.pool)
    figures = {
        sample.name: sample.value
        for gauge in (
            evidence.figures.lag,
            evidence.figures.refused,
            evidence.figures.position,
            evidence.figures.unnumbered,
        )
        for metric in gauge.collect()
        for sample in metric.samples
    }
    assert figures == {
        "dabir_cursor_lag": 2,
        "dabir_statements_refused": 1,
        "dabir_ledger_position": 3,
        "dabir_ledger_unnumbered": 3,
    }


def numbered(evidence: Evidence, last: int) -> bool:
    return evidence.rows(b"SELECT position FROM ledger.numbering") == [(last,)]


async def test_the_sequencer_outlives_its_connections(
    evidence: Evidence, fresh_postgres: Postgres, tmp_path: Path
) -> None:
    config = config_of(tmp_path, DevelopmentPki(tmp_path / "pki"), fresh_postgres)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(sequencer.run(evidence.pool, config, evidence.figures))
        for letters in (1, 2):
            await evidence.letter(numbered=False)
            await eventually("all is numbered", partial(numbered, evidence, 3 * letters))
            evidence.rows(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'evidence'")
        running.cancel()
