"""python -m services.evidence CONFIG.toml"""

from dabir.evidence.v1.evidence_pb2_grpc import (
    add_EvidenceInternalServiceServicer_to_server,
    add_EvidenceServiceServicer_to_server,
)
from services.evidence import sequencer
from services.evidence.config import EvidenceConfig
from services.evidence.servicer import EvidenceInternalServicer, EvidenceServicer
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.metrics import Metrics
from services.runtime.server import Service, run, serve


async def main(config: EvidenceConfig) -> None:
    metrics = Metrics()
    async with (
        open_pool(config) as pool,
        open_channel(config, config.directory_target) as directory,
        sequencer.running(pool, config, metrics.registry),
    ):
        services = [
            Service("dabir.evidence.v1.EvidenceService", add_EvidenceServiceServicer_to_server, EvidenceServicer(pool)),
            Service(
                "dabir.evidence.v1.EvidenceInternalService",
                add_EvidenceInternalServiceServicer_to_server,
                EvidenceInternalServicer(pool),
            ),
        ]
        await serve(config, services, DirectoryResolver(directory, config), metrics=metrics)


if __name__ == "__main__":
    run(EvidenceConfig, main)
