"""Settings of documents."""

from dataclasses import dataclass
from pathlib import Path

from services.documents.domain.periods import Periods
from services.documents.inspection.finding import INSPECTED_MEDIA_TYPES, Limits
from services.runtime.config import ServiceConfig, StartRefused

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class DocumentsConfig(ServiceConfig):
    """Beside what every service needs: where bytes are kept, what is taken, what an inspection may cost."""

    directory_target: str
    """`host:port` of directory, or `ipv4:a:1,a:2` for several replicas."""
    s3_endpoint: str
    """`host:port` of the object store."""
    s3_access_key: str
    s3_secret_key_file: Path
    s3_bucket: str
    """A bucket with versions and object lock."""
    s3_region: str = "us-east-1"
    s3_tls: bool = True
    s3_roots: Path | None = None
    """PEM: who may issue the store's certificate; the system's where not given."""
    s3_connections: int = 16
    """Requests to the store at once."""
    s3_connect_timeout_seconds: float = 5.0
    s3_timeout_seconds: float = 60.0
    """For one request; at least 30, because a store's first PUT can stall."""

    allowed_media_types: tuple[str, ...] = (
        "application/pdf", "image/png", "image/jpeg", "image/tiff", "text/plain", "text/xml", "application/xml",
        "application/json",
    )  # fmt: skip
    """What may be uploaded; each must have an inspection."""
    document_max_bytes: int = 2 * 1024**3
    transfers_max: int = 16
    """Uploads and downloads at once; each holds up to three segments (24 MiB) in memory."""
    transfers_per_body: int = 8
    """Of them, one body's, and never more than it leaves free: slow or hostile members must leave places for others."""
    transfer_slowest_bytes_per_second: int = 64 * 1024
    transfer_late_seconds: float = 120.0
    """A transfer whose other end has kept us waiting for so much longer than its bytes take at the rate above is ended;
    dabir/client would have given up by then (SLOWEST_BYTES_PER_SECOND)."""

    inspection_folder: Path | None = None
    """A folder on disk for the copy that is inspected, at most `inspection_processes` documents at once; the system's
    temporary folder where not given. Files in it have no name, so nothing is left by a crash."""
    inspection_processes: int = 2
    inspections_per_body: int = 16
    """Waiting and under way, of documents of one body: then its further uploads are refused until some are inspected.
    Those that it is sending by then come on top, at most transfers_per_body."""
    inspection_memory_bytes: int = 1024**3
    """Of one inspecting process, interpreter included."""
    inspection_cpu_seconds: int = 30
    inspection_time_seconds: float = 120.0
    inspection_pages_max: int = 10_000
    inspection_image_pixels_max: int = 100_000_000
    """Of one page; A4 at 600 dpi has 35 million."""

    retention_max_days: int = 36_525
    """The longest lock that may be asked for: a lock in compliance mode is never taken back."""
    claim_kept_seconds: float = _DAY_SECONDS
    """A claim whose letter is not in the ledger this long after its last repetition is released."""
    upload_kept_seconds: float = 7 * _DAY_SECONDS
    """An upload that stands still this long is swept."""
    empty_upload_kept_seconds: float = 3600.0
    """So is one of which no segment came, this long after it began: nothing is lost with it, and a member can begin
    hundreds in a second."""
    rejected_kept_seconds: float = 7 * _DAY_SECONDS
    unclaimed_kept_seconds: float = 30 * _DAY_SECONDS
    """A document that no letter claimed for this long is swept."""
    attempt_kept_seconds: float = _DAY_SECONDS
    """An attempt to store a segment that was not acknowledged for this long is swept; well above s3_timeout_seconds."""
    sweep_interval_seconds: float = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := set(self.allowed_media_types) - INSPECTED_MEDIA_TYPES:
            raise StartRefused(
                f"allowed_media_types names {', '.join(sorted(unknown))}, for which there is no inspection. "
                f"There is one for {', '.join(sorted(INSPECTED_MEDIA_TYPES))}."
            )
        if self.s3_timeout_seconds < 30:
            raise StartRefused("s3_timeout_seconds must be at least 30: a store's first PUT can stall for 20 s.")
        if self.environment == "production" and not self.s3_tls:
            raise StartRefused("s3_tls is false: in production the object store is reached over TLS only.")

    @property
    def limits(self) -> Limits:
        """What one inspection may cost."""
        return Limits(
            memory_bytes=self.inspection_memory_bytes,
            cpu_seconds=self.inspection_cpu_seconds,
            time_seconds=self.inspection_time_seconds,
            pages_max=self.inspection_pages_max,
            image_pixels_max=self.inspection_image_pixels_max,
        )

    @property
    def periods(self) -> Periods:
        """How long what no letter needs is kept."""
        return Periods(
            claim_seconds=self.claim_kept_seconds,
            upload_seconds=self.upload_kept_seconds,
            empty_upload_seconds=self.empty_upload_kept_seconds,
            rejected_seconds=self.rejected_kept_seconds,
            unclaimed_seconds=self.unclaimed_kept_seconds,
            attempt_seconds=self.attempt_kept_seconds,
        )
