"""A running documents, the directory it asks, and those who call it."""

import asyncio
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.common.v1.statement_pb2 import (
    StatementDocument,
    StatementEvent,
    StatementParty,
    StatementRecipient,
    StatementSignature,
)
from dabir.directory.v1 import directory_pb2 as directory_pb
from dabir.directory.v1 import directory_pb2_grpc as directory_grpc
from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceStub, DocumentServiceStub
from dabir.formats import names
from dabir.formats.events import Event, events_of
from dabir.formats.signer import FileSigner, KeySigner, certificate_sha256
from infra.local.child import Command, launch
from infra.local.pki import DevelopmentPki, Pair
from infra.local.settings import toml
from services.documents.domain.upload import SEGMENT_BYTES
from services.runtime.channel import reason_of
from services.runtime.ledger import Ledger
from tests.conftest import Postgres, S3Server, free_port
from tests.unit.documents import files

if TYPE_CHECKING:  # they exist for the type checker alone
    from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceAsyncStub, DocumentServiceAsyncStub

HUB = "log.dabir.example/1"
DEADLINE_SECONDS = 120.0
ROOT = Path(__file__).parents[3]
SENDER, RECIPIENT, OTHER = "bodies/interior", "bodies/bank", "bodies/other"
CHUNK_BYTES = 256 * 1024
_ROLES = {
    "interior": [directory_pb.ROLE_SENDER],
    "bank": [directory_pb.ROLE_RECIPIENT],
    "other": [directory_pb.ROLE_SENDER, directory_pb.ROLE_RECIPIENT],
    "nobody": [],
}
_SERVICES = ("documents", "intake", "worker", "directory")


def new_document() -> str:
    return names.document(str(uuid.uuid4()))


def new_letter() -> str:
    return names.letter(str(uuid.uuid4()))


class People:
    """Keys and certificates of bodies and services, and what directory says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = DevelopmentPki(folder / "pki")
        self.pki.make()
        self.listed = {self.sha256(body): (f"bodies/{body}", roles) for body, roles in _ROLES.items()}
        self.seal = self._seal("intake")
        self.seals = [self.seal]

    def pair(self, who: str) -> Pair:
        make = self.pki.service_tls_pair if who in _SERVICES else self.pki.body_tls_pair
        return make(who, self.folder / who)

    def sha256(self, who: str) -> bytes:
        return certificate_sha256(self.pair(who).chain[0])

    def documents_seal(self) -> Pair:
        return self.pki.seal_pair("documents", self.folder / "documents", events_of("documents"))

    def another_seal(self, name: str, events: Iterable[str] | None = None) -> KeySigner:
        """A further seal, which directory does not list."""
        return self._seal(name, events)

    def _seal(self, name: str, events: Iterable[str] | None = None) -> KeySigner:
        stated = list(events) if events is not None else list(events_of("intake"))
        pair = self.pki.seal_pair(name, self.folder / name, stated)
        return FileSigner(pair.key, pair.certificate)


class Directory(directory_grpc.DirectoryServiceServicer, directory_grpc.DirectoryInternalServiceServicer):
    """Answers what documents asks of directory, over real gRPC with mutual TLS; what it knows is `People`."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.revoked: set[bytes] = set()

    async def ResolveCertificate(  # noqa: N802
        self, request: directory_pb.ResolveCertificateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> directory_pb.ResolveCertificateResponse:
        if request.sha256 not in self._people.listed:
            await context.abort(grpc.StatusCode.NOT_FOUND, "not listed")
        owner, roles = self._people.listed[request.sha256]
        listed = directory_pb.Certificate(owner=owner, purpose=directory_pb.CERTIFICATE_PURPOSE_TLS, roles=roles)
        return directory_pb.ResolveCertificateResponse(certificate=listed)

    async def GetCertificates(  # noqa: N802
        self, request: directory_pb.GetCertificatesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> directory_pb.GetCertificatesResponse:
        assert request.parent == "services/intake"
        return directory_pb.GetCertificatesResponse(certificates=map(self._seal, self._people.seals))

    def _seal(self, signer: KeySigner) -> directory_pb.Certificate:
        found = directory_pb.Certificate(
            sha256=certificate_sha256(signer.certificate),
            owner="services/intake",
            purpose=directory_pb.CERTIFICATE_PURPOSE_SEAL,
            der=signer.certificate.public_bytes(Encoding.DER),
        )
        found.not_before.FromDatetime(signer.certificate.not_valid_before_utc)
        found.not_after.FromDatetime(signer.certificate.not_valid_after_utc)
        if found.sha256 in self.revoked:
            found.revoked_at.GetCurrentTime()
        return found


@asynccontextmanager
async def serve_directory(people: People) -> AsyncIterator[tuple[Directory, str]]:
    """The directory and its target."""
    pair, server = people.pair("directory"), grpc.aio.server()
    directory = Directory(people)  # type: ignore[abstract]  # what documents asks is all it answers
    directory_grpc.add_DirectoryServiceServicer_to_server(directory, server)
    directory_grpc.add_DirectoryInternalServiceServicer_to_server(directory, server)
    keys = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
    credentials = grpc.ssl_server_credentials(keys, people.pki.root.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield directory, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


_holds = itertools.count(1_000_000)


@dataclass(frozen=True)
class Held:
    """A hold on some rows."""

    connection: psycopg.Connection[Any]
    number: int

    async def reached(self) -> bool:
        """Whether somebody waits to update them."""
        return bool(self._waiting())

    def throw_away(self) -> None:
        for pid in self._waiting():
            self.connection.execute("SELECT pg_terminate_backend(%s)", (pid,))

    def _waiting(self) -> list[int]:
        query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        return [row[0] for row in self.connection.execute(query, (self.number,)).fetchall()]


@dataclass
class Documents:
    """A process of documents and its surroundings. Killed and started again it is the same one, on the same port."""

    config: Path
    port: int
    people: People
    directory: Directory
    postgres: Postgres
    s3: S3Server
    process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """The process, started; whether it gets ready is another question."""
        command = Command((sys.executable, "-m", "services.documents", str(self.config)))
        self.process = launch(command, self.config.with_suffix(".log"), cwd=ROOT)
        return self.process

    async def start(self) -> None:
        self.launch()
        async with self.channel("interior") as channel:
            await asyncio.wait_for(channel.channel_ready(), 30)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            process.wait(30)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return self.config.with_suffix(".log").read_text(encoding="utf-8")

    def channel(self, who: str) -> grpc.aio.Channel:
        """A channel as a body (`interior`) or one of the hub's own (`worker`)."""
        pair = self.people.pair(who)
        credentials = grpc.ssl_channel_credentials(
            self.people.pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(f"localhost:{self.port}", credentials)

    @asynccontextmanager
    async def member(self, who: str) -> AsyncIterator["Member"]:
        async with self.channel(who) as channel:
            yield Member(DocumentServiceStub(channel))

    @asynccontextmanager
    async def service(self, who: str) -> AsyncIterator["DocumentInternalServiceAsyncStub"]:
        async with self.channel(who) as channel:
            yield DocumentInternalServiceStub(channel)

    def sql(self, query: str, *values: object) -> list[Any]:
        """What stands in the database, or is put there behind the service's back."""
        with psycopg.connect(self.postgres.owner_url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    async def accept(
        self,
        granted: dict[str, bytes],
        *,
        recipient: str = RECIPIENT,
        signer: KeySigner | None = None,
        committed: bool = True,
    ) -> str:
        """A letter of SENDER's that `recipient` accepted: its ConsignmentAcceptance, stated as intake does."""
        letter = new_letter()
        delivery = names.delivery(letter, 1)
        ledger = Ledger(hub=HUB, source="intake", signer=signer or self.people.seal)
        connect = psycopg.AsyncConnection.connect(self.postgres.database_url("intake"), autocommit=True)
        async with await connect as connection, connection.transaction(force_rollback=not committed):
            chains = await ledger.open(connection, [delivery])
            statement = await chains.append(
                event=[Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT],
                subject=delivery,
                txn=letter,
                chains=[delivery],
                fields=StatementEvent(
                    manifest_sha256=b"m" * 32,
                    parties=[
                        StatementParty(body=SENDER, certificate_sha256=b"c" * 32),
                        StatementParty(body=recipient, certificate_sha256=b"c" * 32),
                    ],
                    recipients=[
                        StatementRecipient(office=f"{recipient}/offices/main", documents=range(1, len(granted) + 1))
                    ],
                    documents=[StatementDocument(name=name, sha256=sha) for name, sha in granted.items()],
                    receipt_sha256=b"r" * 32,
                    signatures=[StatementSignature(file_sha256=b"f" * 32, certificates_sha256=[b"c" * 32])],
                ),
                sender_body=SENDER,
                recipient_body=recipient,
                previous_of_new_chain={delivery: b"p" * 32},
            )
        return statement.jws

    @contextmanager
    def held(self, table: str, condition: str) -> Iterator["Held"]:
        """Updates of these rows wait, inside the database, until the block ends; what waits then is thrown away.

        So a process can be killed exactly before its write: it has sent it, and it never happens.
        """
        number = next(_holds)
        with psycopg.connect(self.postgres.owner_url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (number,))
            connection.execute(
                f"CREATE FUNCTION documents.hold_{number}() RETURNS trigger LANGUAGE plpgsql AS "
                f"'BEGIN PERFORM pg_advisory_xact_lock({number}); RETURN NEW; END';"
                f"CREATE TRIGGER hold_{number} BEFORE UPDATE ON documents.{table} FOR EACH ROW WHEN ({condition}) "
                f"EXECUTE FUNCTION documents.hold_{number}()".encode()
            )
            held = Held(connection, number)
            try:
                yield held
            finally:
                held.throw_away()
                connection.execute(f"DROP FUNCTION documents.hold_{number} CASCADE".encode())

    async def state_letter(self) -> str:
        """A letter that has a chain in the ledger."""
        letter, ledger = new_letter(), Ledger(hub=HUB, source="intake", signer=self.people.seal)
        connect = psycopg.AsyncConnection.connect(self.postgres.database_url("intake"), autocommit=True)
        async with await connect as connection, connection.transaction():
            chains = await ledger.open(connection, [letter])
            await chains.append(
                event=Event.CLOSED,
                subject=letter,
                txn=letter,
                chains=[letter],
                fields=StatementEvent(),
                sender_body=SENDER,
                recipient_body=None,
            )
        return letter

    def stored(self, name: str) -> list[tuple[str, str]]:
        """Key and version of each segment."""
        rows = self.sql(
            "SELECT number, attempt, version FROM documents.segment WHERE document = %s AND version IS NOT NULL", name
        )
        return [(f"{name}/{number}/{attempt}", version) for number, attempt, version in rows]

    def objects(self, prefix: str) -> set[str]:
        """The versions in S3 under a prefix, delete markers included."""
        found = self.s3.client().list_objects(self.s3.bucket, prefix=prefix, include_version=True, recursive=True)
        return {f"{one.object_name}@{one.version_id}" for one in found}


@asynccontextmanager
async def run_documents(
    folder: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3: S3Server, **settings: Any
) -> AsyncIterator[Documents]:
    """documents as a process of its own, with these settings beyond what it needs."""
    port = free_port()
    config = _write_config(folder, port, people, directory[1], postgres, s3, settings)
    running = Documents(config, port, people, directory[0], postgres, s3)
    try:
        await running.start()
        yield running
    finally:
        running.stop()


def _write_config(
    folder: Path,
    port: int,
    people: People,
    directory_target: str,
    postgres: Postgres,
    s3: S3Server,
    settings: dict[str, Any],
) -> Path:
    pair, seal = people.pair("documents"), people.documents_seal()
    (folder / "database-url").write_text(postgres.database_url("documents"), encoding="utf-8")
    (folder / "s3-secret").write_text(s3.secret_key, encoding="utf-8")
    config = folder / "documents.toml"
    written = {
        "hub": HUB,
        "source": "documents",
        "environment": "development",
        "tls_certificate": pair.certificate,
        "tls_key": pair.key,
        "tls_roots": people.pki.root,
        "tls_service_issuers": people.pki.hub_ca,
        "seal_certificate": seal.certificate,
        "seal_key": seal.key,
        "metrics_listen": "",
        "listen": f"127.0.0.1:{port}",
        "database_url_file": folder / "database-url",
        "allowed_services": ["intake", "worker"],
        "directory_target": directory_target,
        "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key,
        "s3_secret_key_file": folder / "s3-secret",
        "s3_bucket": s3.bucket,
        "s3_tls": False,
        "identity_cache_seconds": 0.0,
        "sweep_interval_seconds": 0.2,
        **settings,
    }
    config.write_text(toml(written), encoding="utf-8")
    return config


class Member:
    """A body's system: uploads and downloads as a client does."""

    def __init__(self, stub: "DocumentServiceAsyncStub") -> None:
        self.stub = stub

    async def upload(
        self,
        data: bytes,
        *,
        name: str = "",
        media_type: str = "application/pdf",
        start: int = 0,
        until: int | None = None,
        **header: Any,
    ) -> pb.Document:
        """Uploads `data`, or its bytes from `start`; with `until` only up to there, and without a finish."""
        parts = upload_parts(data, name or new_document(), media_type, start=start, until=until, **header)
        return (await self.stub.UploadDocument(iter(parts), timeout=DEADLINE_SECONDS)).document

    async def query(self, name: str) -> pb.QueryUploadResponse:
        return await self.stub.QueryUpload(pb.QueryUploadRequest(document=name), timeout=DEADLINE_SECONDS)

    async def get(self, name: str) -> pb.Document:
        return (await self.stub.GetDocument(pb.GetDocumentRequest(name=name), timeout=DEADLINE_SECONDS)).document

    async def download(self, name: str, acceptance: str = "", offset: int = 0, length: int = 0) -> bytes:
        """The bytes; checks offsets, chunk sizes and that the first message says what is sent."""
        request = pb.DownloadDocumentRequest(name=name, consignment_acceptance=acceptance, offset=offset, length=length)
        messages = [m async for m in self.stub.DownloadDocument(request, timeout=DEADLINE_SECONDS)]
        assert messages[0].document.name == name
        position = offset
        for message in messages:
            assert message.offset == position
            assert len(message.data) <= CHUNK_BYTES
            position += len(message.data)
        return b"".join(message.data for message in messages)

    async def confirm(self, name: str, acceptance: str, sha256: bytes) -> pb.ConfirmDownloadResponse:
        request = pb.ConfirmDownloadRequest(document=name, consignment_acceptance=acceptance, sha256=sha256)
        return await self.stub.ConfirmDownload(request, timeout=DEADLINE_SECONDS)


def upload_parts(
    data: bytes, name: str, media_type: str, *, start: int = 0, until: int | None = None, **header: Any
) -> list[pb.UploadDocumentRequest]:
    """The messages of an upload; `header` replaces what its header says."""
    said = {"document": name, "media_type": media_type, "size_bytes": len(data), "sha256": sha256(data), **header}
    parts = [pb.UploadDocumentRequest(header=pb.UploadHeader(**said))]
    end = len(data) if until is None else until
    for offset in range(start, end, CHUNK_BYTES):
        chunk = pb.UploadChunk(offset=offset, data=data[offset : min(offset + CHUNK_BYTES, end)])
        parts.append(pb.UploadDocumentRequest(chunk=chunk))
    if until is None:
        finish = pb.UploadFinish(size_bytes=said["size_bytes"], sha256=said["sha256"])
        parts.append(pb.UploadDocumentRequest(finish=finish))
    return parts


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def refusal(call: Any) -> tuple[str, str]:
    """Code and reason of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, reason_of(caught.value)


def several_segments(count: int, more: int = 1000) -> bytes:
    """A PDF of `count` full segments and about `more` bytes."""
    bare = len(files.pdf(attachment=b"x"))
    return files.pdf(attachment=os.urandom(count * SEGMENT_BYTES + more - bare))
