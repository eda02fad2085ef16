"""python -m services.documents CONFIG.toml"""

from dabir.documents.v1.documents_pb2_grpc import (
    add_DocumentInternalServiceServicer_to_server,
    add_DocumentServiceServicer_to_server,
)
from services.documents.config import DocumentsConfig
from services.documents.handover import Handover
from services.documents.inspections import open_inspections
from services.documents.memory import give_back_freed_segments
from services.documents.objects import open_objects
from services.documents.seals import Seals
from services.documents.servicer.internal import DocumentInternalServicer
from services.documents.servicer.members import DocumentServicer
from services.documents.sweep import Sweep
from services.documents.transfer import Downloads, Uploads
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.process import run
from services.runtime.seals import open_ledger
from services.runtime.server import Service, serve


async def main(config: DocumentsConfig) -> None:
    async with (
        open_pool(config) as pool,
        open_channel(config, config.directory_target) as directory,
        open_objects(config) as objects,
        open_inspections(config, pool, objects) as inspections,
    ):
        seals = Seals(config, pool, directory)
        members = DocumentServicer(
            config,
            pool,
            Uploads(config, pool, objects, inspections),
            Downloads(config, pool, objects),
            seals,
            Handover(pool, seals, open_ledger(config)),
        )
        internal = DocumentInternalServicer(config, pool, objects)
        services = [
            Service("dabir.documents.v1.DocumentService", add_DocumentServiceServicer_to_server, members),
            Service(
                "dabir.documents.v1.DocumentInternalService", add_DocumentInternalServiceServicer_to_server, internal
            ),
        ]
        sweep = Sweep(config, pool, objects, inspections)
        await serve(config, services, DirectoryResolver(directory, config), tasks=[sweep.forever])


if __name__ == "__main__":
    give_back_freed_segments()
    run(DocumentsConfig, main)
