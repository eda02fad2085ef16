"""Every open letter has an open run: what has none is started, whatever ended it.

That is a crash between two lines of ours, an operator who terminated a run, or Temporal's file, lost with all runs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc.aio
from temporalio.client import Client
from temporalio.service import RPCError

from dabir.intake.v1.internal_service_pb2 import GetLetterPlanRequest, ListOpenLettersRequest
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from services.runtime import logs
from services.runtime.logs import log
from workers.config import WorkerConfig
from workers.failures import is_defect, is_refusal, reason
from workers.start import WORKFLOW, start, workflow_id

CALL_SECONDS = 10.0
OPEN_RUNS = f'WorkflowType = "{WORKFLOW}" AND ExecutionStatus = "Running"'


class Reconciler:
    """Compares open letters with open runs. Two may run beside each other."""

    def __init__(self, config: WorkerConfig, temporal: Client, intake: grpc.aio.Channel) -> None:
        self._config = config
        self._temporal = temporal
        self._intake = IntakeInternalServiceStub(intake)

    async def run(self) -> None:
        """Reconciles until it is cancelled."""
        await again_and_again(self.reconcile, self._config.reconcile_seconds, "letters_restarted")

    async def reconcile(self) -> int:
        """Starts every open letter without an open run; returns how many. Raises AioRpcError, RPCError in an outage."""
        # Runs first: a letter registered between the two lists is started twice, which changes nothing.
        running = {run.id async for run in self._temporal.list_workflows(OPEN_RUNS, page_size=1000)}
        started = 0
        async for letter in self._open_letters():
            if workflow_id(letter) not in running:
                started += await self._start(letter)
        return started

    async def _open_letters(self) -> AsyncIterator[str]:
        request = ListOpenLettersRequest(page_size=1000)
        while True:
            page = await self._intake.ListOpenLetters(request, timeout=CALL_SECONDS)
            for letter in page.letters:
                yield letter
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _start(self, letter: str) -> int:
        """1 if it was started. One that cannot be does not keep the others."""
        try:
            answer = await self._intake.GetLetterPlan(GetLetterPlanRequest(letter=letter), timeout=CALL_SECONDS)
            if answer.plan.state == LETTER_STATE_CLOSED:
                return 0
            await start(self._temporal, self._config.task_queue, answer.plan)
        except (grpc.aio.AioRpcError, RPCError) as error:
            if not (is_refusal(error) or is_defect(error)):
                raise
            log.error("letter_not_restarted", letter=letter, reason=reason(error))
            return 0
        except Exception:  # a defect, or a plan with a name that is none
            log.exception("letter_not_restarted", letter=letter, reason="DEFECT")
            return 0
        return 1


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
