"""A running evidence over a database of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from dabir.evidence.v1.evidence_pb2_grpc import (
    add_EvidenceInternalServiceServicer_to_server,
    add_EvidenceServiceServicer_to_server,
)
from dabir.formats.signer import FileSigner, certificate_sha256
from dabir.formats.statement import events_of
from infra.local.pki import DevelopmentPki
from services.evidence.feed import Feed
from services.evidence.servicer import EvidenceInternalServicer, EvidenceServicer
from services.runtime.database import open_pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger
from services.runtime.metrics import Metrics
from services.runtime.server import Server, Service
from tests.conftest import Postgres
from tests.contract.evidence.harness import Evidence, Listed, config_of, tls_pair
from tests.integration.ledger.writer import FACTS, HUB


@pytest.fixture
async def evidence(fresh_postgres: Postgres, tmp_path: Path) -> AsyncIterator[Evidence]:
    """A server over a database of the test's own. Nothing is numbered but by `number`."""
    pki = DevelopmentPki(tmp_path / "pki")
    pki.make()
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
    everything = frozenset({Role.SENDER, Role.RECIPIENT, Role.READER})
    half, cleared = everything | {Role.CLEARANCE_CONFIDENTIAL}, everything | {Role.CLEARANCE_HIGHLY_CONFIDENTIAL}
    members = {
        "interior": everything,
        "bank": everything,
        "other": everything,
        "nobody": frozenset[Role](),
        "interior-cleared": cleared,
        "bank-half-cleared": half,
        "bank-cleared": cleared,
        "other-cleared": cleared,
    }
    listed = Listed(
        {
            certificate_sha256(tls_pair(pki, who).chain[0]): (f"bodies/{who.partition('-')[0]}", roles)
            for who, roles in members.items()
        }
    )
    seal = pki.seal_pair("intake", tmp_path, events_of("intake"))
    ledger = Ledger(hub=HUB, source="intake", signer=FileSigner(seal.key, seal.certificate))
    config = config_of(tmp_path, pki, fresh_postgres)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(config))
        metrics = Metrics()
        feed = Feed(pool, config, metrics.registry)
        offered = [
            Service(
                "dabir.evidence.v1.EvidenceService",
                add_EvidenceServiceServicer_to_server,
                EvidenceServicer(pool, feed),
                end_streams=feed.end,
            ),
            Service(
                "dabir.evidence.v1.EvidenceInternalService",
                add_EvidenceInternalServiceServicer_to_server,
                EvidenceInternalServicer(pool),
            ),
        ]
        server = Server(config, offered, listed)
        port = await server.start()
        stack.push_async_callback(server.stop)
        reading = asyncio.create_task(feed.run())
        stack.callback(reading.cancel)
        yield Evidence(port, pki, fresh_postgres, ledger, pool, listed, metrics, server, config, feed)
