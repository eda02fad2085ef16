"""The ways to tell that this hub offers, opened and closed together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.notifications.config import NotificationsConfig
from services.notifications.domain.endpoint import EMAIL, WEBHOOK
from services.notifications.mail import Mail
from services.notifications.sender import Channel
from services.notifications.webhooks import Webhooks
from services.runtime.outgoing import Outgoing


@asynccontextmanager
async def open_channels(config: NotificationsConfig) -> AsyncIterator[Mapping[str, Channel]]:
    """By the name that statements give them. Raises StartRefused when a file of the settings cannot be used."""
    outgoing = Outgoing(
        allowed_networks=config.outgoing_allowed_networks,
        timeout_seconds=config.webhook_timeout_seconds,
        connect_seconds=config.webhook_connect_seconds,
        at_once=config.webhooks_at_once,
        ports=config.webhook_ports,
        tls_roots=config.outgoing_tls_roots,
    )
    async with outgoing:
        yield {WEBHOOK: Webhooks(outgoing, config.webhooks_at_once), EMAIL: Mail(config)}
