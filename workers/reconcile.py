"""Every open letter has an open run: what has none is started, whatever ended it.

That is a crash between two lines of ours, an operator who terminated a run, or Temporal's file, lost with all runs. A
closed letter has one as long as somebody is to be told: where that was ended, which only Temporal knows, another tells.
A run that missed a recall is told of it: no clock of its own would look that up before the letter is closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc.aio
from temporalio.client import Client
from temporalio.service import RPCError

from dabir.formats.statement import Event
from dabir.intake.v1.internal_service_pb2 import (
    GetLetterPlanRequest,
    ListOpenLettersRequest,
    ListOpenLettersResponse,
)
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from dabir.workflow.v1.letter_pb2 import FactStated
from services.runtime import logs
from services.runtime.logs import log
from workers.config import WorkerConfig
from workers.failures import is_defect, is_refusal, reason
from workers.start import WORKFLOW, letter_of, start, workflow_id

CALL_SECONDS = 10.0
OPEN_RUNS = f'WorkflowType = "{WORKFLOW}" AND ExecutionStatus = "Running"'
UNTOLD_RUNS = (
    f'WorkflowType = "{WORKFLOW}" AND DabirStage = "CLOSED" AND ExecutionStatus IN ("Terminated", "Failed", "TimedOut")'
)
"""Of closed letters: they were still telling when they were ended."""


class Reconciler:
    """Compares open letters with open runs. Two may run beside each other."""

    def __init__(self, config: WorkerConfig, temporal: Client, intake: grpc.aio.Channel) -> None:
        self._config = config
        self._temporal = temporal
        self._intake = IntakeInternalServiceStub(intake)
        self._followed_up: set[str] = set()
        """Untold runs that have a later one, by run id."""
        self._told_of_recall: set[str] = set()
        """Letters, while the recall is pending: a run takes so many signals and no more."""

    async def run(self) -> None:
        """Reconciles until it is cancelled."""
        await again_and_again(self.reconcile, self._config.reconcile_seconds, "letters_restarted")

    async def reconcile(self) -> int:
        """Starts what has no open run and needs one; returns how many. Raises AioRpcError, RPCError in an outage."""
        # Runs first: a letter registered between the two lists is started twice, which changes nothing.
        running = {run.id async for run in self._temporal.list_workflows(OPEN_RUNS, page_size=1000)}
        started, recall_pending = 0, set[str]()
        async for page in self._open_letters():
            for letter in page.letters:
                if workflow_id(letter) not in running:
                    started += await self._start(letter)
            recall_pending.update(page.recall_pending_letters)
        self._told_of_recall &= recall_pending
        for letter in recall_pending - self._told_of_recall:
            if await self._start(letter, recalled=True):
                self._told_of_recall.add(letter)
        async for run in self._temporal.list_workflows(UNTOLD_RUNS, page_size=1000):
            if run.id not in running and run.run_id not in self._followed_up:
                started += await self._start(letter_of(run.id), untold_run=run.run_id)
        return started

    async def _open_letters(self) -> AsyncIterator[ListOpenLettersResponse]:
        request = ListOpenLettersRequest(page_size=1000)
        while True:
            page = await self._intake.ListOpenLetters(request, timeout=CALL_SECONDS)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _start(self, letter: str, *, untold_run: str = "", recalled: bool = False) -> int:
        """1 if it was started, or runs. One that cannot be does not keep the others.

        `untold_run`: a closed one's, by run id. `recalled`: it is told of that, too.
        """
        try:
            answer = await self._intake.GetLetterPlan(GetLetterPlanRequest(letter=letter), timeout=CALL_SECONDS)
            if answer.plan.state == LETTER_STATE_CLOSED and not untold_run:
                return 0
            recall = FactStated(event=Event.RECALL, subject=letter, sequence=answer.plan.sequence)
            started = await start(self._temporal, self._config.task_queue, answer.plan, recall if recalled else None)
            if untold_run:
                self._followed_up.add(untold_run)
            return int(started)
        except (grpc.aio.AioRpcError, RPCError) as error:
            if not (is_refusal(error) or is_defect(error)):
                raise
            log.error("letter_not_restarted", letter=letter, reason=reason(error))
        except Exception:  # a defect, or a plan with a name that is none
            log.exception("letter_not_restarted", letter=letter, reason="DEFECT")
        return 0


async def again_and_again(reconcile: Callable[[], Awaitable[int]], every_seconds: float, what: str) -> None:
    """Reconciles until it is cancelled; an outage is waited for. `what` is logged with how many were started."""
    while True:
        logs.begin("reconcile")
        try:
            started = await reconcile()
            if started:
                log.warning(what, count=started)
        except (grpc.aio.AioRpcError, RPCError) as error:
            log.warning("reconcile_waits", reason=reason(error))
        await asyncio.sleep(every_seconds)
