"""python -m services.notifications CONFIG.toml"""

from dabir.notifications.v1.notifications_pb2_grpc import (
    add_NotificationInternalServiceServicer_to_server,
    add_NotificationServiceServicer_to_server,
)
from services.notifications.channels import open_channels
from services.notifications.config import NotificationsConfig
from services.notifications.recorder import Recorder
from services.notifications.sender import Sender
from services.notifications.servicer.internal import NotificationInternalServicer
from services.notifications.servicer.members import NotificationServicer
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.metrics import Metrics
from services.runtime.process import run
from services.runtime.seals import open_ledger
from services.runtime.server import Service, serve


async def main(config: NotificationsConfig) -> None:
    ledger, metrics = open_ledger(config), Metrics()
    async with (
        open_pool(config) as pool,
        open_channel(config, config.directory_target) as directory,
        open_channels(config) as channels,
    ):
        recorder = Recorder(config, pool, ledger, metrics.registry)
        sender = Sender(config, pool, recorder, channels, metrics.registry)
        services = [
            Service(
                "dabir.notifications.v1.NotificationService",
                add_NotificationServiceServicer_to_server,
                NotificationServicer(config, pool, sender.wake),
            ),
            Service(
                "dabir.notifications.v1.NotificationInternalService",
                add_NotificationInternalServiceServicer_to_server,
                NotificationInternalServicer(config, pool, sender.wake),
            ),
        ]
        await serve(config, services, DirectoryResolver(directory, config), metrics=metrics, tasks=[sender.run])


if __name__ == "__main__":
    run(NotificationsConfig, main)
