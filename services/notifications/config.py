"""Settings of notifications."""

import ipaddress
from dataclasses import dataclass

from services.runtime.config import ServiceConfig, StartRefused


@dataclass(frozen=True, kw_only=True)
class NotificationsConfig(ServiceConfig):
    """`ServiceConfig`, with a seal (it states events), and how webhooks are delivered."""

    directory_target: str
    """Address of directory, which says whose a certificate is, e.g. `127.0.0.1:7001`."""
    outgoing_allowed_networks: tuple[str, ...] = ()
    """Private networks (CIDR) that webhooks may go to, also by `http://`: the local stack's. Production has none."""
    endpoints_per_body: int = 20
    """How many endpoints a body may have."""
    webhook_timeout_seconds: float = 15.0
    """What a receiver may take from the connection to its answer's headers (Standard Webhooks: 15 to 30)."""
    webhook_connect_seconds: float = 5.0
    webhook_retry_seconds: tuple[int, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """How long after a failure to try again; after the last it has failed (the schedule of Standard Webhooks 1.0.0)."""
    webhook_retry_jitter: float = 0.1
    """Up to so much of it is added by chance, so that what failed together does not return together."""
    webhook_per_endpoint: int = 4
    """Tries under way at one endpoint, per process; one at an endpoint that is failing."""
    webhooks_at_once: int = 256
    """Tries under way at all endpoints, per process."""
    webhook_claim_seconds: float = 60.0
    """How long a try is one process's; when that died, another tries again this much later, under the same id."""
    webhook_poll_seconds: float = 1.0
    """How often to look for what is due. What this process was just given is sent at once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (
            "endpoints_per_body",
            "webhook_timeout_seconds",
            "webhook_connect_seconds",
            "webhook_per_endpoint",
            "webhooks_at_once",
            "webhook_poll_seconds",
        ):
            if getattr(self, name) <= 0:
                raise StartRefused(f"{name} must be more than 0.")
        if self.webhook_claim_seconds < 2 * self.webhook_timeout_seconds:
            raise StartRefused("webhook_claim_seconds must be at least twice webhook_timeout_seconds.")
        if any(seconds < 1 for seconds in self.webhook_retry_seconds) or not 0 <= self.webhook_retry_jitter <= 1:
            raise StartRefused("webhook_retry_seconds are whole seconds from 1, webhook_retry_jitter is 0 to 1.")
        for network in self.outgoing_allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise StartRefused(f"outgoing_allowed_networks: {error}.") from error
        if self.environment == "production" and self.outgoing_allowed_networks:
            raise StartRefused("outgoing_allowed_networks is for the local stack: production has none.")
