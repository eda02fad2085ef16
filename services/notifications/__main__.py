"""python -m services.notifications CONFIG.toml"""

from services.notifications.channels import open_channels
from services.notifications.config import NotificationsConfig
from services.notifications.recorder import Recorder
from services.notifications.sender import Sender
from services.notifications.servicer import services
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.metrics import Metrics
from services.runtime.process import run
from services.runtime.seals import open_ledger
from services.runtime.server import serve


async def main(config: NotificationsConfig) -> None:
    ledger, metrics = open_ledger(config), Metrics()
    async with (
        open_pool(config) as pool,
        open_channel(config, config.directory_target) as directory,
        open_channels(config) as channels,
    ):
        recorder = Recorder(config, pool, ledger, metrics.registry)
        sender = Sender(config, pool, recorder, channels, metrics.registry)
        resolver = DirectoryResolver(directory, config)
        await serve(config, services(config, pool, sender.wake), resolver, metrics=metrics, tasks=[sender.run])


if __name__ == "__main__":
    run(NotificationsConfig, main)
