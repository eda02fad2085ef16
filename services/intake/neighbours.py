"""The services that intake calls: directory and documents."""

from collections.abc import Collection, Sequence

import grpc
import grpc.aio

from dabir.common.v1.manifest_pb2 import Manifest
from dabir.directory.v1 import directory_pb2 as directory
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceStub, DirectoryServiceStub
from dabir.documents.v1 import documents_pb2 as documents
from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceStub
from services.intake.domain.submit import DocumentOutcome


class Directory:
    """Who takes part. Every answer is asked for anew: nothing that is signed is checked against stale data."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._internal = DirectoryInternalServiceStub(channel)
        self._public = DirectoryServiceStub(channel)

    async def offices(self, names: Collection[str]) -> tuple[dict[str, directory.ResolvedOffice], set[str]]:
        """At most 501 offices by name, and the names that are unknown."""
        wanted = sorted(set(names))
        found = await self._internal.ResolveOffices(directory.ResolveOfficesRequest(names=wanted))
        return {one.office.name: one for one in found.offices}, set(found.unknown)

    async def certificate(self, sha256: bytes) -> directory.ResolveCertificateResponse | None:
        """Whose certificate this is, with the CRLs in force; None when it is not listed."""
        try:
            return await self._internal.ResolveCertificate(directory.ResolveCertificateRequest(sha256=sha256))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    async def has_body(self, name: str) -> bool:
        """Whether there is such a body."""
        try:
            await self._public.GetBody(directory.GetBodyRequest(name=name))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True


class Documents:
    """Where the bytes are. intake never touches them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._internal = DocumentInternalServiceStub(channel)

    async def claim(self, letter: str, manifest: Manifest, names: Sequence[str]) -> list[DocumentOutcome]:
        """Claim a letter's documents, all or none; what came of each, in the manifest's order."""
        claims = [
            documents.DocumentClaim(
                document=name, sha256=said.sha256, size_bytes=said.size_bytes, media_type=said.media_type
            )
            for name, said in zip(names, manifest.documents, strict=True)
        ]
        request = documents.ClaimDocumentsRequest(
            letter=letter, owner=manifest.sender.body, documents=claims, classification=manifest.classification
        )
        answer = await self._internal.ClaimDocuments(request)
        return [DocumentOutcome(one.document, one.claimed, one.reason, one.message) for one in answer.results]
