"""The hub's processes as production has them, with the least that they start with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from dabir.formats.events import EVENT_FIELDS
from services.directory.config import DirectoryConfig
from services.documents.config import DocumentsConfig
from services.evidence.config import EvidenceConfig
from services.intake.config import IntakeConfig
from services.notifications.config import NotificationsConfig
from services.runtime.channel import open_channel
from services.runtime.config import ProcessConfig, ServiceConfig, from_table
from services.runtime.database import connection_string
from services.runtime.seals import open_ledger
from services.runtime.server import Server
from services.runtime.transport import check_certificates
from tests.contract.harness import Listed
from tests.pki import TestAuthority, write_files
from workers.config import WorkerConfig

CONFIGS: Mapping[str, type[ProcessConfig]] = {
    "intake": IntakeConfig,
    "documents": DocumentsConfig,
    "directory": DirectoryConfig,
    "evidence": EvidenceConfig,
    "notifications": NotificationsConfig,
    "workers": WorkerConfig,
}
PASSWORD = "hunter2"  # noqa: S105 - of nobody
CONNINFO = f"host=db.example dbname=dabir user=dabir password={PASSWORD} sslmode=verify-full"

_PROCESS: dict[str, Any] = {
    "hub": "log.dabir.example/1",
    "environment": "production",
    "tls_certificate": "tls.pem",
    "tls_key": "tls.key.pem",
    "tls_roots": "roots.pem",
    "metrics_listen": "",
}
_CALLING: dict[str, Any] = {"tls_server_roots": "roots.pem"}
_SERVICE: dict[str, Any] = {
    "listen": "127.0.0.1:0",
    "database_url_file": "database-url",
    "tls_service_issuers": "roots.pem",
    "crl_folder": "crls",
}
_SEAL: dict[str, Any] = {"seal_certificate": "seal.pem", "seal_key": "seal.key.pem"}
_DIRECTORY = _CALLING | {"directory_target": "127.0.0.1:1"}
_S3: dict[str, Any] = {
    "s3_endpoint": "s3.example:443",
    "s3_access_key": "k",
    "s3_secret_key_file": "secret",
    "s3_bucket": "dabir",
}
_TARGETS = ("temporal_target", "intake_target", "documents_target", "notifications_target", "evidence_target")

LEAST: dict[str, dict[str, Any]] = {
    name: _PROCESS | {"source": "worker" if name == "workers" else name} | own
    for name, own in {
        "intake": _SERVICE | _SEAL | _DIRECTORY | {"documents_target": "127.0.0.1:2", "signing_roots": "roots.pem"},
        "documents": _SERVICE | _SEAL | _DIRECTORY | _S3,
        "directory": _SERVICE | _SEAL | {"certificate_roots": "roots.pem"},
        "evidence": _SERVICE | _DIRECTORY,
        "notifications": _SERVICE | _SEAL | _DIRECTORY,
        "workers": _CALLING | {"temporal_tls": True} | dict.fromkeys(_TARGETS, "127.0.0.1:3"),
    }.items()
}
"""By process: a test takes each setting away and sees the start refused."""


class Folder:
    """The files that the settings name, and starts with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, own = folder, TestAuthority()
        write_files(own.issue(purpose="tls"), folder, "tls")
        write_files(own.issue(events=sorted(EVENT_FIELDS)), folder, "seal")
        write_files(TestAuthority(development=True).issue(), folder, "development")
        (folder / "roots.pem").write_bytes(own.root.public_bytes(Encoding.PEM))
        (folder / "crls").mkdir()
        (folder / "crls" / "root.pem").write_bytes(own.crls()[0].public_bytes(Encoding.PEM))
        (folder / "secret").write_text("s3cret", encoding="utf-8")
        self.write_conninfo(CONNINFO)

    def write_conninfo(self, conninfo: str) -> None:
        (self.folder / "database-url").write_text(conninfo + "\n", encoding="utf-8")

    async def start(self, process: str, settings: Mapping[str, Any]) -> None:
        """What the process does with its settings before it asks anything of anybody. Raises StartRefused."""
        config = from_table(CONFIGS[process], dict(settings), self.folder, f"{process}.toml")
        check_certificates(config)
        if not isinstance(config, DirectoryConfig):
            await open_channel(config, "127.0.0.1:1").close()
        if isinstance(config, ServiceConfig):
            connection_string(config)
            if not isinstance(config, EvidenceConfig):
                open_ledger(config)
            await Server(config, [], Listed()).stop()
