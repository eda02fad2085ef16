"""Settings of directory."""

from dataclasses import dataclass, field
from pathlib import Path

from services.runtime.config import ServiceConfig


@dataclass(frozen=True, kw_only=True)
class DirectoryConfig(ServiceConfig):
    """`ServiceConfig`, with a seal (it states events), and what certificates are judged by."""

    certificate_roots: Path
    """PEM: the roots that chains of listed certificates must end in."""
    crl_folder: Path = field()  # required here, unlike where it comes from
    """Revocation lists, one per file, PEM or DER; read again when a file changes. Members' certificates are judged by
    them too, so directory needs it everywhere."""
    seed_file: Path | None = None
    """Bodies, offices and certificates to begin with: see seed.py."""
