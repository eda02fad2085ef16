"""A small hub, a real Temporal, and the workers between them."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from dabir.workflow.v1.letter_pb2 import LetterWorkflowResult
from tests.conftest import Postgres, TemporalServer
from tests.waiting import eventually
from tests.workflow.small_hub import SmallHub, small_hub
from workers.__main__ import DRAIN_MARGIN_SECONDS
from workers.activities import Activities
from workers.config import WorkerConfig
from workers.converter import DATA_CONVERTER
from workers.follow import Follower
from workers.links import LinkReconciler
from workers.reconcile import Reconciler
from workers.start import workflow_id
from workers.worker import letter_worker


@pytest.fixture(scope="session")
def own_postgres(postgres: Postgres) -> Postgres:
    """A database of this room's."""
    return postgres.another_database()


@pytest.fixture
def fresh_postgres(own_postgres: Postgres) -> Postgres:
    """The room's database with an empty ledger: these tests change no schema, and a new one takes ten times as long."""
    with psycopg.connect(own_postgres.owner_url) as connection:
        connection.execute("SET session_replication_role = replica")  # the ledger is append only
        for table in ("evidence.cursor", "evidence.refusal", "ledger.link", "ledger.chain", "ledger.statement"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table.split("."))))
        connection.execute("UPDATE ledger.numbering SET position = 0")
        connection.execute("ALTER SEQUENCE ledger.statement_ordinal_seq RESTART")
    return own_postgres


@pytest.fixture
async def hub(fresh_postgres: Postgres) -> AsyncIterator[SmallHub]:
    """A small hub of the test's own, with an empty ledger."""
    urls = fresh_postgres.database_url("intake"), fresh_postgres.database_url("evidence")
    async with small_hub(*urls) as running:
        yield running


@pytest.fixture
async def temporal(temporal_server: TemporalServer) -> Client:
    """A client of the hub's namespace."""
    return await Client.connect(
        temporal_server.address, namespace=temporal_server.namespace, data_converter=DATA_CONVERTER
    )


@pytest.fixture
def config(temporal_server: TemporalServer) -> WorkerConfig:
    """Settings of a worker, on a task queue of the test's own; the channels are given, so nothing of TLS is read."""
    nowhere = Path("/nonexistent")
    return WorkerConfig(
        hub="log.dabir.example/1",
        source="worker",
        environment="development",
        tls_certificate=nowhere,
        tls_key=nowhere,
        tls_roots=nowhere,
        metrics_listen="",
        temporal_target=temporal_server.address,
        temporal_namespace=temporal_server.namespace,
        intake_target="",
        documents_target="",
        notifications_target="",
        evidence_target="",
        task_queue=f"letters-{uuid.uuid4()}",
        follow_retry_seconds=0.2,
        stop_grace_seconds=1,
    )


class Line:
    """Workers between a hub and Temporal: what a test does with them."""

    def __init__(self, hub: SmallHub, temporal: Client, config: WorkerConfig) -> None:
        self.hub, self.temporal, self.config = hub, temporal, config
        self.reconciler = Reconciler(config, temporal, hub.channel)
        self.links = LinkReconciler(config, temporal, hub.channel)

    def follower(self) -> Follower:
        return Follower(self.config, self.temporal, self.hub.channel, self.hub.channel)

    def run_of(self, letter: str) -> WorkflowHandle[Any, Any]:
        return self.temporal.get_workflow_handle(workflow_id(letter), result_type=LetterWorkflowResult)

    async def attribute(self, letter: str, name: str) -> Any:
        """A search attribute as the server has it; None where it has none."""
        described = await self.run_of(letter).describe()
        found = [pair.value for pair in described.typed_search_attributes if pair.key.name == name]
        return found[0] if found else None

    async def details(self, letter: str) -> str:
        """The current details, as the UI asks for them."""
        metadata = await self.run_of(letter).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)

    async def shows(self, letter: str, **attributes: object) -> None:
        """Wait until these search attributes have these values."""

        async def shown() -> bool:
            try:
                return all([await self.attribute(letter, name) == value for name, value in attributes.items()])
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                return False  # not started yet

        await eventually(f"{letter} shows {attributes}", shown)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker runs."""
        channel = self.hub.channel
        worker = letter_worker(self.config, self.temporal, Activities(channel, channel, channel))
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            assert not running.done(), running.exception()
            # As workers/__main__.py does: its runtime may never finish a shutdown among local activities.
            shutdown = asyncio.create_task(worker.shutdown())
            await asyncio.wait([running, shutdown], timeout=self.config.stop_grace_seconds + DRAIN_MARGIN_SECONDS)

    @contextlib.asynccontextmanager
    async def following(self, followers: int = 1) -> AsyncIterator[None]:
        """So many followers run."""
        tasks = [asyncio.create_task(self.follower().run()) for _ in range(followers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                assert task.cancelled(), task.exception()


@pytest.fixture
def line(hub: SmallHub, temporal: Client, config: WorkerConfig) -> Line:
    return Line(hub, temporal, config)
