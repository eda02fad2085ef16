"""What notifications does not start with."""

from pathlib import Path
from typing import Any

import pytest

from services.notifications.config import NotificationsConfig
from services.runtime.config import StartRefused, from_table

MINIMUM = {
    "hub": "log.dabir.example/1",
    "source": "notifications",
    "environment": "development",
    "tls_certificate": "tls.pem",
    "tls_key": "tls.key",
    "tls_roots": "roots.pem",
    "metrics_listen": "",
    "listen": "127.0.0.1:0",
    "database_url_file": "database-url",
    "directory_target": "127.0.0.1:1",
}


def load(**settings: Any) -> NotificationsConfig:
    return from_table(NotificationsConfig, MINIMUM | settings, Path(), "a test's table")


def test_by_default_no_private_network_is_reached() -> None:
    assert load().outgoing_allowed_networks == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {
                "environment": "production",
                "outgoing_allowed_networks": ["127.0.0.0/8"],
                "tls_service_issuers": "hub-ca.pem",
            },
            "production has none",
        ),
        ({"outgoing_allowed_networks": ["127.0.0.1/8"]}, "has host bits set"),
        ({"webhook_claim_seconds": 20.0}, "at least twice webhook_timeout_seconds"),
        ({"webhook_retry_seconds": [0]}, "whole seconds from 1"),
        ({"webhook_retry_jitter": 2.0}, "jitter is 0 to 1"),
        ({"webhook_per_endpoint": 0}, "webhook_per_endpoint must be more than 0"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(StartRefused, match=says):
        load(**settings)
