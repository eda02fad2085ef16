"""A running evidence and those who call it."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration

from dabir.evidence.v1 import evidence_pb2 as pb
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceInternalServiceStub, EvidenceServiceStub
from infra.local.pki import DevelopmentPki, Pair
from services.evidence import sequencer
from services.evidence.config import EvidenceConfig
from services.evidence.sequencer import Figures
from services.runtime.authentication import ListedCertificate
from services.runtime.channel import reason_of
from services.runtime.database import Pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger
from services.runtime.metrics import Metrics
from tests.conftest import Postgres
from tests.integration.ledger.writer import HUB, SENDERS, consign, register

DEADLINE_SECONDS = 30


class Listed:
    """Whose certificates are whose, as directory would say."""

    def __init__(self, bodies: dict[bytes, tuple[str, frozenset[Role]]]) -> None:
        self._bodies = bodies

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        if sha256 not in self._bodies:
            return None
        owner, roles = self._bodies[sha256]
        return ListedCertificate(owner=owner, purpose="tls", roles=roles, revoked=False)


class Evidence:
    """The running server, its callers, and a service that states."""

    def __init__(self, port: int, pki: DevelopmentPki, postgres: Postgres, ledger: Ledger, pool: Pool) -> None:
        self._port, self._pki, self._postgres, self._ledger = port, pki, postgres, ledger
        self.pool = pool
        self.figures = Figures(Metrics().registry)
        self.seal = ledger.signer.certificate

    def channel(self, who: str) -> grpc.aio.Channel:
        """A channel as a body (`interior`) or one of the hub's own (`worker`)."""
        pair = tls_pair(self._pki, who)
        credentials = grpc.ssl_channel_credentials(
            self._pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(f"localhost:{self._port}", credentials)

    async def letter(self, *, numbered: bool = True, classification: int | None = None) -> str:
        """Register and consign a letter of interior's to two offices of bank's; three statements."""
        url = self._postgres.database_url("intake")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            registered = await register(connection, self._ledger, SENDERS[0], classification)
            await consign(connection, self._ledger, registered)
        if numbered:
            await self.number()
        return registered.subject

    async def number(self) -> None:
        while await sequencer.number_once(self.pool, 100):
            pass

    def rows(self, query: bytes) -> list[Any]:
        with psycopg.connect(self._postgres.owner_url) as connection:
            return connection.execute(query).fetchall()


def tls_pair(pki: DevelopmentPki, who: str) -> Pair:
    folder = pki.folder / who
    folder.mkdir(exist_ok=True)
    services = ("evidence", "worker", "intake")
    return pki.service_tls_pair(who, folder) if who in services else pki.body_tls_pair(who, folder)


def config_of(folder: Path, pki: DevelopmentPki, postgres: Postgres) -> EvidenceConfig:
    pair, url_file = tls_pair(pki, "evidence"), folder / "database-url"
    url_file.write_text(postgres.database_url("evidence"), encoding="utf-8")
    return EvidenceConfig(
        hub=HUB,
        source="evidence",
        environment="development",
        tls_certificate=pair.certificate,
        tls_key=pair.key,
        tls_roots=pki.root,
        tls_service_issuers=pki.hub_ca,
        metrics_listen="",
        listen="127.0.0.1:0",
        database_url_file=url_file,
        allowed_services=("worker",),
        directory_target="",
    )


async def listing(evidence: Evidence, who: str, **query: Any) -> pb.ListStatementsResponse:
    async with evidence.channel(who) as channel:
        request = pb.ListStatementsRequest(**query)
        return await EvidenceServiceStub(channel).ListStatements(request, timeout=DEADLINE_SECONDS)


async def refusal(call: Any) -> tuple[str, str]:
    """Code and reason of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, reason_of(caught.value)


class Follower:
    """A holder of the cursor `workflows`."""

    def __init__(self, evidence: Evidence, holder: str, *, who: str = "worker") -> None:
        self._channel = evidence.channel(who)
        self._stub = EvidenceInternalServiceStub(self._channel)
        self._holder, self._lease = holder, ""

    async def __aenter__(self) -> "Follower":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def follow(self, *, lease_seconds: int = 60, max_statements: int = 0) -> pb.FollowResponse:
        request = pb.FollowRequest(
            follower="workflows",
            holder=self._holder,
            lease_duration=Duration(seconds=lease_seconds),
            max_statements=max_statements,
        )
        batch = await self._stub.Follow(request, timeout=DEADLINE_SECONDS)
        self._lease = batch.lease or self._lease
        return batch

    async def advance(self, start: int, end: int, *, lease: str = "", refused: dict[int, str] | None = None) -> int:
        request = pb.AdvanceRequest(follower="workflows", lease=lease or self._lease, to=end)
        setattr(request, "from", start)
        request.refused.extend(
            pb.RefusedStatement(position=position, reason=reason) for position, reason in (refused or {}).items()
        )
        return int((await self._stub.Advance(request, timeout=DEADLINE_SECONDS)).cursor)
