"""python -m services.notifications CONFIG.toml"""

from dabir.notifications.v1.notifications_pb2_grpc import (
    add_NotificationInternalServiceServicer_to_server,
    add_NotificationServiceServicer_to_server,
)
from services.notifications.config import NotificationsConfig
from services.notifications.servicer import NotificationInternalServicer, NotificationServicer
from services.notifications.webhooks import Webhooks
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.metrics import Metrics
from services.runtime.outgoing import Outgoing
from services.runtime.process import run
from services.runtime.seals import open_ledger
from services.runtime.server import Service, serve


async def main(config: NotificationsConfig) -> None:
    ledger, metrics = open_ledger(config), Metrics()
    outgoing = Outgoing(
        allowed_networks=config.outgoing_allowed_networks,
        timeout_seconds=config.webhook_timeout_seconds,
        connect_seconds=config.webhook_connect_seconds,
        at_once=config.webhooks_at_once,
    )
    async with open_pool(config) as pool, open_channel(config, config.directory_target) as directory, outgoing:
        webhooks = Webhooks(config, pool, ledger, outgoing, metrics.registry)
        services = [
            Service(
                "dabir.notifications.v1.NotificationService",
                add_NotificationServiceServicer_to_server,
                NotificationServicer(config, pool),
            ),
            Service(
                "dabir.notifications.v1.NotificationInternalService",
                add_NotificationInternalServiceServicer_to_server,
                NotificationInternalServicer(pool, webhooks.wake),
            ),
        ]
        resolver = DirectoryResolver(directory, config)
        await serve(config, services, resolver, metrics=metrics, tasks=[webhooks.run])


if __name__ == "__main__":
    run(NotificationsConfig, main)
