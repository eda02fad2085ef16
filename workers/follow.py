"""Ledger → Temporal: each statement that changes a letter's course is told to its workflow, from a cursor of our own.

Any number of followers may run: a batch is leased to one of them. What was told twice changes nothing, so a follower
may die anywhere. A refusal is recorded by evidence and passed; an outage waits.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import grpc.aio
from google.protobuf.duration_pb2 import Duration
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from dabir.evidence.v1.evidence_pb2 import AdvanceRequest, FollowedStatement, FollowRequest, RefusedStatement
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceInternalServiceStub
from dabir.formats.statement import Event
from dabir.intake.v1.internal_service_pb2 import GetLetterPlanRequest
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from dabir.workflow.v1 import letter_pb2
from services.runtime import logs
from services.runtime.logs import log
from workers.config import WorkerConfig
from workers.failures import is_defect, is_refusal, reason
from workers.start import FACT_STATED, start, workflow_id

REGISTERED = Event.SUBMISSION_ACCEPTANCE
COURSE_CHANGING = frozenset(
    {
        Event.CONSIGNMENT_ACCEPTANCE,
        Event.CONSIGNMENT_REJECTION,
        Event.RETURNED,
        Event.ANSWERED,
        Event.RECALL,
        Event.RECALL_ANSWERED,
    }
)
"""Facts that come from outside the workflow and change what it waits for. All others are passed over.

`withdrawn` is what became of a `recall` or of its answer, which are told: the workflow knows it by then.
"""

DEFECT_TRIES = 10
"""A statement that fails by a defect at the other end is refused after so many tries: it must not hold up others."""
CALL_SECONDS = 5.0


class Told(Enum):
    """What came of telling one statement."""

    YES = "YES"
    REFUSED = "REFUSED"
    LATER = "LATER"


@dataclass(frozen=True)
class Outcome:
    """Of one statement."""

    position: int
    told: Told
    reason: str = ""


def progress(cursor: int, outcomes: Sequence[Outcome]) -> tuple[int, list[RefusedStatement]]:
    """How far the cursor may move, and what was refused up to there: nothing that waits is passed."""
    refused: list[RefusedStatement] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.position):
        if outcome.told == Told.LATER:
            break
        if outcome.told == Told.REFUSED:
            refused.append(RefusedStatement(position=outcome.position, reason=outcome.reason))
        cursor = outcome.position
    return cursor, refused


class Follower:
    """One follower. How far all of them are is one of evidence's figures (`dabir_cursor_lag`)."""

    def __init__(
        self, config: WorkerConfig, temporal: Client, evidence: grpc.aio.Channel, intake: grpc.aio.Channel
    ) -> None:
        self._config = config
        self._temporal = temporal
        self._evidence = EvidenceInternalServiceStub(evidence)
        self._intake = IntakeInternalServiceStub(intake)
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{id(self):x}"
        self._at_once = asyncio.Semaphore(config.follow_letters_at_once)
        self._defects: Counter[int] = Counter()
        self._settled: dict[str, Outcome] = {}
        """What came of statements behind one that waits, by name: told at every retry, runs go deaf in the end."""

    async def run(self) -> None:
        """Follows until it is cancelled."""
        while True:
            try:
                pause = await self.follow_once()
            except grpc.aio.AioRpcError as error:
                log.warning("follow_waits", reason=reason(error))
                pause = self._config.follow_retry_seconds
            await asyncio.sleep(pause)

    async def follow_once(self) -> float:
        """Deals with one batch; gives the seconds to wait before the next. Raises AioRpcError: evidence is out."""
        config = self._config
        batch = await self._evidence.Follow(
            FollowRequest(
                follower=config.follower,
                holder=self._holder,
                lease_duration=Duration(seconds=config.follow_lease_seconds),
                max_statements=config.follow_batch,
            ),
            timeout=CALL_SECONDS,
        )
        if batch.lease_held:
            return config.follow_retry_seconds
        if not batch.statements:
            return config.follow_poll_seconds
        self._settled = {name: kept for name, kept in self._settled.items() if kept.position > batch.cursor}
        out_of_time_at = time.monotonic() + config.follow_lease_seconds / 2
        to, refused = progress(batch.cursor, await self._tell_all(batch.statements, out_of_time_at))
        if to == batch.cursor:
            return config.follow_retry_seconds
        request = AdvanceRequest(
            follower=config.follower, lease=batch.lease, **{"from": batch.cursor}, to=to, refused=refused
        )
        await self._evidence.Advance(request, timeout=CALL_SECONDS)
        self._defects.clear()
        goes_on = to == batch.statements[-1].position or time.monotonic() > out_of_time_at
        return 0.0 if goes_on else config.follow_retry_seconds

    async def _tell_all(self, statements: Sequence[FollowedStatement], out_of_time_at: float) -> list[Outcome]:
        """Letters beside each other, each letter's statements in their order, none begun after `out_of_time_at`.

        What is left waits for the next batch: a batch that outlived its lease would be told again, whole, for ever.
        """
        letters: dict[str, list[FollowedStatement]] = {}
        for statement in statements:
            letters.setdefault(_letter(statement), []).append(statement)
        told = (self._tell_letter(of_letter, out_of_time_at) for of_letter in letters.values())
        return [outcome for of_letter in await asyncio.gather(*told) for outcome in of_letter]

    async def _tell_letter(self, statements: Sequence[FollowedStatement], out_of_time_at: float) -> list[Outcome]:
        async with self._at_once:
            outcomes: list[Outcome] = []
            for statement in statements:
                waits = (bool(outcomes) and outcomes[-1].told == Told.LATER) or time.monotonic() > out_of_time_at
                outcomes.append(Outcome(statement.position, Told.LATER) if waits else await self._outcome(statement))
            return outcomes

    async def _outcome(self, statement: FollowedStatement) -> Outcome:
        if (settled := self._settled.get(statement.name)) is not None:
            return settled
        outcome = await self._try_to_tell(statement)
        if outcome.told != Told.LATER:
            self._settled[statement.name] = outcome
        return outcome

    async def _try_to_tell(self, statement: FollowedStatement) -> Outcome:
        position = statement.position
        logs.begin(_letter(statement).rpartition("/")[2], position=str(position))
        try:
            await self._tell(statement)
        except (grpc.aio.AioRpcError, RPCError) as error:
            why = reason(error)
            self._defects[position] += is_defect(error)
            if is_refusal(error) or self._defects[position] >= DEFECT_TRIES:
                log.error("statement_refused", reason=why)
                return Outcome(position, Told.REFUSED, why)
            log.warning("statement_waits", reason=why)
            return Outcome(position, Told.LATER)
        except Exception:  # a defect of ours must not hold up every other letter
            log.exception("statement_refused", reason="DEFECT")
            return Outcome(position, Told.REFUSED, "DEFECT")
        return Outcome(position, Told.YES)

    async def _tell(self, statement: FollowedStatement) -> None:
        letter = _letter(statement)
        if statement.event == REGISTERED:
            await self._start(letter)
        elif statement.event in COURSE_CHANGING:
            fact = letter_pb2.FactStated(event=statement.event, subject=statement.subject, sequence=statement.sequence)
            try:
                await self._temporal.get_workflow_handle(workflow_id(letter)).signal(FACT_STATED, fact)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                # No run is open: with its start, so that nothing is lost between.
                await self._start(letter, fact)

    async def _start(self, letter: str, fact: letter_pb2.FactStated | None = None) -> None:
        """Starts the letter's workflow, unless the letter is closed: then there is nothing left to tell."""
        answer = await self._intake.GetLetterPlan(GetLetterPlanRequest(letter=letter), timeout=CALL_SECONDS)
        if answer.plan.state != LETTER_STATE_CLOSED:
            await start(self._temporal, self._config.task_queue, answer.plan, fact)


def _letter(statement: FollowedStatement) -> str:
    return statement.subject.partition("/deliveries/")[0]
