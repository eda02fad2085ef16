"""Settings of intake."""

from dataclasses import dataclass
from pathlib import Path

from services.runtime.config import ServiceConfig, StartRefused


@dataclass(frozen=True, kw_only=True)
class IntakeConfig(ServiceConfig):
    """`ServiceConfig`, the neighbours, whom to trust, and where definitions lie."""

    directory_target: str
    """Address of directory, which knows offices and certificates, e.g. `127.0.0.1:7001`."""
    documents_target: str
    """Address of documents, where a letter's documents are claimed."""
    signing_roots: Path
    """PEM: the roots of those who issue signing certificates and seals."""
    definition_folders: tuple[Path, ...] = ()
    """Folders of further `{type}.{version}.toml`, beside those that come with intake."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seal_certificate is None:
            raise StartRefused("seal_certificate and seal_key are missing: intake states what it registers.")
