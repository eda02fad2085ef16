"""python -m services.intake CONFIG.toml"""

from dabir.intake.v1.internal_service_pb2_grpc import add_IntakeInternalServiceServicer_to_server
from dabir.intake.v1.recipient_service_pb2_grpc import add_RecipientServiceServicer_to_server
from dabir.intake.v1.sender_service_pb2_grpc import add_SenderServiceServicer_to_server
from services.intake.config import IntakeConfig
from services.intake.neighbours import Directory, Documents
from services.intake.servicer.internal import InternalServicer
from services.intake.servicer.recipient import RecipientServicer
from services.intake.servicer.registry import open_registry
from services.intake.servicer.sender import SenderServicer
from services.runtime.authentication import DirectoryResolver
from services.runtime.channel import open_channel
from services.runtime.database import open_pool
from services.runtime.process import run
from services.runtime.server import Service, serve


async def main(config: IntakeConfig) -> None:
    async with (
        open_pool(config) as pool,
        open_channel(config, config.directory_target) as directory,
        open_channel(config, config.documents_target) as documents,
    ):
        registry = await open_registry(config, pool, Directory(directory), Documents(documents))
        services = [
            Service("dabir.intake.v1.SenderService", add_SenderServiceServicer_to_server, SenderServicer(registry)),
            Service(
                "dabir.intake.v1.RecipientService", add_RecipientServiceServicer_to_server, RecipientServicer(registry)
            ),
            Service(
                "dabir.intake.v1.IntakeInternalService",
                add_IntakeInternalServiceServicer_to_server,
                InternalServicer(registry),
            ),
        ]
        await serve(config, services, DirectoryResolver(directory, config))


if __name__ == "__main__":
    run(IntakeConfig, main)
