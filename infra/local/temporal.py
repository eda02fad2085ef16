"""The local stack's Temporal: a development server on a SQLite file, with the hub's namespace and search attributes.

`command` says how to run it, `set_up` makes it the hub's: to be repeated after every start, since the file may have
been lost with everything in it, and the server's own `--search-attribute` is ignored on a file that exists.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1.common_pb2 import IndexedValueType
from temporalio.api.operatorservice.v1.request_response_pb2 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.workflowservice.v1.request_response_pb2 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from infra.local.child import Command
from infra.parts import temporal_server

NAMESPACE = "dabir"
"""Our own: the server's `default` forgets closed workflows after a day."""
RETENTION_SECONDS = 30 * 24 * 3600
PORTS = ("frontend", "ui", "metrics", "http")
KEYWORD, KEYWORD_LIST = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST
SEARCH_ATTRIBUTES = {
    "DabirSender": KEYWORD,
    "DabirRecipients": KEYWORD_LIST,
    "DabirRecipientCount": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "DabirStage": KEYWORD,
    "DabirWaitingOn": KEYWORD,
    "DabirPriority": KEYWORD,
    "DabirDueAt": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "DabirRegistryNumber": KEYWORD,
    "DabirDefinition": KEYWORD,
    "DabirAttention": KEYWORD,
    "DabirSince": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "DabirWaitingCount": IndexedValueType.INDEXED_VALUE_TYPE_INT,
}


class TemporalError(RuntimeError):
    """Temporal could not be made ready; the message says what it answered last."""


def database(directory: Path) -> Path:
    """The server's file. Beside it stand `-wal` and `-shm`; the three belong together."""
    return directory / "temporal.db"


def prepare(directory: Path) -> None:
    """Makes the folder. Where the database was deleted the server starts anew: SQLite drops a log left beside it."""
    directory.mkdir(parents=True, exist_ok=True)


def command(directory: Path, ports: Mapping[str, int]) -> Command:
    """The server in the foreground on loopback; `ports` holds one for each of PORTS. SIGTERM stops it.

    One task queue partition: with the default four a poller can wait 5 s at an empty one, a task in another.
    What is answered is on disk: PostgreSQL keeps that a fact was told, so a power cut must not take it from here.
    """
    flags = ["--ip", "127.0.0.1", "--port", str(ports["frontend"]), "--ui-port", str(ports["ui"])]
    flags += ["--metrics-port", str(ports["metrics"]), "--http-port", str(ports["http"]), "--ui-disable-news-fetch"]
    flags += ["--db-filename", str(database(directory)), "--log-level", "warn"]
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        flags += ["--sqlite-pragma", pragma]
    for setting in (
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
        "matching.enableFairness=true",
        'history.timerProcessorMaxTimeShift="50ms"',
        # A worker reports a failed task once and lets its repetitions time out: an operator would see it a minute late.
        "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1",
    ):
        flags += ["--dynamic-config-value", setting]
    # A person's own settings of the command line (TEMPORAL_*, a profile in HOME) must not reach this server.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    environment |= {"TEMPORAL_VERSION_CHECK_DISABLED": "1", "GOGC": "400", "HOME": str(directory)}
    return Command((str(temporal_server.program()), "server", "start-dev", *flags), environment)


def wait_ready(address: str, *, timeout_seconds: float = 30) -> None:
    """Returns when the server answers; raises TemporalError when it does not within the time."""
    with grpc.insecure_channel(address) as channel:
        _until(timeout_seconds, lambda: _describe(channel, "temporal-system"))


def set_up(address: str, *, timeout_seconds: float = 30) -> None:
    """Makes namespace and search attributes as far as they are missing, and returns when both can be used.

    A new namespace takes the server's caches a moment: what counts is that a query naming every attribute is answered.
    """
    with grpc.insecure_channel(address) as channel:
        _until(timeout_seconds, lambda: _register_namespace(channel))
        _until(timeout_seconds, lambda: _add_search_attributes(channel))
        _until(timeout_seconds, lambda: _query(channel))


def _describe(channel: grpc.Channel, namespace: str) -> None:
    WorkflowServiceStub(channel).DescribeNamespace(DescribeNamespaceRequest(namespace=namespace), timeout=5)


def _register_namespace(channel: grpc.Channel) -> None:
    request = RegisterNamespaceRequest(
        namespace=NAMESPACE,
        description="Letters under way. Closed runs are kept 30 days; what is true stands in the hub's database.",
        workflow_execution_retention_period=Duration(seconds=RETENTION_SECONDS),
    )
    try:
        WorkflowServiceStub(channel).RegisterNamespace(request, timeout=5)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise


def _add_search_attributes(channel: grpc.Channel) -> None:
    stub = OperatorServiceStub(channel)
    found = (stub.ListSearchAttributes(ListSearchAttributesRequest(namespace=NAMESPACE), timeout=5)).custom_attributes
    missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in found}
    if missing:
        stub.AddSearchAttributes(AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=missing), timeout=10)


def _query(channel: grpc.Channel) -> None:
    every = " AND ".join(f"{name} IS NULL" for name in SEARCH_ATTRIBUTES)
    request = CountWorkflowExecutionsRequest(namespace=NAMESPACE, query=every)
    WorkflowServiceStub(channel).CountWorkflowExecutions(request, timeout=5)


def _until(timeout_seconds: float, attempt: Callable[[], None]) -> None:
    """Repeats the call until it is answered. Raises TemporalError when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return attempt()
        except grpc.RpcError as error:
            if time.monotonic() > deadline:
                raise TemporalError(f"Temporal is not ready after {timeout_seconds} s: {error.details()}") from error
        time.sleep(0.05)
