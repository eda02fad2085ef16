"""A running evidence and those who call it."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration

from dabir.common.v1.statement_pb2 import Statement
from dabir.evidence.v1 import evidence_pb2 as pb
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceInternalServiceStub, EvidenceServiceStub
from dabir.formats.signer import certificate_sha256
from infra.local.pki import DevelopmentPki, Pair
from services.evidence import sequencer
from services.evidence.config import EvidenceConfig
from services.evidence.feed import Feed
from services.evidence.sequencer import Figures
from services.runtime.authentication import ListedCertificate
from services.runtime.channel import reason_of
from services.runtime.database import Pool
from services.runtime.identity import Role
from services.runtime.ledger import Ledger
from services.runtime.metrics import Metrics
from services.runtime.server import Server
from tests.conftest import Postgres
from tests.integration.ledger.writer import HUB, SENDERS, consign, register

DEADLINE_SECONDS = 30


class Listed:
    """Whose certificates are whose, as directory would say."""

    def __init__(self, bodies: dict[bytes, tuple[str, frozenset[Role]]]) -> None:
        self._bodies = bodies
        self.revoked: set[bytes] = set()

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        if sha256 not in self._bodies:
            return None
        owner, roles = self._bodies[sha256]
        return ListedCertificate(owner=owner, purpose="tls", roles=roles, revoked=sha256 in self.revoked)


class Evidence:
    """The running server, its callers, and a service that states."""

    def __init__(
        self,
        port: int,
        pki: DevelopmentPki,
        postgres: Postgres,
        ledger: Ledger,
        pool: Pool,
        listed: Listed,
        metrics: Metrics,
        server: Server,
        config: EvidenceConfig,
        feed: Feed,
    ) -> None:
        self._port, self._pki, self._postgres, self.ledger = port, pki, postgres, ledger
        self.pool, self.metrics, self.server = pool, metrics, server
        self._listed, self.config, self.feed = listed, config, feed
        self.figures = Figures(metrics.registry)
        self.seal = ledger.signer.certificate

    def channel(self, who: str) -> grpc.aio.Channel:
        """A channel as a body (`interior`) or one of the hub's own (`worker`)."""
        pair = tls_pair(self._pki, who)
        credentials = grpc.ssl_channel_credentials(
            self._pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(f"localhost:{self._port}", credentials, [("grpc.use_local_subchannel_pool", 1)])

    def revoke(self, who: str) -> None:
        """Ends a member's certificate."""
        self._listed.revoked.add(certificate_sha256(tls_pair(self._pki, who).chain[0]))

    async def letter(self, *, numbered: bool = True, classification: int | None = None) -> str:
        """Register and consign a letter of interior's to two offices of bank's; three statements."""
        url = self._postgres.database_url("intake")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            registered = await register(connection, self.ledger, SENDERS[0], classification)
            await consign(connection, self.ledger, registered)
        if numbered:
            await self.number()
        return registered.subject

    async def number(self) -> None:
        while await sequencer.number_once(self.pool, 100):
            pass

    def put_long_statements(self, count: int) -> None:
        """Of 900 kB each, to bank, numbered; behind the ledger's back, since what is signed does not matter."""
        with psycopg.connect(self._postgres.owner_url) as connection:
            connection.execute(
                """
                INSERT INTO ledger.statement (id, position, event, subject, sequence, txn, source, recipient_body,
                    stated_at, salt, digest, jws)
                SELECT gen_random_uuid(), (SELECT position FROM ledger.numbering) + n, 'e', 'bodies/bank', n,
                    'bodies/bank', 'intake', 'bodies/bank', now(), sha256(''), sha256(n::text::bytea),
                    repeat('j', 900000)
                FROM generate_series(1, %s) AS n
                """,
                (count,),
            )
            connection.execute("UPDATE ledger.numbering SET position = position + %s", (count,))

    def url(self, role: str) -> str:
        return self._postgres.database_url(role)

    def sample(self, name: str) -> float:
        """A figure of the server's."""
        return self.metrics.registry.get_sample_value(name) or 0.0

    def rows(self, query: bytes) -> list[Any]:
        with psycopg.connect(self._postgres.owner_url) as connection:
            return connection.execute(query).fetchall()


def tls_pair(pki: DevelopmentPki, who: str) -> Pair:
    folder = pki.folder / who
    folder.mkdir(exist_ok=True)
    services = ("evidence", "worker", "intake", "directory", "operator")
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
        watch_poll_ms=10,
        watch_page=4,
        watch_heartbeat_seconds=0.1,
        watch_reader_seconds=1.0,
        watch_streams_per_body=3,
        watch_streams=4,
        stream_recheck_seconds=0.1,
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


class Served(Protocol):
    """Where somebody may call."""

    def channel(self, who: str) -> grpc.aio.Channel:
        """A channel as a body or one of the hub's own."""


class Watch:
    """A member's open stream."""

    def __init__(self, served: Served, who: str, after_position: int = 0) -> None:
        self._channel = served.channel(who)
        stub = EvidenceServiceStub(self._channel)
        # Without a deadline: the stream has no end.
        self.call = stub.WatchStatements(pb.WatchStatementsRequest(after_position=after_position))
        self.position = after_position

    async def __aenter__(self) -> "Watch":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()
        await self._channel.close()

    async def next(self) -> pb.WatchStatementsResponse:
        """The next message, whatever it is."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            message: Any = await self.call.read()
        if message is grpc.aio.EOF:
            raise AssertionError("the stream ended without an error")
        assert message.position >= self.position
        self.position = message.position
        given: pb.WatchStatementsResponse = message
        return given

    async def statements(self, count: int) -> list[Statement]:
        """The next ones, heartbeats passed over."""
        found: list[Statement] = []
        while len(found) < count:
            message = await self.next()
            if message.HasField("statement"):
                assert message.position == message.statement.position
                found.append(message.statement)
        return found

    async def up_to(self, position: int) -> list[Statement]:
        """Everything until the stream says that it has read up to `position`."""
        found: list[Statement] = []
        while self.position < position:
            message = await self.next()
            if message.HasField("statement"):
                found.append(message.statement)
        return found

    async def ending(self, seen: list[int] | None = None) -> tuple[str, str]:
        """Code and reason of its end, which must come by itself; positions of statements before it go to `seen`."""

        async def read_on() -> None:
            while True:
                message = await self.next()
                if seen is not None and message.HasField("statement"):
                    seen.append(message.position)

        return await refusal(read_on())
