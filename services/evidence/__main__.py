"""python -m services.evidence CONFIG.toml"""

from functools import partial

from dabir.evidence.v1.evidence_pb2_grpc import (
    add_EvidenceInternalServiceServicer_to_server,
    add_EvidenceServiceServicer_to_server,
)
from services.evidence import sequencer
from services.evidence.config import EvidenceConfig
from services.evidence.feed import Feed
from services.evidence.sequencer import Figures
from services.evidence.servicer import EvidenceInternalServicer, EvidenceServicer
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.metrics import Metrics
from services.runtime.process import run
from services.runtime.server import Service, serve


async def main(config: EvidenceConfig) -> None:
    metrics = Metrics()
    figures = Figures(metrics.registry)
    async with open_pool(config) as pool, open_channel(config, config.directory_target) as directory:
        feed = Feed(pool, config, metrics.registry)
        services = [
            Service(
                "dabir.evidence.v1.EvidenceService",
                add_EvidenceServiceServicer_to_server,
                EvidenceServicer(pool, feed),
                end_streams=feed.end,
            ),
            Service(
                "dabir.evidence.v1.EvidenceInternalService",
                add_EvidenceInternalServiceServicer_to_server,
                EvidenceInternalServicer(pool),
            ),
        ]
        numbering, resolver = partial(sequencer.run, pool, config, figures), DirectoryResolver(directory, config)
        await serve(config, services, resolver, metrics=metrics, tasks=[numbering, feed.run])


if __name__ == "__main__":
    run(EvidenceConfig, main)
