"""Settings of evidence."""

from dataclasses import dataclass

from services.runtime.config import ServiceConfig, StartRefused


@dataclass(frozen=True, kw_only=True)
class EvidenceConfig(ServiceConfig):
    """`ServiceConfig` and the sequencer's."""

    directory_target: str
    """Address of directory, which says whose a certificate is, e.g. `127.0.0.1:7001`."""
    sequencer_poll_ms: int = 20
    """How long the sequencer waits when it found nothing to number."""
    sequencer_batch: int = 1000
    """Statements numbered in one transaction at most."""
    sequencer_retry_seconds: float = 1.0
    """How long it waits when the database did not answer."""
    measure_seconds: float = 1.0
    """How often the figures of cursors are read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sequencer_poll_ms", "sequencer_batch", "sequencer_retry_seconds", "measure_seconds"):
            if getattr(self, name) <= 0:
                raise StartRefused(f"{name} must be more than 0.")
