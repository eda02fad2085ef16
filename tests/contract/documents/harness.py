"""A running documents that a test may kill, hold before a write, and look behind."""

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import psycopg

from dabir.common.v1.statement_pb2 import (
    StatementDocument,
    StatementEvent,
    StatementParty,
    StatementRecipient,
    StatementSignature,
)
from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceStub, DocumentServiceStub
from dabir.formats import names
from dabir.formats.events import Event
from dabir.formats.signer import KeySigner
from infra.local.child import Command, launch
from infra.local.settings import toml
from services.runtime.ledger import Ledger
from tests.conftest import Postgres, S3Server, free_port
from tests.contract.documents.member import Member, new_letter
from tests.contract.documents.people import HUB, RECIPIENT, SENDER, Directory, People

if TYPE_CHECKING:  # they exist for the type checker alone
    from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceAsyncStub

ROOT = Path(__file__).parents[3]
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

    def channel(self, who: str, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """A channel as a body (`interior`) or one of the hub's own (`worker`); `options`: grpc's."""
        pair = self.people.pair(who)
        credentials = grpc.ssl_channel_credentials(
            self.people.pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(f"localhost:{self.port}", credentials, options)

    @asynccontextmanager
    async def member(self, who: str, options: Sequence[tuple[str, Any]] = ()) -> AsyncIterator[Member]:
        async with self.channel(who, options) as channel:
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
    def held(self, table: str, condition: str) -> Iterator[Held]:
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
