"""Proto in, proto out."""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.directory.v1 import directory_pb2 as pb
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceServicer, DirectoryServiceServicer
from services.directory import domain, store
from services.directory.registry import Registry
from services.runtime import page_token
from services.runtime.database import Pool
from services.runtime.identity import caller

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 100, 500

Context = Any  # the gate has done what a servicer could want of it


class DirectoryServicer(DirectoryServiceServicer):
    """For every caller whose certificate is listed."""

    def __init__(self, pool: Pool, registry: Registry) -> None:
        self._pool, self._registry = pool, registry

    async def GetBody(self, request: pb.GetBodyRequest, context: Context) -> pb.GetBodyResponse:
        return pb.GetBodyResponse(body=_body(await store.body(self._pool, request.name)))

    async def ListBodies(self, request: pb.ListBodiesRequest, context: Context) -> pb.ListBodiesResponse:
        binding, limit = (_caller(), "ListBodies"), _page_size(request.page_size)
        found = await store.bodies(self._pool, _after(request.page_token, *binding), limit + 1)
        token = page_token.encode([found[limit - 1].name], *binding) if len(found) > limit else ""
        return pb.ListBodiesResponse(bodies=map(_body, found[:limit]), next_page_token=token)

    async def ListOffices(self, request: pb.ListOfficesRequest, context: Context) -> pb.ListOfficesResponse:
        binding, limit = (_caller(), "ListOffices", request.parent), _page_size(request.page_size)
        after = _after(request.page_token, *binding)
        body = "" if request.parent == "bodies/-" else (await store.body(self._pool, request.parent)).name
        found = await store.offices(self._pool, body, after, limit + 1)
        token = page_token.encode([found[limit - 1].name], *binding) if len(found) > limit else ""
        return pb.ListOfficesResponse(offices=map(_office, found[:limit]), next_page_token=token)

    async def GetCertificates(self, request: pb.GetCertificatesRequest, context: Context) -> pb.GetCertificatesResponse:
        found = await self._registry.certificates(request.parent)
        return pb.GetCertificatesResponse(certificates=map(_certificate, found))


class DirectoryInternalServicer(DirectoryInternalServiceServicer):
    """For the hub's own services and operators."""

    def __init__(self, pool: Pool, registry: Registry) -> None:
        self._pool, self._registry = pool, registry

    async def CreateBody(self, request: pb.CreateBodyRequest, context: Context) -> pb.CreateBodyResponse:
        given = request.body
        wanted = domain.Body(
            given.name,
            given.display_name_fa,
            given.display_name_en,
            given.time_zone,
            pb.Calendar.Name(given.calendar).removeprefix("CALENDAR_"),
        )
        return pb.CreateBodyResponse(body=_body(await self._registry.create_body(wanted)))

    async def CreateOffice(self, request: pb.CreateOfficeRequest, context: Context) -> pb.CreateOfficeResponse:
        given = request.office
        wanted = domain.Office(given.name, given.display_name_fa, given.display_name_en, given.number_pattern)
        return pb.CreateOfficeResponse(office=_office(await self._registry.create_office(wanted)))

    async def AddCertificate(self, request: pb.AddCertificateRequest, context: Context) -> pb.AddCertificateResponse:
        roles = [pb.Role.Name(role).removeprefix("ROLE_").lower() for role in request.roles]
        added = await self._registry.add_certificate(request.owner, request.der, list(request.issuers), roles)
        return pb.AddCertificateResponse(certificate=_certificate(added))

    async def RevokeCertificate(
        self, request: pb.RevokeCertificateRequest, context: Context
    ) -> pb.RevokeCertificateResponse:
        revoked = await self._registry.revoke_certificate(request.sha256, request.reason)
        return pb.RevokeCertificateResponse(certificate=_certificate(revoked))

    async def ResolveCertificate(
        self, request: pb.ResolveCertificateRequest, context: Context
    ) -> pb.ResolveCertificateResponse:
        found = await self._registry.find(request.sha256)
        return pb.ResolveCertificateResponse(
            certificate=_certificate(found.certificate), crls=found.crls, root=found.certificate.root
        )

    async def ResolveOffices(self, request: pb.ResolveOfficesRequest, context: Context) -> pb.ResolveOfficesResponse:
        found = await store.offices_with_bodies(self._pool, list(request.names))
        return pb.ResolveOfficesResponse(
            offices=[
                pb.ResolvedOffice(office=_office(office), body=_body(body))
                for office, body in (found[name] for name in request.names if name in found)
            ],
            unknown=[name for name in request.names if name not in found],
        )


def _caller() -> str:
    who = caller()
    return who.body or who.service


def _page_size(given: int) -> int:
    return min(given or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def _after(token: str, *binding: str) -> str:
    """The name after which the page begins. Raises PageTokenInvalid."""
    return page_token.decode(token, str, *binding) if token else ""


def _body(body: domain.Body) -> pb.Body:
    return pb.Body(
        name=body.name,
        display_name_fa=body.display_name_fa,
        display_name_en=body.display_name_en,
        time_zone=body.time_zone,
        calendar=pb.Calendar.Value(f"CALENDAR_{body.calendar}"),
    )


def _office(office: domain.Office) -> pb.Office:
    return pb.Office(
        name=office.name,
        display_name_fa=office.display_name_fa,
        display_name_en=office.display_name_en,
        number_pattern=office.number_pattern,
    )


def _certificate(certificate: domain.Certificate) -> pb.Certificate:
    return pb.Certificate(
        sha256=certificate.sha256,
        owner=certificate.owner,
        purpose=pb.CertificatePurpose.Value(f"CERTIFICATE_PURPOSE_{certificate.purpose.upper()}"),
        position=certificate.position,
        roles=[pb.Role.Value(f"ROLE_{role.upper()}") for role in certificate.roles],
        der=certificate.der,
        issuers=certificate.issuers,
        not_before=_timestamp(certificate.not_before),
        not_after=_timestamp(certificate.not_after),
        revoked_at=_timestamp(certificate.revoked_at),
        added_at=_timestamp(certificate.added_at),
    )


def _timestamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    found = Timestamp()
    found.FromDatetime(instant)
    return found
