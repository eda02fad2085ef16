"""The line up to a mailbox, on real parts: directory, documents and two copies of intake as processes of their own.

They share a database of this line's own, whose `ledger.clock()` a test may set ahead.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import psycopg
from cryptography import x509

from dabir.common.v1.statement_pb2 import StatementPayload
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceStub
from dabir.formats.events import events_of
from dabir.formats.statement import digest, verify_statement
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from infra.local.pki import DevelopmentPki, Pair
from infra.local.settings import toml
from services.runtime.access import callers_of
from tests.conftest import Postgres, S3Server, free_port

if TYPE_CHECKING:
    # These stand in the stubs' types only.
    from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceAsyncStub
    from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceAsyncStub

HUB = "log.dabir.example/1"
ROOT = Path(__file__).parents[3]
START_SECONDS = 60
CALL_SECONDS = 60.0
SERVICES = ("directory", "documents", "intake")
COPIES = ("intake", "intake-2")

ALL = ("sender", "recipient", "reader")
CLEARED = (*ALL, "clearance_highly_confidential")
BODIES = {"interior": "JALALI", "bank": "JALALI", "court": "JALALI", "post": "GREGORIAN"}
OFFICES = ("registry", "branch", "patient", "late")
SYSTEMS: dict[str, tuple[str, Sequence[str]]] = {
    "interior": ("interior", ALL),
    "interior-cleared": ("interior", CLEARED),
    "interior-reader": ("interior", ("reader",)),
    "bank": ("bank", ALL),
    "bank-cleared": ("bank", CLEARED),
    "bank-half-cleared": ("bank", (*ALL, "clearance_confidential")),
    "bank-reader": ("bank", ("reader",)),
    "court": ("court", CLEARED),
    "post": ("post", ALL),
}
"""Members' systems: whose they are, and what their certificates may do."""
POSITIONS = ("وزیر", "معاون", "برکنار")
_CLOCK = """
CREATE TABLE public.test_clock (ahead interval NOT NULL);
INSERT INTO public.test_clock VALUES ('0');
GRANT SELECT ON public.test_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION ledger.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS 'SELECT clock_timestamp() + ahead FROM public.test_clock';
"""


@dataclass
class Line:
    """The running processes, the keys of everybody, and what stands in the database."""

    folder: Path
    postgres: Postgres
    s3: S3Server
    pki: DevelopmentPki
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _seals: dict[str, x509.Certificate] = field(default_factory=dict)
    _verified: dict[str, StatementPayload] = field(default_factory=dict)
    _connection: psycopg.Connection[Any] | None = None

    # Keys.

    def tls(self, who: str) -> Pair:
        """Of a member's system, of one of the hub's own, or of a body that directory does not list (`stranger`)."""
        if who in (*SERVICES, "worker", "operator"):
            return self.pki.service_tls_pair(who, self.folder / "hub" / who)
        body = SYSTEMS[who][0] if who in SYSTEMS else who
        return self.pki.body_tls_pair(body, self.folder / "systems" / who)

    def sign(self, body: str, position: str) -> Pair:
        """A position's key."""
        number = POSITIONS.index(position) + 1
        return self.pki.sign_pair(body, position, number, self.folder / "bodies" / body)

    def seal(self, owner: str) -> Pair:
        """A body's, or a hub service's with its events."""
        if owner in SERVICES:
            return self.pki.seal_pair(owner, self.folder / "hub" / owner, events_of(owner))
        return self.pki.seal_pair(owner, self.folder / "bodies" / owner)

    # Processes.

    async def start(self, name: str) -> None:
        """Start a process on its port and wait until it serves."""
        self._launch(name)
        async with self.channel("worker", name) as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), START_SECONDS)
            except TimeoutError as error:
                raise AssertionError(f"{name} did not start: {self.log(name)[-2000:]}") from error

    def _launch(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"services.{_service(name)}", str(self.folder / f"{name}.toml")],
                cwd=ROOT,
                stderr=log,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}"},
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        self._end(name, signal.SIGTERM)

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait(30)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def channel(self, who: str, name: str = "intake") -> grpc.aio.Channel:
        """A channel as somebody to a process."""
        pair = self.tls(who)
        credentials = grpc.ssl_channel_credentials(
            self.pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(f"localhost:{self.ports[name]}", credentials)

    @asynccontextmanager
    async def worker(self, name: str = "intake") -> AsyncIterator["IntakeInternalServiceAsyncStub"]:
        """What the workers call."""
        async with self.channel("worker", name) as channel:
            yield IntakeInternalServiceStub(channel)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator["DirectoryInternalServiceAsyncStub"]:
        """What an operator calls."""
        async with self.channel("operator", "directory") as channel:
            yield DirectoryInternalServiceStub(channel)

    # The database.

    def sql(self, query: str, *values: object) -> list[Any]:
        """What stands there, or is put there behind the services' backs."""
        if self._connection is None:
            self._connection = psycopg.connect(self.postgres.owner_url, autocommit=True)
        cursor = self._connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def clock_ahead(self, interval: str) -> Iterator[None]:
        """The hub's clock, set ahead. What is stated meanwhile keeps its chains there: use offices of its own."""
        self.sql("UPDATE public.test_clock SET ahead = %s", interval)
        try:
            yield
        finally:
            self.sql("UPDATE public.test_clock SET ahead = '0'")

    def stored(self) -> dict[str, int]:
        """How much intake holds and has stated: the same before and after whatever is refused."""
        tables = ("letter", "delivery", "receipt", "recall", "reading", "operator_action")
        counts = [f"(SELECT count(*) FROM intake.{table})" for table in tables]  # noqa: S608 - constants
        counts.append("(SELECT count(*) FROM ledger.statement WHERE source = 'intake')")
        return dict(zip((*tables, "statements"), self.sql(f"SELECT {', '.join(counts)}")[0], strict=True))

    def statements(self, subject: str) -> list[tuple[str, StatementPayload]]:
        """What is stated of a subject, each verified with its service's seal: compact JWS and payload, in order."""
        rows = self.sql("SELECT jws, source FROM ledger.statement WHERE subject = %s ORDER BY sequence", subject)
        return [(jws, self._verify(jws, source)) for jws, source in rows]

    def _verify(self, jws: str, source: str) -> StatementPayload:
        """Each compact JWS is verified once: the whole ledger is looked through after many a test."""
        if source not in self._seals:
            self._seals[source] = self.seal(source).chain[0]
        if jws not in self._verified:
            self._verified[jws] = verify_statement(jws, self._seals[source])
        return self._verified[jws]

    def check_books(self) -> None:
        """Every book: numbers from 1 without a gap or a repeat, each linked to the one before."""
        heads: dict[str, tuple[int, bytes]] = {}
        query = "SELECT jws FROM ledger.statement WHERE source = 'intake' ORDER BY ordinal"
        for (jws,) in self.sql(query):
            payload = self._verify(jws, "intake")
            stated = next(event for event in payload.events.values() if event.links)
            for link in stated.links:
                if link.chain.startswith("books/"):
                    before, head = heads.get(link.chain, (0, b""))
                    assert (link.sequence, link.previous) == (before + 1, head), f"{link.chain} breaks after {before}"
                    heads[link.chain] = (link.sequence, digest(jws))


def _service(name: str) -> str:
    return name.removesuffix("-2")


@asynccontextmanager
async def run_line(folder: Path, postgres: Postgres, s3: S3Server, **settings: Any) -> AsyncIterator[Line]:
    """Everything up, with these settings of intake's beyond what it needs."""
    line = Line(folder, postgres, s3, DevelopmentPki(folder / "pki"))
    line.pki.make()
    line.sql(_CLOCK)
    line.ports = {name: free_port() for name in ("directory", "documents", *COPIES)}
    (folder / "seed.toml").write_text(toml(_seed(line)), encoding="utf-8")
    for name in line.ports:
        (folder / f"{name}.toml").write_text(toml(_settings(line, name, settings)), encoding="utf-8")
    try:
        await line.start("directory")
        await asyncio.gather(*(line.start(name) for name in ("documents", *COPIES)))
        yield line
    finally:
        for name in list(line.processes):
            line.stop(name)
        line.close()


def _seed(line: Line) -> dict[str, Any]:
    bodies = [
        {
            "name": f"bodies/{body}",
            "display_name_fa": body,
            "display_name_en": body,
            "time_zone": "Asia/Tehran",
            "calendar": calendar,
            "office": [
                {
                    "name": f"bodies/{body}/offices/{office}",
                    "display_name_fa": office,
                    "display_name_en": office,
                    "number_pattern": "{year}/12/{sequence}" if office == "registry" else "",
                }
                for office in OFFICES
            ],
        }
        for body, calendar in BODIES.items()
    ]
    certificates: list[dict[str, Any]] = [
        {"owner": f"bodies/{body}", "file": line.tls(system).certificate, "roles": list(roles)}
        for system, (body, roles) in SYSTEMS.items()
    ]
    for body in BODIES:
        pairs = [line.seal(body), *(line.sign(body, position) for position in POSITIONS)]
        certificates += [{"owner": f"bodies/{body}", "file": pair.certificate} for pair in pairs]
    certificates += [{"owner": f"services/{one}", "file": line.seal(one).certificate} for one in SERVICES]
    return {"body": bodies, "certificate": certificates}


def _settings(line: Line, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    service, folder = _service(name), line.folder
    (folder / f"{service}.url").write_text(line.postgres.database_url(service), encoding="utf-8")
    (folder / "s3-secret").write_text(line.s3.secret_key, encoding="utf-8")
    tls, seal, target = line.tls(service), line.seal(service), f"127.0.0.1:{line.ports['directory']}"
    own: dict[str, dict[str, Any]] = {
        "directory": {
            "certificate_roots": line.pki.root,
            "crl_folder": line.pki.crls,
            "seed_file": folder / "seed.toml",
        },
        "documents": {
            "directory_target": target,
            "s3_endpoint": line.s3.endpoint,
            "s3_access_key": line.s3.access_key,
            "s3_secret_key_file": folder / "s3-secret",
            "s3_bucket": line.s3.bucket,
            "s3_tls": False,
        },
        "intake": {
            "directory_target": target,
            "documents_target": f"127.0.0.1:{line.ports['documents']}",
            "signing_roots": line.pki.root,
            "definition_folders": [Path(__file__).parent / "definitions"],
            **settings,
        },
    }
    return {
        "hub": HUB,
        "source": service,
        "environment": "development",
        "tls_certificate": tls.certificate,
        "tls_key": tls.key,
        "tls_roots": line.pki.root,
        "tls_service_issuers": line.pki.hub_ca,
        "seal_certificate": seal.certificate,
        "seal_key": seal.key,
        "metrics_listen": "",
        "listen": f"127.0.0.1:{line.ports[name]}",
        "database_url_file": folder / f"{service}.url",
        "allowed_services": sorted(callers_of(service)),
        "identity_cache_seconds": 0.0,
        "stop_grace_seconds": 1.0,
        **own[service],
    }
