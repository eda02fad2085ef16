"""A running directory over a database of its own, with its PKI, and stubs for whoever calls."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.directory.v1 import directory_pb2 as pb
from dabir.directory.v1.directory_pb2_grpc import (
    DirectoryInternalServiceStub,
    DirectoryServiceStub,
    add_DirectoryInternalServiceServicer_to_server,
    add_DirectoryServiceServicer_to_server,
)
from dabir.formats.statement import events_of, parse_statement, verify_statement
from infra.local.pki import Pair
from services.directory.config import DirectoryConfig
from services.directory.registry import Registry
from services.directory.servicer import DirectoryInternalServicer, DirectoryServicer
from services.runtime.database import open_pool
from services.runtime.seals import open_ledger
from services.runtime.server import Server, Service
from tests.conftest import Postgres
from tests.contract.harness import DEADLINE_SECONDS, Identities, channel

if TYPE_CHECKING:
    from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceAsyncStub, DirectoryServiceAsyncStub

ROLES = (pb.ROLE_SENDER, pb.ROLE_RECIPIENT, pb.ROLE_READER)


class Directory:
    """`operator` and `intake` are the internal service as those two call it."""

    def __init__(self, folder: Path, postgres: Postgres, config: DirectoryConfig, identities: Identities) -> None:
        self.folder, self.postgres, self.config, self.identities = folder, postgres, config, identities
        self.port = 0
        self.server: Server
        self._channels = AsyncExitStack()

    async def listen(self, port: int) -> None:
        self.port = port
        self.operator = await self.internal("operator")
        self.intake = await self.internal("intake")

    async def internal(self, who: str) -> "DirectoryInternalServiceAsyncStub":
        opened = self.identities.channel(self.port, who)
        return DirectoryInternalServiceStub(await self._channels.enter_async_context(opened))

    async def members(self, who: "str | Pair") -> "DirectoryServiceAsyncStub":
        pair = self.identities.pair(who) if isinstance(who, str) else who
        opened = channel(self.port, pair, self.identities.pki.root)
        return DirectoryServiceStub(await self._channels.enter_async_context(opened))

    async def create(self, name: str, *, offices: tuple[str, ...] = ("main",)) -> str:
        """A body with offices; gives `bodies/{name}`."""
        body = f"bodies/{name}"
        await self.operator.CreateBody(pb.CreateBodyRequest(body=a_body(body)), timeout=DEADLINE_SECONDS)
        for office in offices:
            request = pb.CreateOfficeRequest(office=an_office(f"{body}/offices/{office}"))
            await self.operator.CreateOffice(request, timeout=DEADLINE_SECONDS)
        return body

    async def add(
        self, owner: str, pair: Pair, roles: tuple[pb.Role.ValueType, ...] = (), **changed: Any
    ) -> pb.Certificate:
        request = adding(owner, pair, roles)
        for key, value in changed.items():
            setattr(request, key, value)
        return (await self.operator.AddCertificate(request, timeout=DEADLINE_SECONDS)).certificate

    async def member(self, name: str) -> Pair:
        """A body that is listed with a TLS certificate; gives the pair."""
        await self.create(name)
        pair = self.identities.pki.body_tls_pair(name, self.folder / name)
        await self.add(f"bodies/{name}", pair, ROLES)
        return pair

    def rows(self, query: bytes, *arguments: object) -> list[Any]:
        with psycopg.connect(self.postgres.owner_url) as connection:
            return connection.execute(query, arguments).fetchall()

    def stated(self, body: str) -> list[tuple[str, str, bytes, str]]:
        """What the body's chain says, verified: event, body, certificate's digest, reason."""
        seal = x509.load_pem_x509_certificates(self.config_seal.read_bytes())[0]
        rows = self.rows(b"SELECT jws FROM ledger.statement WHERE subject = %s ORDER BY ordinal", body)
        found = []
        for (jws,) in rows:
            verify_statement(jws, seal)
            ((event, said),) = parse_statement(jws).events.items()
            found.append((event, said.parties[0].body, said.parties[0].certificate_sha256, said.reason))
        return found

    @property
    def config_seal(self) -> Path:
        assert self.config.seal_certificate is not None
        return self.config.seal_certificate

    async def close(self) -> None:
        await self._channels.aclose()


def a_body(name: str = "", **changed: Any) -> pb.Body:
    body = pb.Body(
        name=name,
        display_name_fa="وزارت کشور",
        display_name_en="Ministry of Interior",
        time_zone="Asia/Tehran",
        calendar=pb.CALENDAR_JALALI,
    )
    for key, value in changed.items():
        setattr(body, key, value)
    return body


def an_office(name: str, number_pattern: str = "") -> pb.Office:
    return pb.Office(name=name, display_name_fa="دبیرخانه", display_name_en="Registry", number_pattern=number_pattern)


def adding(owner: str, pair: Pair, roles: tuple[pb.Role.ValueType, ...] = ()) -> pb.AddCertificateRequest:
    leaf, *issuers = (certificate.public_bytes(Encoding.DER) for certificate in pair.chain)
    return pb.AddCertificateRequest(owner=owner, der=leaf, issuers=issuers, roles=roles)


def digest(pair: Pair) -> bytes:
    return pair.chain[0].fingerprint(hashes.SHA256())


def config_of(folder: Path, postgres: Postgres, identities: Identities, **settings: Any) -> DirectoryConfig:
    pair, pki = identities.pair("directory"), identities.pki
    seal = pki.seal_pair("directory", folder / "seal", events_of("directory"))
    url_file = folder / "database-url"
    url_file.write_text(postgres.database_url("directory"), encoding="utf-8")
    return DirectoryConfig(
        **{
            "hub": "log.dabir.example/1",
            "source": "directory",
            "environment": "development",
            "tls_certificate": pair.certificate,
            "tls_key": pair.key,
            "tls_roots": pki.root,
            "tls_service_issuers": pki.hub_ca,
            "metrics_listen": "",
            "listen": "127.0.0.1:0",
            "database_url_file": url_file,
            "allowed_services": ("intake", "documents", "notifications", "evidence", "operator"),
            "seal_certificate": seal.certificate,
            "seal_key": seal.key,
            "certificate_roots": pki.root,
            "crl_folder": pki.crls,
            "stop_grace_seconds": 0.2,
            **settings,
        }
    )


@asynccontextmanager
async def running(folder: Path, postgres: Postgres, **settings: Any) -> AsyncIterator[Directory]:
    """A server with a PKI of its own, so that a test may revoke."""
    identities = Identities(folder / "pki")
    config = config_of(folder, postgres, identities, **settings)
    found = Directory(folder, postgres, config, identities)
    async with open_pool(config) as pool:
        registry = Registry(config, pool, open_ledger(config))
        members = DirectoryServicer(pool, registry)
        internal = DirectoryInternalServicer(pool, registry)
        offered = [
            Service("dabir.directory.v1.DirectoryService", add_DirectoryServiceServicer_to_server, members),
            Service(
                "dabir.directory.v1.DirectoryInternalService", add_DirectoryInternalServiceServicer_to_server, internal
            ),
        ]
        server = Server(config, offered, registry)
        found.server = server
        await found.listen(await server.start())
        try:
            yield found
        finally:
            await found.close()
            await server.stop()
