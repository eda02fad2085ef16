"""python -m services.directory CONFIG.toml"""

from dabir.directory.v1.directory_pb2_grpc import (
    add_DirectoryInternalServiceServicer_to_server,
    add_DirectoryServiceServicer_to_server,
)
from services.directory import seed
from services.directory.config import DirectoryConfig
from services.directory.registry import Registry
from services.directory.servicer import DirectoryInternalServicer, DirectoryServicer
from services.runtime.database import open_pool
from services.runtime.process import run
from services.runtime.seals import open_ledger
from services.runtime.server import Service, serve


async def main(config: DirectoryConfig) -> None:
    async with open_pool(config) as pool:
        registry = Registry(config, pool, open_ledger(config))
        if config.seed_file is not None:
            await seed.load(registry, config.seed_file)
        services = [
            Service(
                "dabir.directory.v1.DirectoryService",
                add_DirectoryServiceServicer_to_server,
                DirectoryServicer(pool, registry),
            ),
            Service(
                "dabir.directory.v1.DirectoryInternalService",
                add_DirectoryInternalServiceServicer_to_server,
                DirectoryInternalServicer(pool, registry),
            ),
        ]
        await serve(config, services, registry)


if __name__ == "__main__":
    run(DirectoryConfig, main)
