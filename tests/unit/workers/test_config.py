"""Settings of the workers that fit together, and those that do not."""

from pathlib import Path
from typing import Any

import pytest

from services.runtime.config import StartRefused, from_table
from workers.config import WorkerConfig

NEEDED = {
    "hub": "log.dabir.example/1",
    "source": "worker",
    "environment": "development",
    "tls_certificate": "tls.pem",
    "tls_key": "tls.key",
    "tls_roots": "roots.pem",
    "metrics_listen": "",
    "temporal_target": "127.0.0.1:7233",
    "intake_target": "",
    "documents_target": "",
    "notifications_target": "",
    "evidence_target": "",
}
TLS = {"temporal_tls": True, "temporal_tls_certificate": "temporal.pem", "temporal_tls_key": "temporal.key"}


def load(settings: dict[str, Any]) -> WorkerConfig:
    return from_table(WorkerConfig, NEEDED | settings, Path("/etc/dabir"), "workers.toml")


def test_in_production_temporal_is_reached_over_tls() -> None:
    assert load(TLS | {"environment": "production"}).temporal_tls_key == Path("/etc/dabir/temporal.key")
    with pytest.raises(StartRefused, match="in production Temporal is reached over TLS only"):
        load({"environment": "production"})


@pytest.mark.parametrize("given", ["temporal_tls_roots", "temporal_tls_server_name"])
def test_settings_of_tls_without_tls_are_refused(given: str) -> None:
    with pytest.raises(StartRefused, match="say temporal_tls = true"):
        load({given: "temporal.pem"})


@pytest.mark.parametrize("missing", ["temporal_tls_certificate", "temporal_tls_key"])
def test_certificate_and_key_belong_together(missing: str) -> None:
    with pytest.raises(StartRefused, match="belong together"):
        load({key: value for key, value in TLS.items() if key != missing})
