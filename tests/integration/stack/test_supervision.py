"""The stack under kill -9, of each part and of the supervisor, under Ctrl-C, and with Temporal's file deleted."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import grpc
import psycopg
import pytest
from minio import Minio
from temporalio.api.common.v1.message_pb2 import WorkflowType
from temporalio.api.operatorservice.v1.request_response_pb2 import ListSearchAttributesRequest
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.taskqueue.v1.message_pb2 import TaskQueue
from temporalio.api.workflowservice.v1.request_response_pb2 import (
    CountWorkflowExecutionsRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from infra.local import child, control, interruption, s3, temporal
from infra.local.process import Process
from infra.local.stack import Stack, StackError, opened, settle
from infra.local.supervisor import Supervisor
from tests.waiting import RECOVERY_SECONDS, eventually, until

PARTS = ("postgres", "s3", "temporal")


def quiet(_line: str) -> None:
    """The tests read states, not reports."""


@pytest.fixture(scope="module")
def parts(stack_folder: Callable[[str], Path]) -> Iterator[Stack]:
    """A stack of these tests' own, which they may hurt."""
    folder = stack_folder("stack")
    stack = control.up(folder / "state", 1, quiet, PARTS)
    yield stack
    control.clean(stack.directory, quiet)


def kill(stack: Stack, name: str) -> None:
    """Kills the process and returns when it is up again, as another one."""
    before = control.status(stack.directory)[name]["pid"]
    os.kill(before, signal.SIGKILL)

    def up_again() -> bool:
        process = control.status(stack.directory).get(name, {})
        return process.get("state") == "up" and process["pid"] != before

    until(f"{name} is up again", up_again)


def minio(stack: Stack) -> Minio:
    return s3.client(stack.address("s3.s3"), **stack.secrets()["s3"])


def search_attributes(stack: Stack) -> set[str]:
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        listed = OperatorServiceStub(channel).ListSearchAttributes(
            ListSearchAttributesRequest(namespace=temporal.NAMESPACE), timeout=10
        )
    return set(listed.custom_attributes)


def start_workflow(stack: Stack, workflow_id: str) -> None:
    request = StartWorkflowExecutionRequest(
        namespace=temporal.NAMESPACE,
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="nobody-runs-this"),
        task_queue=TaskQueue(name="nobody-polls-this"),
        request_id=workflow_id,
    )
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        WorkflowServiceStub(channel).StartWorkflowExecution(request, timeout=10)


def workflows(stack: Stack, workflow_id: str) -> int:
    request = CountWorkflowExecutionsRequest(namespace=temporal.NAMESPACE, query=f"WorkflowId = '{workflow_id}'")
    with grpc.insecure_channel(stack.address("temporal.frontend")) as channel:
        return WorkflowServiceStub(channel).CountWorkflowExecutions(request, timeout=10).count


def schema_version(stack: Stack) -> int:
    with psycopg.connect(stack.database_url("intake")) as connection:
        row = connection.execute("SELECT max(version) FROM public.schema_version").fetchone()
    assert row is not None
    return int(row[0])


def test_killed_postgres_comes_back_with_its_schema(parts: Stack) -> None:
    version = schema_version(parts)
    with psycopg.connect(parts.database_url("dabir"), autocommit=True) as connection:
        connection.execute("ALTER ROLE intake PASSWORD 'lost'")  # what set-up must put right again
    kill(parts, "postgres")
    assert schema_version(parts) == version


def test_killed_s3_keeps_what_it_acknowledged(parts: Stack) -> None:
    minio(parts).put_object(s3.BUCKET, "before", BytesIO(b"kept"), 4)
    kill(parts, "s3")
    client = minio(parts)
    assert client.get_object(s3.BUCKET, "before").read() == b"kept"
    assert client.get_bucket_versioning(s3.BUCKET).status == "Enabled"


def test_killed_temporal_keeps_its_runs(parts: Stack) -> None:
    start_workflow(parts, "before-the-kill")
    kill(parts, "temporal")
    until("the run is listed", lambda: workflows(parts, "before-the-kill") == 1)
    assert temporal.SEARCH_ATTRIBUTES.keys() <= search_attributes(parts)


def test_temporal_starts_anew_when_its_file_is_deleted(parts: Stack) -> None:
    start_workflow(parts, "in-the-lost-file")
    before = control.status(parts.directory)["temporal"]
    temporal.database(parts.directory / "temporal").unlink()
    until("it was noticed", lambda: control.status(parts.directory)["temporal"]["restarts"] > before["restarts"])
    until("it is up again", lambda: control.status(parts.directory)["temporal"]["state"] == "up")
    assert control.status(parts.directory)["temporal"]["pid"] != before["pid"]
    assert workflows(parts, "in-the-lost-file") == 0
    assert temporal.SEARCH_ATTRIBUTES.keys() <= search_attributes(parts)


def test_temporal_starts_anew_when_its_file_was_deleted_while_down(parts: Stack) -> None:
    start_workflow(parts, "in-the-log-beside-it")
    supervisor = control.supervisor_pid(parts.directory)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)  # so that the write-ahead log stays
    control.down(parts.directory, quiet)
    file = temporal.database(parts.directory / "temporal")
    assert file.with_name(f"{file.name}-wal").stat().st_size > 0
    file.unlink()
    stack = control.up(parts.directory, 1, quiet, PARTS)
    assert temporal.SEARCH_ATTRIBUTES.keys() <= search_attributes(stack)
    assert workflows(stack, "in-the-log-beside-it") == 0


def test_children_die_with_a_killed_supervisor_and_the_next_comes_up(parts: Stack) -> None:
    minio(parts).put_object(s3.BUCKET, "under-the-first", BytesIO(b"kept"), 4)
    pids = [process["pid"] for process in control.status(parts.directory).values()]
    supervisor = control.supervisor_pid(parts.directory)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    until("every child is gone", lambda: all(child.start_time(pid) is None for pid in pids), 20)
    assert control.status(parts.directory) == {}
    stack = control.up(parts.directory, 1, quiet, PARTS)
    assert minio(stack).get_object(s3.BUCKET, "under-the-first").read() == b"kept"


def test_the_next_supervisor_ends_what_outlived_a_killed_one(tmp_path: Path) -> None:
    """The kernel ends children; should one have slipped through all the same, its pid file tells."""
    (tmp_path / "run").mkdir()
    forgotten = child.launch(child.Command(("/bin/sleep", "1000")), tmp_path / "log")
    child.note(tmp_path / "run" / "forgotten.pid", forgotten.pid)
    control.clear_remains(tmp_path)
    assert forgotten.wait(10) == -signal.SIGKILL
    assert not list((tmp_path / "run").glob("*.pid"))


def test_a_pid_that_is_somebody_elses_today_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    innocent = child.launch(child.Command(("/bin/sleep", "1000")), tmp_path / "log")
    pid_file = tmp_path / "run" / "reused.pid"
    child.note(pid_file, innocent.pid)
    pid_file.write_text(pid_file.read_text().replace('"start": ', '"start": 1'))
    control.clear_remains(tmp_path)
    assert innocent.poll() is None
    child.stop(innocent, signal.SIGKILL, 10)


def test_no_second_process_on_a_state_that_one_may_use(tmp_path: Path) -> None:
    """The lock goes with the process, not with its starter: a second Temporal takes a file that is in use."""
    sleep, lock = child.Command(("/bin/sleep", "1000")), tmp_path / "lock"
    first = child.launch(sleep, tmp_path / "log", lock=lock)
    with pytest.raises(child.LockedError, match="still running"):
        child.launch(sleep, tmp_path / "log", lock=lock)
    child.stop(first, signal.SIGKILL, 10)
    child.stop(child.launch(sleep, tmp_path / "log", lock=lock), signal.SIGKILL, 10)


def test_state_and_addresses_survive_down_and_up(parts: Stack) -> None:
    before = opened(parts.directory)
    minio(parts).put_object(s3.BUCKET, "before-down", BytesIO(b"kept"), 4)
    with psycopg.connect(parts.database_url("dabir")) as connection:
        connection.execute("CREATE TABLE public.survivor AS SELECT 7 AS number")
    start_workflow(parts, "before-down")
    root = parts.roots.read_bytes()
    assert control.down(parts.directory, quiet)
    assert not control.down(parts.directory, quiet)  # there is nothing left to end

    stack = control.up(parts.directory, 1, quiet, PARTS)
    assert stack == before
    assert stack.roots.read_bytes() == root
    assert minio(stack).get_object(s3.BUCKET, "before-down").read() == b"kept"
    with psycopg.connect(stack.database_url("dabir")) as connection:
        assert connection.execute("DROP TABLE public.survivor").rowcount == -1
    until("the run is listed", lambda: workflows(stack, "before-down") == 1)


def test_two_stacks_run_side_by_side(parts: Stack, tmp_path: Path) -> None:
    other = control.up(tmp_path / "other", 1, quiet, PARTS)
    try:
        minio(other).put_object(s3.BUCKET, "of-the-other", BytesIO(b"x"), 1)
        assert not [found.object_name for found in minio(parts).list_objects(s3.BUCKET, "of-the-other")]
        ports = [
            {port for process in control.status(stack.directory).values() for port in process["ports"]}
            for stack in (parts, other)
        ]
        assert not ports[0] & ports[1]
        assert all(process["state"] == "up" for process in control.status(parts.directory).values())
    finally:
        control.clean(other.directory, quiet)
    assert not other.directory.exists()


async def test_what_is_abandoned_is_given_no_grace(tmp_path: Path) -> None:
    """As before `clean` deletes it all: it is killed, and not asked."""
    for folder in ("run", "logs"):
        (tmp_path / folder).mkdir()
    listens, asked = tmp_path / "listens", tmp_path / "asked"
    script = f"trap 'touch {asked}; exit' TERM; touch {listens}; while :; do sleep 0.1; done"

    def ready() -> None:
        listens.stat()

    row = Process(name="listener", command=lambda: child.Command(("/bin/sh", "-c", script)), ready=ready, ports=())
    supervisor, stop = Supervisor(tmp_path, [row]), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await eventually("it is up", lambda: supervisor.states["listener"].state == "up")
    pid = supervisor.states["listener"].pid
    supervisor.abandon()
    stop.set()
    await running
    assert pid is not None
    assert child.start_time(pid) is None
    assert not asked.exists()


def test_a_stack_that_runs_is_not_started_twice(parts: Stack) -> None:
    with pytest.raises(StackError, match="running already"):
        control.run(parts.directory, 1)
    pid = control.supervisor_pid(parts.directory)
    control.up(parts.directory, 1, quiet, PARTS)
    assert control.supervisor_pid(parts.directory) == pid


def test_a_stack_that_was_ending_is_started_anew(
    stack_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed supervisor's last threads hold its lock when nothing else of it is left."""
    directory, asked, looked = stack_folder("ending") / "state", control.is_running, threading.Event()

    def is_running(stack: Path) -> bool:
        found = asked(stack)
        looked.set()
        return found

    monkeypatch.setattr(control, "is_running", is_running)
    with ThreadPoolExecutor(1) as pool:
        with child.hold(directory / "lock"):
            coming = pool.submit(control.up, directory, 1, quiet, ("temporal",))
            assert looked.wait(RECOVERY_SECONDS)
        coming.result()
    assert control.status(directory)["temporal"]["state"] == "up"
    control.clean(directory, quiet)


def interrupted(directory: Path, module: str, *words: str, when: Callable[[], object], path: Path) -> tuple[int, str]:
    """Runs a command on a stack, has its whole process group get SIGINT once `when` holds; its status and last words.

    `path`: a folder whose modules come before all others but the checkout's.
    """
    running = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=control.CHECKOUT,
        env={**os.environ, "DABIR_STACK": str(directory), "PYTHONPATH": str(path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until("it is there where it is interrupted", lambda: when() or running.poll() is not None)
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=RECOVERY_SECONDS)[1]
    finally:
        running.kill()
    return running.returncode, said


@pytest.mark.parametrize("module", ["infra.local", "infra.demo"])
def test_ctrl_c_among_the_imports_ends_a_command_in_one_sentence(tmp_path: Path, module: str) -> None:
    imports = tmp_path / "imports"
    slow = f"import pathlib, time\npathlib.Path({str(imports)!r}).touch()\ntime.sleep(60)\n"
    (tmp_path / "psycopg.py").write_text(slow)  # what both come by
    status, said = interrupted(tmp_path / "state", module, when=imports.exists, path=tmp_path)
    assert (status, said) == (interruption.STATUS, "Interrupted.\n")


@pytest.mark.parametrize("sign", ["run", "logs/supervisor.log", "logs/temporal.log"])
def test_ctrl_c_while_a_stack_starts_ends_all_that_was_started(
    stack_folder: Callable[[str], Path], tmp_path: Path, sign: str
) -> None:
    """The supervisor is being started, prepares and has not said who it is, or has its first process."""
    directory = stack_folder("interrupted") / "state"
    status, said = interrupted(
        directory, "infra.local", "up", "temporal", when=(directory / sign).exists, path=tmp_path
    )
    assert (status, said) == (interruption.STATUS, f"{interruption.SENTENCE}\n")
    assert not control.is_running(directory)
    assert control.status(directory) == {}
    assert not list((directory / "run").glob("*.pid"))
    control.clean(directory, quiet)


def test_a_stack_that_prepares_is_ended_once_it_says_who_it_is(stack_folder: Callable[[str], Path]) -> None:
    """Somebody says `make down` right after somebody's `make up`."""
    directory = stack_folder("prepares") / "state"
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(control.up, directory, 1, quiet, ("temporal",))
        until("it prepares", (directory / "stack.json").exists)
        assert control.down(directory, quiet)
        with pytest.raises(StackError, match="The supervisor ended"):
            coming.result()


@pytest.mark.parametrize(("ports", "said"), [("http", "write the first of 64"), ("80", "1024"), ("65530", "1024")])
def test_ports_that_cannot_be_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: str, said: str
) -> None:
    monkeypatch.setenv("DABIR_PORTS", ports)
    with pytest.raises(StackError, match=said):
        settle(tmp_path, 1)


def test_a_named_block_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, reservation = settle(tmp_path, 1)
    with reservation:
        monkeypatch.setenv("DABIR_PORTS", str(stack.base_port))
        with pytest.raises(StackError, match=f"from {stack.base_port} on"):
            settle(tmp_path / "other", 1)


def test_clean_deletes_nothing_that_is_not_a_stack(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match="not a stack's folder"):
        control.clean(tmp_path, quiet)
    assert (tmp_path / "thesis.txt").exists()
