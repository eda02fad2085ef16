"""Streams over processes that are killed, restarted and stopped, with directory's word on who calls."""

import asyncio
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import psycopg

from dabir.directory.v1.directory_pb2 import RevokeCertificateRequest
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceStub
from dabir.formats.signer import FileSigner, certificate_sha256
from dabir.formats.statement import events_of
from infra.local.pki import DevelopmentPki
from infra.local.settings import toml
from services.directory.config import DirectoryConfig
from services.runtime.ledger import Ledger
from tests.conftest import Postgres, free_port
from tests.contract.evidence.harness import DEADLINE_SECONDS, Watch, config_of, tls_pair
from tests.integration.ledger.writer import FACTS, HUB, SENDERS, consign, register

ROOT = Path(__file__).parents[3]
MEMBERS = ("interior", "bank")


class Process:
    """One of the hub's own on a port of its own."""

    def __init__(self, folder: Path, pki: DevelopmentPki, service: str, settings: dict[str, Any]) -> None:
        self._folder, self._pki, self._service = folder, pki, service
        self._port = free_port()
        self._config = folder / f"{service}-{self._port}.toml"
        self._config.write_text(toml({**settings, "listen": f"127.0.0.1:{self._port}"}), encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    def channel(self, who: str) -> grpc.aio.Channel:
        pair = tls_pair(self._pki, who)
        credentials = grpc.ssl_channel_credentials(
            self._pki.root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(
            f"localhost:{self._port}", credentials, [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        )

    async def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"services.{self._service}", str(self._config), cwd=ROOT, stdout=log, stderr=log
            )
        async with self.channel("worker") as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), 2 * DEADLINE_SECONDS)
            except TimeoutError:
                raise AssertionError((self._folder / "log").read_text(encoding="utf-8")[-2000:]) from None

    async def end(self, how: signal.Signals) -> None:
        """Sends the signal and waits for the end."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await asyncio.wait_for(self._process.wait(), DEADLINE_SECONDS)


@asynccontextmanager
async def _running(folder: Path, pki: DevelopmentPki, postgres: Postgres) -> AsyncIterator[tuple[Process, ...]]:
    """directory and two evidences."""
    evidence = config_of(folder, pki, postgres)
    shared = {key: value for key, value in dataclasses.asdict(evidence).items() if value not in (None, ())}
    seal, tls = pki.seal_pair("directory", folder, events_of("directory")), pki.service_tls_pair("directory", folder)
    (folder / "directory-url").write_text(postgres.database_url("directory"), encoding="utf-8")
    (folder / "seed.toml").write_text(toml(_seed(pki)), encoding="utf-8")
    known = {field.name for field in dataclasses.fields(DirectoryConfig)}
    of_directory = {key: value for key, value in shared.items() if key in known} | {
        "source": "directory",
        "tls_certificate": tls.certificate,
        "tls_key": tls.key,
        "seal_certificate": seal.certificate,
        "seal_key": seal.key,
        "database_url_file": folder / "directory-url",
        "allowed_services": ["evidence", "operator"],
        "certificate_roots": pki.root,
        "crl_folder": pki.crls,
        "seed_file": folder / "seed.toml",
    }
    directory = Process(folder, pki, "directory", of_directory)
    of_evidence = shared | {
        "allowed_services": ["worker"],
        "directory_target": directory.target,
        "identity_cache_seconds": 0.2,
    }
    replicas = [Process(folder, pki, "evidence", of_evidence) for _ in range(2)]
    try:
        await directory.start()
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield (directory, *replicas)
    finally:
        for process in (*replicas, directory):
            await process.end(signal.SIGKILL)


def _seed(pki: DevelopmentPki) -> dict[str, Any]:
    named = {"display_name_fa": "دستگاه", "display_name_en": "Body"}
    bodies = [
        {"name": f"bodies/{body}", **named, "time_zone": "Asia/Tehran", "calendar": "JALALI", "office": []}
        for body in MEMBERS
    ]
    roles = ["sender", "recipient", "reader"]
    certificates = [
        {"owner": f"bodies/{body}", "file": tls_pair(pki, body).certificate, "roles": roles} for body in MEMBERS
    ]
    return {"body": bodies, "certificate": certificates}


async def test_a_stream_outlives_every_process_without_gap_or_repeat(fresh_postgres: Postgres, tmp_path: Path) -> None:
    pki = DevelopmentPki(tmp_path / "pki")
    pki.make()
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
    seal = pki.seal_pair("intake", tmp_path / "intake", events_of("intake"))
    ledger = Ledger(hub=HUB, source="intake", signer=FileSigner(seal.key, seal.certificate))

    async def state(letters: int) -> None:
        url = fresh_postgres.database_url("intake")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for _ in range(letters):
                await consign(connection, ledger, await register(connection, ledger, SENDERS[0]))

    seen: list[int] = []

    async def read(served: Process, count: int) -> None:
        async with Watch(served, "bank", seen[-1] if seen else 0) as watch:
            seen.extend([one.position for one in await watch.statements(count)])

    async with _running(tmp_path, pki, fresh_postgres) as (directory, one, other):
        await state(20)
        async with Watch(one, "bank") as watch:
            seen += [statement.position for statement in await watch.statements(9)]
            stating = asyncio.create_task(state(20))
            await one.end(signal.SIGKILL)  # in the middle of what stands, while more is stated
            assert (await watch.ending(seen))[0] == "UNAVAILABLE"
        await read(other, 11)
        await asyncio.gather(one.start(), other.end(signal.SIGKILL))
        await read(one, 25)
        await stating
        async with Watch(one, "bank", seen[-1]) as watch:
            seen += [statement.position for statement in await watch.up_to(3 * 40 + len(MEMBERS))]
            stopping = asyncio.create_task(one.end(signal.SIGTERM))
            assert await watch.ending() == ("UNAVAILABLE", "STOPPING")
            await stopping
        with psycopg.connect(fresh_postgres.owner_url) as connection:
            rows = connection.execute(
                "SELECT position FROM ledger.statement "
                "WHERE 'bodies/bank' IN (sender_body, recipient_body) ORDER BY position"
            ).fetchall()
        assert len(rows) == 81, "two of each letter, and its certificate"
        assert seen == [position for (position,) in rows]

        await other.start()
        async with Watch(other, "bank", seen[-1]) as watch, directory.channel("operator") as channel:
            await watch.next()
            digest = certificate_sha256(tls_pair(pki, "bank").chain[0])
            request = RevokeCertificateRequest(sha256=digest, reason="KEY_COMPROMISED")
            await DirectoryInternalServiceStub(channel).RevokeCertificate(request, timeout=DEADLINE_SECONDS)
            assert await watch.ending() == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
