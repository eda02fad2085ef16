"""`python -m services.directory CONFIG.toml`: its seed file, its end, the configurations it refuses."""

import asyncio
import contextlib
import dataclasses
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.directory.v1 import directory_pb2 as pb
from infra.local.settings import toml
from services.directory.config import DirectoryConfig
from services.directory.registry import Registry
from services.runtime.config import StartRefused
from services.runtime.database import open_pool
from services.runtime.seals import open_ledger
from tests.conftest import Postgres, free_port
from tests.contract.directory.hub import Directory, config_of
from tests.contract.harness import DEADLINE_SECONDS, Identities, refusal, sha256, until
from tests.pki import TestAuthority, write_files

ROOT = Path(__file__).parents[3]
BODIES = [f"body-{number}" for number in range(6)]


class Setting:
    """A folder with PKI, seed file and configuration, and a database without rows."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.folder, self.postgres, self.port = folder, postgres, free_port()
        self.identities = Identities(folder / "pki")
        self.config = config_of(
            folder, postgres, self.identities, seed_file=folder / "seed.toml", listen=f"127.0.0.1:{self.port}"
        )
        self.seed = self._seed()
        self.write()

    def _seed(self) -> dict[str, list[dict[str, Any]]]:
        authority, bodies, certificates = self.identities.pki, [], []
        for name in BODIES:
            office = {
                "name": f"bodies/{name}/offices/main",
                "display_name_fa": "دبیرخانه",
                "display_name_en": "Registry",
            }
            names = {"display_name_fa": "بانک", "display_name_en": "Bank"}
            bodies.append(
                {
                    "name": f"bodies/{name}",
                    **names,
                    "time_zone": "Asia/Tehran",
                    "calendar": "JALALI",
                    "office": [office],
                }
            )
            tls = authority.body_tls_pair(name, self.folder / name)
            seal = authority.seal_pair(name, self.folder / name)
            certificates += [
                {"owner": f"bodies/{name}", "file": tls.certificate, "roles": ["sender", "recipient"]},
                {"owner": f"bodies/{name}", "file": seal.certificate.relative_to(self.folder)},
            ]
        return {"body": bodies, "certificate": certificates}

    def write(self, **changed: Any) -> Path:
        """Writes seed and configuration; gives the latter."""
        assert self.config.seed_file is not None
        self.config.seed_file.write_text(toml(self.seed), encoding="utf-8")
        settings = {key: value for key, value in dataclasses.asdict(self.config).items() if value not in (None, ())}
        settings |= {"allowed_services": list(self.config.allowed_services), **changed}
        path = self.folder / "directory.toml"
        path.write_text(toml(settings), encoding="utf-8")
        return path

    def rows(self, query: bytes) -> list[Any]:
        with psycopg.connect(self.postgres.owner_url) as connection:
            return connection.execute(query).fetchall()

    def has_certificates(self, at_least: int) -> bool:
        return bool(self.rows(b"SELECT count(*) FROM directory.certificate")[0][0] >= at_least)


@pytest.fixture
def setting(tmp_path: Path, fresh_postgres: Postgres) -> Setting:
    return Setting(tmp_path, fresh_postgres)


@asynccontextmanager
async def started(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process; killed if the test leaves it running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.directory", str(config), cwd=ROOT, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}"},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """The first log line with this event; fails when the process ends without it."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for line in process.stderr:
            if line.startswith(b"{") and (told := json.loads(line))["event"] == event:
                return dict(told)
    raise AssertionError(f"the process ended without saying {event}")


async def outcome(config: Path) -> tuple[int | None, str]:
    """Exit status and what stood on standard error, of a process that ends by itself."""
    async with started(config) as process:
        _, errors = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        return process.returncode, errors.decode()


async def test_it_takes_as_many_open_files_as_the_kernel_gives(setting: Setting) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        async with started(setting.write()) as process:
            await until(lambda: resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (hard, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_it_serves_what_the_seed_says_and_ends_at_sigterm(setting: Setting) -> None:
    async with started(setting.write()) as process:
        assert (await said(process, "serving"))["port"] == setting.port
        hub = Directory(setting.folder, setting.postgres, setting.config, setting.identities)
        await hub.listen(setting.port)
        page = await (await hub.members("intake")).ListBodies(pb.ListBodiesRequest())
        assert [body.name for body in page.bodies] == [f"bodies/{name}" for name in BODIES]
        member = await hub.members(setting.identities.pki.body_tls_pair("body-0", setting.folder / "body-0"))
        await member.GetBody(pb.GetBodyRequest(name="bodies/body-0"))
        await hub.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0


async def test_killed_while_seeding_it_goes_on_and_states_each_certificate_once(setting: Setting) -> None:
    config = setting.write()
    for at_least in (1, 7):
        async with started(config) as process:
            await until(partial(setting.has_certificates, at_least))
            process.send_signal(signal.SIGKILL)
    async with started(config) as process:
        await said(process, "serving")
        assert setting.rows(b"SELECT count(*) FROM directory.certificate") == [(len(BODIES) * 2,)]
        stated = setting.rows(b"SELECT subject, count(*) FROM ledger.statement GROUP BY subject ORDER BY subject")
        assert stated == [(f"bodies/{name}", 2) for name in BODIES]


async def test_a_further_start_adds_what_is_missing_and_leaves_what_stands(setting: Setting) -> None:
    config = setting.write()
    async with started(config) as process:
        await said(process, "serving")
        hub = Directory(setting.folder, setting.postgres, setting.config, setting.identities)
        await hub.listen(setting.port)
        pair = setting.identities.pki.body_tls_pair("body-0", setting.folder / "body-0")
        request = pb.RevokeCertificateRequest(sha256=sha256(pair), reason="SUPERSEDED")
        await hub.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS)
        await hub.close()
    setting.seed["body"][0]["display_name_en"] = "Renamed"
    renewed = setting.identities.pki.seal_pair("body-0", setting.folder / "renewed")
    setting.seed["certificate"].append({"owner": "bodies/body-0", "file": renewed.certificate})
    async with started(setting.write()) as process:
        await said(process, "serving")
        hub = Directory(setting.folder, setting.postgres, setting.config, setting.identities)
        await hub.listen(setting.port)
        found = await (await hub.members("intake")).GetBody(pb.GetBodyRequest(name="bodies/body-0"))
        assert found.body.display_name_en == "Bank"
        refused = await refusal((await hub.members(pair)).GetBody(pb.GetBodyRequest(name="bodies/body-0")))
        assert refused.reason == "CERTIFICATE_REVOKED"
        await hub.close()
        assert setting.rows(b"SELECT count(*) FROM directory.certificate") == [(len(BODIES) * 2 + 1,)]


async def test_a_seed_that_does_not_do_stops_the_start_and_names_the_entry(setting: Setting) -> None:
    setting.seed["body"][2]["time_zone"] = "Mars/Olympus"
    status, errors = await outcome(setting.write())
    assert status == 2
    assert "bodies/body-2" in errors
    assert "Asia/Tehran" in errors  # what to write instead
    assert "Traceback" not in errors


async def test_production_refuses_the_development_pki_before_it_opens_the_database(setting: Setting) -> None:
    # Later, the seed would have been stated under a seal that anyone can make.
    status, errors = await outcome(setting.write(environment="production"))
    assert status == 2
    assert "development PKI" in errors
    assert "database_url_file" not in errors
    assert "Traceback" not in errors


async def test_production_refuses_a_database_without_verified_tls_and_keeps_its_password(setting: Setting) -> None:
    own, folder = TestAuthority(), setting.folder
    write_files(own.issue(purpose="tls"), folder, "own")
    (folder / "roots.pem").write_bytes(own.root.public_bytes(Encoding.PEM))
    changed: dict[str, Any] = dict.fromkeys(("tls_roots", "tls_service_issuers", "certificate_roots"), "roots.pem")
    changed |= {"tls_certificate": "own.pem", "tls_key": "own.key.pem"}
    changed |= {"seal_certificate": "own.pem", "seal_key": "own.key.pem"}
    status, errors = await outcome(setting.write(environment="production", **changed))
    assert status == 2
    assert f"database_url_file {setting.config.database_url_file} does not say sslmode=verify-full" in errors
    assert setting.postgres.passwords["directory"] not in errors
    assert "Traceback" not in errors


async def test_a_database_of_a_newer_release_or_without_our_schema_stops_the_start(setting: Setting) -> None:
    with psycopg.connect(setting.postgres.owner_url) as connection:
        connection.execute(b"INSERT INTO public.schema_version (version, name, sha256) VALUES (999, '999_x.sql', '')")
    with pytest.raises(StartRefused, match="schema version 999"):
        await _open_pool(setting.config)
    with psycopg.connect(setting.postgres.owner_url) as connection:
        connection.execute(b"DELETE FROM public.schema_version WHERE name IN ('999_x.sql', '002_directory.sql')")
    with pytest.raises(StartRefused, match="lacks schema version 2"):
        await _open_pool(setting.config)
    with psycopg.connect(setting.postgres.owner_url) as connection:
        connection.execute(b"DROP TABLE public.schema_version")
    with pytest.raises(StartRefused, match="no schema of ours"):
        await _open_pool(setting.config)


@pytest.mark.parametrize("setting_name", ["crl_folder", "certificate_roots"])
async def test_what_certificates_are_judged_by_must_be_there(setting: Setting, setting_name: str) -> None:
    missing: dict[str, Any] = {setting_name: setting.folder / "nowhere"}
    config = dataclasses.replace(setting.config, **missing)
    async with open_pool(config) as pool:
        with pytest.raises(StartRefused, match="nowhere cannot be read"):
            Registry(config, pool, open_ledger(config))


async def _open_pool(config: DirectoryConfig) -> None:
    async with open_pool(config):
        pass
