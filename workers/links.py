"""Every link that is down has an open run that shows how it stands; a run whose link is up is told so, and ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc.aio
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from dabir.formats import names
from dabir.notifications.v1.notifications_pb2 import DownLink, ListDownLinksRequest
from dabir.notifications.v1.notifications_pb2_grpc import NotificationInternalServiceStub
from dabir.workflow.v1 import link_pb2
from workers import link_show
from workers.config import WorkerConfig
from workers.reconcile import CALL_SECONDS, again_and_again

WORKFLOW = link_pb2.LinkWorkflow.DESCRIPTOR.name
LINK_SEEN = link_pb2.LinkSeen.DESCRIPTOR.name
OPEN_RUNS = f'WorkflowType = "{WORKFLOW}" AND ExecutionStatus = "Running"'


def workflow_id(body: str) -> str:
    """`bodies/{body}` → `link/{body}`. Raises FormatError for anything else."""
    return f"link/{names.split_body(body)}"


class LinkReconciler:
    """Compares links that are down with open runs. Two may run beside each other."""

    def __init__(self, config: WorkerConfig, temporal: Client, notifications: grpc.aio.Channel) -> None:
        self._config = config
        self._temporal = temporal
        self._notifications = NotificationInternalServiceStub(notifications)

    async def run(self) -> None:
        """Reconciles until it is cancelled."""
        await again_and_again(self.reconcile, self._config.reconcile_seconds, "links_shown")

    async def reconcile(self) -> int:
        """Starts every down link without an open run, and tells the others; returns how many it started.

        Raises AioRpcError, RPCError in an outage.
        """
        # Runs first: one that another worker starts between the two lists is not taken for one whose link is up.
        runs = {run.id: run.typed_search_attributes async for run in self._temporal.list_workflows(OPEN_RUNS)}
        seen_at = datetime.now(UTC)
        down = {workflow_id(link.body): link async for link in self._down_links()}
        started = 0
        for run, link in down.items():
            if run not in runs:
                await self._start(run, link, seen_at)
                started += 1
            elif not link_show.is_shown(link, runs[run]):
                await self._tell(run, link, seen_at)
        for run in runs.keys() - down.keys():
            await self._tell(run, None, seen_at)
        return started

    async def _down_links(self) -> AsyncIterator[DownLink]:
        request = ListDownLinksRequest(page_size=1000)
        while True:
            page = await self._notifications.ListDownLinks(request, timeout=CALL_SECONDS)
            for link in page.links:
                yield link
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _start(self, run: str, link: DownLink, seen_at: datetime) -> None:
        """Does nothing if it runs. One that ended, however it did, is another incident's, or was terminated."""
        start = link_pb2.LinkWorkflow(link=link)
        start.seen_at.FromDatetime(seen_at)
        await self._temporal.start_workflow(
            WORKFLOW,
            start,
            id=run,
            task_queue=self._config.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=link_show.at_start(link),
            static_summary=link_show.summary(link),
        )

    async def _tell(self, run: str, link: DownLink | None, seen_at: datetime) -> None:
        """None: it is up. A run that ended meanwhile needs no telling."""
        seen = link_pb2.LinkSeen(link=link)
        seen.seen_at.FromDatetime(seen_at)
        try:
            await self._temporal.get_workflow_handle(run).signal(LINK_SEEN, seen)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
