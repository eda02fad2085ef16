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
from infra.local.stack import Stack
from tests.chaos.waiting import until


def kill(stack: Stack, process: str) -> int:
    """SIGKILL to a process of the stack; returns its id."""
    pid = control.status(stack.directory)[process]["pid"]
    assert pid is not None, f"{process} is not running"
    os.kill(pid, signal.SIGKILL)
    return int(pid)


def wait_until_back(stack: Stack, process: str, killed_pid: int) -> None:
    """Returns when the process runs again, as another one, and everything else is up."""

    def back() -> bool:
        processes = control.status(stack.directory)
        return processes[process]["pid"] != killed_pid and all(one["state"] == "up" for one in processes.values())

    until(f"{process} is back and everything is up", back)


def delete_temporal(stack: Stack) -> int:
    """Kills Temporal and removes its database, and with it every run; returns the process id."""
    pid = kill(stack, "temporal")
    temporal.database(stack.directory / "temporal").unlink()
    return pid


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


def terminate(stack: Stack, workflow_id: str, run_id: str) -> None:
    """Ends a run as an operator may in Temporal's UI."""
    request = TerminateWorkflowExecutionRequest(
        namespace=temporal.NAMESPACE,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        reason="chaos",
    )
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        WorkflowServiceStub(channel).TerminateWorkflowExecution(request, timeout=10)
