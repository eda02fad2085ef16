"""Settings of evidence that cannot work are refused at the start."""

from pathlib import Path
from typing import Any

import pytest

from services.evidence.config import EvidenceConfig
from services.runtime.config import StartRefused

NEEDED: dict[str, Any] = {
    "hub": "log.dabir.example/1",
    "source": "evidence",
    "environment": "development",
    "tls_certificate": Path("tls.pem"),
    "tls_key": Path("tls.key"),
    "tls_roots": Path("root.pem"),
    "metrics_listen": "",
    "listen": "127.0.0.1:0",
    "database_url_file": Path("url"),
    "directory_target": "127.0.0.1:1",
}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"watch_poll_ms": 0}, "watch_poll_ms must be more than 0"),
        ({"watch_streams": 0}, "watch_streams must be more than 0"),
        ({"watch_streams": 256}, "watch_streams must be less than max_concurrent_rpcs"),
        ({"stream_recheck_seconds": 61.0}, "at most 60"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StartRefused, match=sentence):
        EvidenceConfig(**NEEDED | changed)


def test_a_revocation_ends_a_stream_within_60_seconds() -> None:
    config = EvidenceConfig(**NEEDED)
    assert config.stream_recheck_seconds + config.identity_cache_seconds < 60
