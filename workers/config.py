"""Settings of the workers."""

from dataclasses import dataclass
from pathlib import Path

from services.runtime.config import ProcessConfig, StartRefused


@dataclass(frozen=True, kw_only=True)
class WorkerConfig(ProcessConfig):
    """`ProcessConfig` and where Temporal and the services are. Any number of workers may run side by side."""

    temporal_target: str
    """Address of Temporal's frontend, e.g. `127.0.0.1:7233`."""
    intake_target: str
    documents_target: str
    notifications_target: str
    evidence_target: str
    temporal_tls: bool = False
    """Whether Temporal's frontend speaks TLS; production must say true."""
    temporal_tls_roots: Path | None = None
    """PEM: who may issue the frontend's certificate; the system's where not given."""
    temporal_tls_server_name: str = ""
    """The DNS name that the frontend's certificate must carry; the host of `temporal_target` where not given."""
    temporal_tls_certificate: Path | None = None
    """PEM: our certificate for Temporal, then its issuers without the root."""
    temporal_tls_key: Path | None = None
    """PEM, PKCS#8."""
    temporal_namespace: str = "dabir"
    task_queue: str = "letters"
    """Of the workflows and their activities."""
    temporal_connect_seconds: float = 30.0
    """How long a worker waits at its start for Temporal and its namespace."""
    stop_grace_seconds: float = 10.0
    """What runs at SIGTERM may take this long to finish; the rest is taken up by another worker."""
    workflow_cache: int = 1000
    """Workflows kept in memory; one that is not is played again from its history."""

    follower: str = "workflows"
    """The name under which the ledger is followed: all workers share its cursor."""
    follow_batch: int = 100
    """Statements taken at once, at most 1,000."""
    follow_lease_seconds: int = 6
    """How long a batch is one worker's: after its death another goes on this much later. At most 300."""
    follow_poll_seconds: float = 0.1
    """How long to wait when there was nothing to follow."""
    follow_retry_seconds: float = 1.0
    """How long to wait in an outage, and while another has the batch."""
    follow_letters_at_once: int = 16
    """Letters of a batch that are told at the same time."""

    reconcile_seconds: float = 20.0
    """How often open letters, and links that are down, are compared with open runs; at most 30, so that each goes on
    within 60."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits = {"follow_batch": 1000, "follow_lease_seconds": 300, "reconcile_seconds": 30}
        for name, most in limits.items():
            if not 0 < getattr(self, name) <= most:
                raise StartRefused(f"{name} must be more than 0 and at most {most}.")
        if self.environment == "production" and not self.temporal_tls:
            raise StartRefused("temporal_tls is false: in production Temporal is reached over TLS only.")
        if (self.temporal_tls_certificate is None) != (self.temporal_tls_key is None):
            raise StartRefused("temporal_tls_certificate and temporal_tls_key belong together: give both or neither.")
        if not self.temporal_tls and (
            self.temporal_tls_roots or self.temporal_tls_server_name or self.temporal_tls_certificate
        ):
            raise StartRefused("temporal_tls is false, and settings of it are given: say temporal_tls = true.")
