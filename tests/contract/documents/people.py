"""Who calls documents, and the directory that it asks about them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.directory.v1 import directory_pb2 as directory_pb
from dabir.directory.v1 import directory_pb2_grpc as directory_grpc
from dabir.formats.events import events_of
from dabir.formats.signer import FileSigner, KeySigner, certificate_sha256
from infra.local.pki import DevelopmentPki, Pair

HUB = "log.dabir.example/1"
SENDER, RECIPIENT, OTHER = "bodies/interior", "bodies/bank", "bodies/other"
_ROLES = {
    "interior": [directory_pb.ROLE_SENDER],
    "bank": [directory_pb.ROLE_RECIPIENT],
    "other": [directory_pb.ROLE_SENDER, directory_pb.ROLE_RECIPIENT],
    "nobody": [],
}
_SERVICES = ("documents", "intake", "worker", "directory")


class People:
    """Keys and certificates of bodies and services, and what directory says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = DevelopmentPki(folder / "pki")
        self.pki.make()
        self.listed = {self.sha256(body): (f"bodies/{body}", roles) for body, roles in _ROLES.items()}
        self.seal = self._seal("intake")
        self.seals = [self.seal]

    def pair(self, who: str) -> Pair:
        make = self.pki.service_tls_pair if who in _SERVICES else self.pki.body_tls_pair
        return make(who, self.folder / who)

    def sha256(self, who: str) -> bytes:
        return certificate_sha256(self.pair(who).chain[0])

    def documents_seal(self) -> Pair:
        return self.pki.seal_pair("documents", self.folder / "documents", events_of("documents"))

    def another_seal(self, name: str, events: Iterable[str] | None = None) -> KeySigner:
        """A further seal, which directory does not list."""
        return self._seal(name, events)

    def _seal(self, name: str, events: Iterable[str] | None = None) -> KeySigner:
        stated = list(events) if events is not None else list(events_of("intake"))
        pair = self.pki.seal_pair(name, self.folder / name, stated)
        return FileSigner(pair.key, pair.certificate)


class Directory(directory_grpc.DirectoryServiceServicer, directory_grpc.DirectoryInternalServiceServicer):
    """Answers what documents asks of directory, over real gRPC with mutual TLS; what it knows is `People`."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.revoked: set[bytes] = set()

    async def ResolveCertificate(  # noqa: N802
        self, request: directory_pb.ResolveCertificateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> directory_pb.ResolveCertificateResponse:
        if request.sha256 not in self._people.listed:
            await context.abort(grpc.StatusCode.NOT_FOUND, "not listed")
        owner, roles = self._people.listed[request.sha256]
        listed = directory_pb.Certificate(owner=owner, purpose=directory_pb.CERTIFICATE_PURPOSE_TLS, roles=roles)
        return directory_pb.ResolveCertificateResponse(certificate=listed)

    async def GetCertificates(  # noqa: N802
        self, request: directory_pb.GetCertificatesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> directory_pb.GetCertificatesResponse:
        assert request.parent == "services/intake"
        return directory_pb.GetCertificatesResponse(certificates=map(self._seal, self._people.seals))

    def _seal(self, signer: KeySigner) -> directory_pb.Certificate:
        found = directory_pb.Certificate(
            sha256=certificate_sha256(signer.certificate),
            owner="services/intake",
            purpose=directory_pb.CERTIFICATE_PURPOSE_SEAL,
            der=signer.certificate.public_bytes(Encoding.DER),
        )
        found.not_before.FromDatetime(signer.certificate.not_valid_before_utc)
        found.not_after.FromDatetime(signer.certificate.not_valid_after_utc)
        if found.sha256 in self.revoked:
            found.revoked_at.GetCurrentTime()
        return found


@asynccontextmanager
async def serve_directory(people: People) -> AsyncIterator[tuple[Directory, str]]:
    """The directory and its target."""
    pair, server = people.pair("directory"), grpc.aio.server()
    directory = Directory(people)  # type: ignore[abstract]  # what documents asks is all it answers
    directory_grpc.add_DirectoryServiceServicer_to_server(directory, server)
    directory_grpc.add_DirectoryInternalServiceServicer_to_server(directory, server)
    keys = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
    credentials = grpc.ssl_server_credentials(keys, people.pki.root.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield directory, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
