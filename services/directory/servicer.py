"""Proto in, proto out."""

from typing import Any

from dabir.directory.v1 import directory_pb2 as pb
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceServicer, DirectoryServiceServicer
from services.directory import domain, store
from services.directory.registry import Registry
from services.runtime import page_token
from services.runtime.database import Pool
from services.runtime.identity import caller
from services.runtime.instants import optional_timestamp, timestamp

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 100, 500

Context = Any  # the gate has done what a servicer could want of it


class DirectoryServicer(DirectoryServiceServicer):
    """For every caller whose certificate is listed."""

    def __init__(self, pool: Pool, registry: Registry) -> None:
        self._pool, self._registry = pool, registry

    async def GetBody(self, request: pb.GetBodyRequest, context: Context) -> pb.GetBodyResponse:
        async with self._pool.connection() as connection:
            return pb.GetBodyResponse(body=_body(await store.body(connection, request.name)))

    async def ListBodies(self, request: pb.ListBodiesRequest, context: Context) -> pb.ListBodiesResponse:
        binding, size = (_caller(), "ListBodies"), _page_size(request.page_size)
        after = _after(request.page_token, *binding)
        async with self._pool.connection() as connection:
            found = await store.bodies(connection, after, size + 1)
        shown, token = page_token.cut(found, size, lambda body: [body.name], *binding)
        return pb.ListBodiesResponse(bodies=map(_body, shown), next_page_token=token)

    async def ListOffices(self, request: pb.ListOfficesRequest, context: Context) -> pb.ListOfficesResponse:
        binding, size = (_caller(), "ListOffices", request.parent), _page_size(request.page_size)
        after = _after(request.page_token, *binding)
        async with self._pool.connection() as connection:
            body = "" if request.parent == "bodies/-" else (await store.body(connection, request.parent)).name
            found = await store.offices(connection, body, after, size + 1)
        shown, token = page_token.cut(found, size, lambda office: [office.name], *binding)
        return pb.ListOfficesResponse(offices=map(_office, shown), next_page_token=token)

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
        async with self._pool.connection() as connection:
            found = await store.offices_with_bodies(connection, list(request.names))
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
    return page_token.size(given, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def _after(token: str, *binding: str) -> str:
    """The name after which the page begins. Raises PageTokenInvalid."""
    return page_token.after(token, str, *binding) or ""


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
        not_before=timestamp(certificate.not_before),
        not_after=timestamp(certificate.not_after),
        revoked_at=optional_timestamp(certificate.revoked_at),
        added_at=optional_timestamp(certificate.added_at),
    )
