"""Settings of notifications."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from services.notifications.domain.endpoint import is_email_address
from services.runtime.config import ServiceConfig, StartRefused


@dataclass(frozen=True, kw_only=True)
class NotificationsConfig(ServiceConfig):
    """`ServiceConfig`, with a seal (it states events), and how webhooks and e-mail are delivered."""

    directory_target: str
    """Address of directory, which says whose a certificate is, e.g. `127.0.0.1:7001`."""
    outgoing_allowed_networks: tuple[str, ...] = ()
    """Private networks (CIDR) that webhooks may go to, also by `http://`: the local stack's. Production has none."""
    outgoing_ports: tuple[int, ...] = ()
    """Ports that webhooks may go to in production, beside 443. Elsewhere they go to any."""
    outgoing_tls_roots: Path | None = None
    """PEM: who may issue certificates of webhook receivers. Not given: whom the machine trusts."""
    endpoints_per_body: int = 20
    """How many endpoints a body may have."""
    endpoints_made_per_day: int = 100
    """How many a body may make within a day, ended ones too: they are kept for ever."""
    retry_seconds: tuple[int, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """Webhooks and e-mail: how long after a failure to try again, after the last no more (Standard Webhooks 1.0.0)."""
    retry_jitter: float = 0.1
    """Up to so much of it is added by chance, so that what failed together does not return together."""
    claim_seconds: float = 60.0
    """How long a try, by webhook or e-mail, is one process's; when that died, another then tries under the same id."""
    poll_seconds: float = 1.0
    """How often to look for what is due, webhooks and e-mail. What this process was just given is sent at once."""
    tries_per_endpoint: int = 4
    """Tries under way at one endpoint, webhooks or e-mail, per process; one at an endpoint that is failing."""
    webhook_timeout_seconds: float = 15.0
    """What a receiver may take from the connection to its answer's headers (Standard Webhooks: 15 to 30)."""
    webhook_connect_seconds: float = 5.0
    webhook_secret_overlap_seconds: float = 86400.0
    """How long webhooks are signed with a replaced secret too."""
    replay_pause_seconds: float = 600.0
    """How long after a replay of a notification the next one is refused."""
    webhooks_at_once: int = 256
    """Webhooks under way at all endpoints, per process; half of them at endpoints that are failing."""
    emails_at_once: int = 16
    """E-mails under way, per process."""
    smtp_host: str = ""
    """The hub's own mail server, which takes mail to anywhere; "": no e-mail is offered."""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    """`starttls` (port 587), `tls` (from the first byte, port 465), or `none`, which production refuses."""
    smtp_tls_roots: Path | None = None
    """PEM: who may issue its certificate. Not given: whom the machine trusts."""
    smtp_username: str = ""
    """"": it takes mail without a login."""
    smtp_password_file: Path | None = None
    smtp_sender: str = ""
    """The address that e-mail comes from; its domain is that of the `Message-ID`."""
    smtp_timeout_seconds: float = 20.0
    """Of a whole e-mail, from the connection to the server's word."""

    @property
    def webhook_ports(self) -> frozenset[int] | None:
        """Those that webhooks may go to; None: any."""
        return frozenset({443, *self.outgoing_ports}) if self.environment == "production" else None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (
            "endpoints_per_body",
            "endpoints_made_per_day",
            "webhook_timeout_seconds",
            "webhook_connect_seconds",
            "webhook_secret_overlap_seconds",
            "replay_pause_seconds",
            "tries_per_endpoint",
            "webhooks_at_once",
            "emails_at_once",
            "smtp_timeout_seconds",
            "poll_seconds",
        ):
            if getattr(self, name) <= 0:
                raise StartRefused(f"{name} must be more than 0.")
        if self.claim_seconds < 2 * self.webhook_timeout_seconds:
            raise StartRefused("claim_seconds must be at least twice webhook_timeout_seconds.")
        self._check_smtp()
        if any(seconds < 1 for seconds in self.retry_seconds) or not 0 <= self.retry_jitter <= 1:
            raise StartRefused("retry_seconds are whole seconds from 1, retry_jitter is 0 to 1.")
        for network in self.outgoing_allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise StartRefused(f"outgoing_allowed_networks: {error}.") from error
        if self.environment == "production" and self.outgoing_allowed_networks:
            raise StartRefused("outgoing_allowed_networks is for the local stack: production has none.")

    def _check_smtp(self) -> None:
        if not self.smtp_host:
            return
        if not is_email_address(self.smtp_sender):
            raise StartRefused("smtp_sender is missing or no address: e-mail comes from somebody.")
        if self.smtp_security not in ("starttls", "tls", "none"):
            raise StartRefused(f"smtp_security is {self.smtp_security!r}: write starttls, tls or none.")
        if self.smtp_security == "none" and (self.environment == "production" or self.smtp_username):
            raise StartRefused("smtp_security is none: production, and a login, need starttls or tls.")
        if bool(self.smtp_username) != (self.smtp_password_file is not None):
            raise StartRefused("smtp_username and smtp_password_file belong together: give both or neither.")
        if self.claim_seconds < 2 * self.smtp_timeout_seconds:
            raise StartRefused("claim_seconds must be at least twice smtp_timeout_seconds.")
