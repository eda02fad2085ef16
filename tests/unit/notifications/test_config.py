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

MAIL = {"smtp_host": "mail.example", "smtp_sender": "notices@dabir.example"}


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
                "crl_folder": "crls",
            },
            "production has none",
        ),
        ({"outgoing_allowed_networks": ["127.0.0.1/8"]}, "has host bits set"),
        ({"claim_seconds": 20.0}, "at least twice webhook_timeout_seconds"),
        ({"retry_seconds": [0]}, "whole seconds from 1"),
        ({"retry_jitter": 2.0}, "jitter is 0 to 1"),
        ({"emails_at_once": 0}, "emails_at_once must be more than 0"),
        ({"smtp_host": "mail.example"}, "smtp_sender is missing or no address"),
        (MAIL | {"smtp_sender": "a@b.example\nBcc: c@d.example"}, "smtp_sender is missing or no address"),
        (MAIL | {"smtp_security": "ssl"}, "write starttls, tls or none"),
        (MAIL | {"smtp_security": "none", "smtp_username": "dabir", "smtp_password_file": "password"}, "and a login"),
        (
            MAIL
            | {"smtp_security": "none", "environment": "production", "tls_service_issuers": "hub-ca.pem"}
            | {"crl_folder": "crls"},
            "production, and a login",
        ),
        (MAIL | {"smtp_username": "dabir"}, "belong together"),
        (MAIL | {"smtp_password_file": "password"}, "belong together"),
        (MAIL | {"smtp_timeout_seconds": 40.0}, "at least twice smtp_timeout_seconds"),
        ({"tries_per_endpoint": 0}, "tries_per_endpoint must be more than 0"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(StartRefused, match=says):
        load(**settings)
