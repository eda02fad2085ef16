"""A body whose link is down, and the run that shows it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from dabir.notifications.v1.notifications_pb2 import DownLink
from dabir.workflow.v1.letter_pb2 import OperatorActionResult, RetryNow
from dabir.workflow.v1.link_pb2 import LinkWorkflowResult, Pause, Resume
from tests.waiting import eventually
from tests.workflow.conftest import Line
from tests.workflow.small_intake import now, stamp
from workers.links import workflow_id

WHO: dict[str, Any] = {"operator": "operators/night-shift", "reason": "their machine room moves"}


class Incident:
    """A body whose link is down, and the run that shows it."""

    def __init__(self, line: Line) -> None:
        self.line, self.body = line, f"bodies/bank-{uuid.uuid4().hex[:8]}"
        began = now()
        since, oldest = stamp(began - timedelta(minutes=5)), stamp(began - timedelta(minutes=6))
        self.stands = DownLink(body=self.body, since=since, waiting=3, oldest=oldest)
        line.hub.notifications.links[self.body] = self.stands

    @property
    def run(self) -> WorkflowHandle[Any, Any]:
        return self.line.temporal.get_workflow_handle(workflow_id(self.body), result_type=LinkWorkflowResult)

    def up(self) -> None:
        del self.line.hub.notifications.links[self.body]

    async def shows(self, **attributes: object) -> None:
        """Wait until these search attributes have these values, telling the run meanwhile how the link stands."""

        async def shown() -> bool:
            await self.line.links.reconcile()
            try:
                found = (await self.run.describe()).typed_search_attributes
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                return False  # not started yet
            return attributes.items() <= {pair.key.name: pair.value for pair in found}.items()

        await eventually(f"the link of {self.body} shows {attributes}", shown)

    async def details(self) -> str:
        metadata = await self.run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)

    async def order(self, order: Pause | Resume | RetryNow, update_id: str | None = None) -> str:
        answer = await self.run.execute_update(
            order.DESCRIPTOR.name, order, id=update_id, result_type=OperatorActionResult
        )
        return str(answer.outcome)

    async def refused(self, order: Pause | Resume) -> str:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await self.order(order)
        assert isinstance(caught.value.cause, ApplicationError)
        return str(caught.value.cause.type)
