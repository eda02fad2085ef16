"""Who is at the other end: the hub's own by their certificate's name, members by what directory says of theirs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from dabir.directory.v1 import directory_pb2
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceStub
from services.runtime.config import ServiceConfig
from services.runtime.crls import Issued, Revoked
from services.runtime.errors import PermissionDenied, Unauthenticated, Unavailable
from services.runtime.identity import Caller, Role

SERVICE_URN = "urn:dabir:service:"
TLS_PURPOSE = "tls"

_CACHE_MAX_CERTIFICATES = 10_000
# An unlisted certificate is asked about again soon: it may be listed the next moment.
_UNLISTED_SECONDS = 1.0
# How long a lookup may take, and how long a directory that failed is left in peace.
_LOOKUP_SECONDS = 2.0
_AFTER_FAILURE_SECONDS = 1.0


class TransportNotTrusted(Unauthenticated):
    """No TLS 1.3 or no client certificate."""

    reason = "CLIENT_CERTIFICATE_REQUIRED"
    template = "Call over TLS 1.3 with a client certificate that directory lists for your body."
    template_fa = "با TLS 1.3 و گواهی‌ای که برای دستگاه شما ثبت شده است فراخوانی کنید."


class CertificateNotListed(Unauthenticated):
    """The certificate is of a CA we know, and of nobody we know."""

    reason = "CERTIFICATE_NOT_LISTED"
    template = "The certificate {sha256} is not listed in directory. Have the hub's operator add it to your body."
    template_fa = "گواهی {sha256} ثبت نشده است. از راهبر سامانه بخواهید آن را برای دستگاه شما ثبت کند."


class CertificateRevoked(Unauthenticated):
    """It was ended before its time."""

    reason = "CERTIFICATE_REVOKED"
    template = "The certificate {sha256} has been revoked. Call with another one of your body's."
    template_fa = "گواهی {sha256} باطل شده است. با گواهی دیگری از دستگاه خود فراخوانی کنید."


class CertificateExpired(Unauthenticated):
    """Its time is over; the connection was made before."""

    reason = "CERTIFICATE_EXPIRED"
    template = "The certificate {sha256} has expired. Connect again with a valid one."
    template_fa = "مهلت گواهی {sha256} به پایان رسیده است. با گواهی معتبر دوباره وصل شوید."


class CertificatePurposeWrong(Unauthenticated):
    """A signing certificate or a seal cannot call."""

    reason = "CERTIFICATE_PURPOSE_WRONG"
    template = "The certificate {sha256} is for {purpose}. Call with one of your body's whose purpose is tls."
    template_fa = "کاربرد گواهی {sha256} برقراری تماس نیست. با گواهی tls دستگاه خود فراخوانی کنید."


class ServiceNotAllowed(PermissionDenied):
    """One of the hub's own that has no business here."""

    reason = "SERVICE_NOT_ALLOWED"
    template = "{service} is not among the allowed_services of {callee}."


class DirectoryUnavailable(Unavailable):
    """Who the caller is cannot be found out, and was not known shortly before."""

    reason = "DIRECTORY_UNAVAILABLE"
    template = "The hub cannot look up your certificate at this moment. Send the same request again a little later."
    template_fa = "در این لحظه نمی‌توان گواهی شما را بررسی کرد. همین درخواست را اندکی بعد دوباره بفرستید."


@dataclass(frozen=True)
class ListedCertificate:
    """What directory says of a certificate. `owner`: `bodies/{body}` or `services/{service}`; `purpose`: `tls`, …"""

    owner: str
    purpose: str
    roles: frozenset[Role]
    revoked: bool


class Resolver(Protocol):
    """Looks certificates up by the SHA-256 of their DER."""

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        """What is listed; None where nothing is. Raises DirectoryUnavailable."""


@dataclass(frozen=True)
class _Presented:
    sha256: bytes
    service: str
    not_after: datetime
    issued: Issued


class Authentication:
    """Step 4 of the gate."""

    def __init__(self, config: ServiceConfig, resolver: Resolver) -> None:
        self._config, self._resolver = config, resolver
        issuers = read_certificates(config.tls_service_issuers) if config.tls_service_issuers else None
        folder, recheck_seconds = config.crl_folder, config.identity_cache_seconds
        self._revoked = Revoked(folder, issuers, recheck_seconds) if folder and issuers else None
        # A certificate is read once, not once per call.
        self._read = lru_cache(maxsize=_CACHE_MAX_CERTIFICATES)(lambda pem: _presented(pem, issuers))

    async def identify(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """The caller. Raises a subclass of Unauthenticated, PermissionDenied or Unavailable."""
        presented = self.presented(context)
        if presented.service:
            if self._revoked is not None and presented.issued in self._revoked.now():
                raise CertificateRevoked(sha256=presented.sha256.hex())
            if presented.service not in self._config.allowed_services:
                raise ServiceNotAllowed(service=presented.service, callee=self._config.source)
            return Caller(presented.sha256, roles=frozenset({Role.HUB_SERVICE}), service=presented.service)
        listed, shown = await self._resolver.resolve(presented.sha256), presented.sha256.hex()
        if listed is None or not listed.owner.startswith("bodies/"):
            raise CertificateNotListed(sha256=shown)
        if listed.revoked:
            raise CertificateRevoked(sha256=shown)
        if listed.purpose != TLS_PURPOSE:
            raise CertificatePurposeWrong(sha256=shown, purpose=listed.purpose)
        return Caller(presented.sha256, body=listed.owner, roles=listed.roles)

    def presented(self, context: grpc.aio.ServicerContext[Any, Any]) -> _Presented:
        """The client's certificate, which the handshake has verified against the roots."""
        properties = context.auth_context()
        pems = tuple(properties.get("x509_pem_cert", ()))
        if not pems or tuple(properties.get("ssl_tls_version", ())) != (b"TLSv1.3",):
            raise TransportNotTrusted
        presented = self._read(pems[0])
        # A connection outlives the certificate it was made with.
        if presented.not_after < datetime.now(UTC):
            raise CertificateExpired(sha256=presented.sha256.hex())
        return presented


def read_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def _presented(pem: bytes, service_issuers: Sequence[x509.Certificate] | None) -> _Presented:
    certificate = x509.load_pem_x509_certificate(pem)
    return _Presented(
        certificate.fingerprint(hashes.SHA256()),
        _service(certificate, service_issuers),
        certificate.not_valid_after_utc,
        (certificate.issuer, certificate.serial_number),
    )


def _service(certificate: x509.Certificate, issuers: Sequence[x509.Certificate] | None) -> str:
    """The service the certificate names, "" where it names none. Only `issuers` may name one; None: every root."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    services = [uri.removeprefix(SERVICE_URN) for uri in uris if uri.startswith(SERVICE_URN)]
    trusted = issuers is None or any(_issued(certificate, issuer) for issuer in issuers)
    return services[0] if trusted and len(services) == 1 else ""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


@dataclass
class _Answer:
    listed: ListedCertificate | None
    at: float


class DirectoryResolver:
    """Asks directory, and remembers: `identity_cache_seconds` long, `identity_stale_seconds` while it is down."""

    def __init__(self, directory: grpc.aio.Channel, config: ServiceConfig) -> None:
        self._stub = DirectoryInternalServiceStub(directory)
        self._config = config
        self._answers: dict[bytes, _Answer] = {}
        self._asking: dict[bytes, asyncio.Task[ListedCertificate | None]] = {}
        self._in_peace_until = 0.0

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        known = self._answers.get(sha256)
        age = time.monotonic() - known.at if known else float("inf")
        if known and age < (self._config.identity_cache_seconds if known.listed else _UNLISTED_SECONDS):
            return known.listed
        stale = known.listed if known and age < self._config.identity_stale_seconds else None
        if stale and time.monotonic() < self._in_peace_until:
            return stale
        try:
            return await self._ask_once(sha256)
        except grpc.aio.AioRpcError as error:
            self._in_peace_until = time.monotonic() + _AFTER_FAILURE_SECONDS
            if stale:
                return stale
            raise DirectoryUnavailable(retry_after_seconds=_AFTER_FAILURE_SECONDS) from error

    async def _ask_once(self, sha256: bytes) -> ListedCertificate | None:
        """Many calls of one certificate ask once; that one of them goes away does not end the question."""
        task = self._asking.get(sha256)
        if task is None:
            task = asyncio.create_task(self._ask(sha256))
            self._asking[sha256] = task
            task.add_done_callback(lambda done: self._answered(sha256, done))
        return await asyncio.shield(task)

    def _answered(self, sha256: bytes, task: asyncio.Task[ListedCertificate | None]) -> None:
        del self._asking[sha256]
        if not task.cancelled():
            task.exception()  # it is raised to those who wait; where nobody does any more, it is nobody's

    async def _ask(self, sha256: bytes) -> ListedCertificate | None:
        try:
            request = directory_pb2.ResolveCertificateRequest(sha256=sha256)
            response = await self._stub.ResolveCertificate(request, timeout=_LOOKUP_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return self._remember(sha256, None)
        return self._remember(sha256, listed(response.certificate))

    def _remember(self, sha256: bytes, answer: ListedCertificate | None) -> ListedCertificate | None:
        self._answers.pop(sha256, None)
        if len(self._answers) >= _CACHE_MAX_CERTIFICATES:
            del self._answers[next(iter(self._answers))]
        self._answers[sha256] = _Answer(answer, time.monotonic())
        return answer


def listed(certificate: directory_pb2.Certificate) -> ListedCertificate:
    """The wire's certificate, as far as authentication needs it."""
    return ListedCertificate(
        owner=certificate.owner,
        purpose=directory_pb2.CertificatePurpose.Name(certificate.purpose).removeprefix("CERTIFICATE_PURPOSE_").lower(),
        roles=frozenset(
            Role(directory_pb2.Role.Name(role).removeprefix("ROLE_").lower()) for role in certificate.roles
        ),
        revoked=certificate.HasField("revoked_at"),
    )
