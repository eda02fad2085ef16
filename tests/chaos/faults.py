"""What is done to a running stack."""

import os
import signal
from collections.abc import Iterator

import grpc
from temporalio.api.common.v1.message_pb2 import WorkflowExecution
from temporalio.api.workflow.v1.message_pb2 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1.request_response_pb2 import (
    ListWorkflowExecutionsRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from infra.local import control, temporal
from infra.local.stack import Stack, replica_name
from tests.waiting import RECOVERY_SECONDS, until

Killed = dict[str, int]
"""Processes that were killed: the id that each had, by its name in the stack."""


def copies(stack: Stack, name: str) -> tuple[str, ...]:
    """The processes of a service, or of the workers; a part has one."""
    known = control.status(stack.directory)
    return tuple(replica_name(name, number) for number in (1, 2) if replica_name(name, number) in known)


def kill(stack: Stack, *processes: str) -> Killed:
    """SIGKILL to processes of the stack, to all at one time."""
    known = control.status(stack.directory)
    killed = {process: known[process]["pid"] for process in processes}
    for process, pid in killed.items():
        assert pid is not None, f"{process} is not running"
        os.kill(pid, signal.SIGKILL)
    return killed


def wait_until_back(stack: Stack, killed: Killed, timeout_seconds: float = RECOVERY_SECONDS) -> None:
    """Returns when these run again, as others than were killed, and everything else is up."""

    def back() -> bool:
        known = control.status(stack.directory)
        others = all(known[process]["pid"] != pid for process, pid in killed.items())
        return others and all(process["state"] == "up" for process in known.values())

    until(f"{', '.join(killed)} came back and everything is up", back, timeout_seconds)


def delete_temporal(stack: Stack) -> Killed:
    """Kills Temporal and removes its database, and with it every run."""
    killed = kill(stack, "temporal")
    temporal.database(stack.directory / "temporal").unlink()
    return killed


def runs(stack: Stack) -> dict[str, str]:
    """The open runs of letters, as Temporal lists them: run id by workflow id."""
    return {run.execution.workflow_id: run.execution.run_id for run in _runs(stack, "Running")}


def failed_runs(stack: Stack) -> list[str]:
    """The letters of which a run failed: no outage may do that."""
    return [run.execution.workflow_id for run in _runs(stack, "Failed")]


def _runs(stack: Stack, status: str) -> Iterator[WorkflowExecutionInfo]:
    query = f'WorkflowType = "LetterWorkflow" AND ExecutionStatus = "{status}"'
    request = ListWorkflowExecutionsRequest(namespace=temporal.NAMESPACE, query=query, page_size=1000)
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        yield from WorkflowServiceStub(channel).ListWorkflowExecutions(request, timeout=10).executions


def terminate(stack: Stack, workflow_id: str, run_id: str) -> bool:
    """Ends a run as an operator may in Temporal's UI; False if it had ended by itself."""
    request = TerminateWorkflowExecutionRequest(
        namespace=temporal.NAMESPACE,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        reason="chaos",
    )
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        try:
            WorkflowServiceStub(channel).TerminateWorkflowExecution(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
    return True
