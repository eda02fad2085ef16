"""What production does not start with, and that it starts with the rest."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dabir.formats.events import events_of
from services.runtime.config import StartRefused
from tests.pki import TestAuthority, write_files
from tests.unit.production import CONFIGS, CONNINFO, LEAST, PASSWORD, Folder

PLAIN = CONNINFO.removesuffix(" sslmode=verify-full")
P384 = ec.generate_private_key(ec.SECP384R1())
MAIL = {"smtp_host": "mail.example", "smtp_sender": "notices@dabir.example"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("production"))


@pytest.fixture
def database(files: Folder) -> Any:
    """Writes a connection string, for this test."""
    yield files.write_conninfo
    files.write_conninfo(CONNINFO)


@pytest.mark.parametrize("process", LEAST)
async def test_every_process_starts_with_the_least(files: Folder, process: str) -> None:
    await files.start(process, LEAST[process])


@pytest.mark.parametrize(("process", "name"), [(process, name) for process in LEAST for name in LEAST[process]])
async def test_none_of_it_can_be_left_out(files: Folder, process: str, name: str) -> None:
    settings = {key: value for key, value in LEAST[process].items() if key != name}
    with pytest.raises(StartRefused, match=name):
        await files.start(process, settings)


@pytest.mark.parametrize(
    ("process", "changed", "says"),
    [
        ("workers", {"temporal_tls": False}, "in production Temporal is reached over TLS only"),
        ("documents", {"s3_tls": False}, "in production the object store is reached over TLS only"),
        ("notifications", MAIL | {"smtp_security": "none"}, "production, and a login, need starttls or tls"),
        ("notifications", {"outgoing_allowed_networks": ["10.0.0.0/8"]}, "production has none"),
        ("intake", {"allowed_services": ["documents"]}, "documents, which may not call intake"),
    ],
)
async def test_what_production_forbids_is_refused(
    files: Folder, process: str, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(StartRefused, match=says):
        await files.start(process, LEAST[process] | changed)


@pytest.mark.parametrize(
    ("process", "seal", "says"),
    [
        ("intake", {"purpose": "sign", "position": "رئیس"}, "the certificate is for sign"),
        (
            "intake",
            {"events": events_of("documents")},
            r"does not list http://\S+Expiry; .* the 17 events",
        ),
        ("notifications", {"events": events_of("notifications"), "key": P384}, "its key must be P-256"),
        ("directory", {}, "does not list urn:dabir:event:certificate-added; have one issued with the 2 events"),
    ],
)
async def test_a_seal_that_nobody_would_believe_is_refused(
    files: Folder, tmp_path: Path, process: str, seal: dict[str, Any], says: str
) -> None:
    key, certificate = write_files(TestAuthority().issue(**seal), tmp_path, "seal")
    changed = {"seal_certificate": str(certificate), "seal_key": str(key)}
    with pytest.raises(StartRefused, match=rf"^The seal {certificate} does not do: .*{says}"):
        await files.start(process, LEAST[process] | changed)


async def test_mail_may_go_over_tls(files: Folder) -> None:
    for security in ("starttls", "tls"):
        await files.start("notifications", LEAST["notifications"] | MAIL | {"smtp_security": security})


def certificates() -> list[tuple[str, str]]:
    """(process, setting) of every file that holds certificates."""
    paths = [
        (process, field.name)
        for process, config in CONFIGS.items()
        for field in dataclasses.fields(config)
        if field.type in (Path, Path | None) and not field.name.endswith(("_key", "_file", "_folder"))
    ]
    assert ("workers", "temporal_tls_roots") in paths
    return paths


@pytest.mark.parametrize(("process", "name"), certificates())
async def test_no_file_may_hold_a_certificate_of_the_development_pki(files: Folder, process: str, name: str) -> None:
    pairs = {"seal_certificate": {"seal_key": "seal.key.pem"}, "temporal_tls_certificate": {"temporal_tls_key": "k"}}
    settings = LEAST[process] | pairs.get(name, {}) | {name: "development.pem"}
    with pytest.raises(StartRefused, match=rf"^{name} .*/development\.pem holds a certificate of the development PKI"):
        await files.start(process, settings)


@pytest.mark.parametrize(
    "conninfo",
    [
        PLAIN,
        f"{PLAIN} sslmode=require",
        f"{PLAIN} sslmode=verify-ca sslrootcert=/etc/dabir/roots.pem",
        f"postgresql://dabir:{PASSWORD}@db.example/dabir?sslmode=prefer",
        f"{PLAIN} host=/run/postgresql,db.example",
        f"{PLAIN} host=/run/postgresql hostaddr=192.0.2.1",
        f"dbname=dabir user=dabir password={PASSWORD}",
    ],
)
async def test_postgresql_is_reached_over_verified_tls(files: Folder, database: Any, conninfo: str) -> None:
    database(conninfo)
    says = "^database_url_file .*/database-url does not say sslmode=verify-full: in production add it"
    with pytest.raises(StartRefused, match=says) as refused:
        await files.start("intake", LEAST["intake"])
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "conninfo",
    [
        f"postgresql://dabir:{PASSWORD}@db.example,db2.example/dabir?sslmode=verify-full&sslrootcert=system",
        f"{PLAIN} host=/run/postgresql",
        f"postgresql://dabir:{PASSWORD}@%2Frun%2Fpostgresql/dabir",
    ],
)
async def test_or_through_a_unix_socket(files: Folder, database: Any, conninfo: str) -> None:
    database(conninfo)
    await files.start("intake", LEAST["intake"])


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    "conninfo",
    [
        "",
        PASSWORD,
        f"{PLAIN} {PASSWORD}",
        f"host=db.example password=one {PASSWORD}",
        f"postgresql://dabir:50%{PASSWORD}@db.example/dabir?sslmode=verify-full",
        f"postgresql://dabir:one@{PASSWORD}@db.example/dabir?sslmode=verify-full",
        f"postgresql://dabir:one/{PASSWORD}@db.example/dabir?sslmode=verify-full",
    ],
)
async def test_what_is_no_connection_string_is_not_quoted(
    files: Folder, database: Any, conninfo: str, environment: str
) -> None:
    database(conninfo)
    with pytest.raises(StartRefused, match="database-url holds no connection string") as refused:
        await files.start("intake", LEAST["intake"] | {"environment": environment})
    assert PASSWORD not in str(refused.value)
