"""Settings of evidence."""

from dataclasses import dataclass

from services.runtime.config import ServiceConfig, StartRefused

_MORE_THAN_0 = (
    "sequencer_poll_ms",
    "sequencer_batch",
    "sequencer_retry_seconds",
    "measure_seconds",
    "watch_poll_ms",
    "watch_page",
    "watch_heartbeat_seconds",
    "watch_reader_seconds",
    "watch_streams_per_body",
    "watch_streams",
)


@dataclass(frozen=True, kw_only=True)
class EvidenceConfig(ServiceConfig):
    """`ServiceConfig`, the sequencer's and the feeds'."""

    directory_target: str
    """Address of directory, which says whose a certificate is, e.g. `127.0.0.1:7001`."""
    sequencer_poll_ms: int = 20
    """How long the sequencer waits when it found nothing to number."""
    sequencer_batch: int = 1000
    """Statements numbered in one transaction at most."""
    sequencer_retry_seconds: float = 1.0
    """How long it and the feeds' reader wait when the database did not answer."""
    measure_seconds: float = 1.0
    """How often the figures of cursors are read."""
    watch_poll_ms: int = 100
    """How long the feeds' reader waits when nothing new was numbered."""
    watch_page: int = 50
    """Statements that a stream holds in memory at most."""
    watch_heartbeat_seconds: float = 10.0
    """How often a stream that has nothing to send says how far it has read."""
    watch_reader_seconds: float = 20.0
    """How long a message may wait to be taken before its stream is ended."""
    watch_streams_per_body: int = 4
    """Open streams of one body, in this process."""
    watch_streams: int = 128
    """Open streams of all bodies, in this process; the rest of max_concurrent_rpcs is for calls."""
    stream_recheck_seconds: float = 20.0
    """With `identity_cache_seconds`, how fast a revocation ends a stream: within 60 seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _MORE_THAN_0:
            if getattr(self, name) <= 0:
                raise StartRefused(f"{name} must be more than 0.")
        if self.watch_streams >= self.max_concurrent_rpcs:
            raise StartRefused("watch_streams must be less than max_concurrent_rpcs: calls need room beside streams.")
