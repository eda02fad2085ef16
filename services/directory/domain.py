"""What directory holds, and the rules for what may go in."""

import hashlib
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.common.v1.statement_pb2 import StatementEvent, StatementParty
from dabir.formats import pki
from dabir.formats.calendar import time_zone
from dabir.formats.strict_json import FormatError, check_text
from services.runtime.errors import AlreadyExists, InvalidArgument, NotFound
from services.runtime.identity import Role

SERVICES = frozenset({"directory", "documents", "evidence", "intake", "notifications"})
"""The hub's services, whose seals may be listed as `services/{service}`."""
MEMBER_ROLES = frozenset(Role) - {Role.HUB_OPERATOR, Role.HUB_SERVICE}
"""What a body's TLS certificate may be given; the hub's own are known by their certificate's name."""
NUMBER_FIELDS = frozenset({"year", "book", "sequence"})


class BodyNotFound(NotFound):
    """No such body."""

    reason = "BODY_NOT_FOUND"
    template = "There is no {body} in the directory. ListBodies names those that have joined."
    template_fa = "{body} در فهرست دستگاه‌ها نیست. ListBodies دستگاه‌های پیوسته را نام می‌برد."


class ServiceNotFound(NotFound):
    """No such service of the hub."""

    reason = "SERVICE_NOT_FOUND"
    template = "The hub has no {service}. It has: {services}."
    template_fa = "سامانه {service} ندارد. این‌ها را دارد: {services}."


class CertificateUnknown(NotFound):
    """No such certificate."""

    reason = "CERTIFICATE_NOT_LISTED"
    template = "The certificate {sha256} is not listed. AddCertificate lists it."
    template_fa = "گواهی {sha256} ثبت نشده است. AddCertificate آن را ثبت می‌کند."


class BodyAlreadyExists(AlreadyExists):
    """The name stands for a body with other content."""

    reason = "BODY_ALREADY_EXISTS"
    template = "{body} is in the directory with other content. Names are never used again: choose another one."
    template_fa = "{body} با محتوای دیگری ثبت شده است. نام دیگری برگزینید."


class OfficeAlreadyExists(AlreadyExists):
    """The name stands for an office with other content."""

    reason = "OFFICE_ALREADY_EXISTS"
    template = "{office} is in the directory with other content. Names are never used again: choose another one."
    template_fa = "{office} با محتوای دیگری ثبت شده است. نام دیگری برگزینید."


class CertificateAlreadyListed(AlreadyExists):
    """The certificate is listed for another owner, or with other roles or issuers."""

    reason = "CERTIFICATE_ALREADY_LISTED"
    template = "The certificate {sha256} is listed with another owner, other roles or other issuers. Issue a new one."
    template_fa = "گواهی {sha256} پیش‌تر با مالک، نقش‌ها یا صادرکنندگان دیگری ثبت شده است. گواهی تازه‌ای صادر کنید."


class TimeZoneUnknown(InvalidArgument):
    """Not a zone of the IANA time zone database."""

    reason = "TIME_ZONE_UNKNOWN"
    template = "{time_zone} is not a time zone of the IANA database. Write e.g. Asia/Tehran."
    template_fa = "{time_zone} در پایگاه IANA نیست. برای نمونه Asia/Tehran بنویسید."


class NumberPatternInvalid(InvalidArgument):
    """Numbers printed by it could not be told apart."""

    reason = "NUMBER_PATTERN_INVALID"
    template = "number_pattern must hold {{sequence}}, and in braces nothing but {{year}}, {{book}} and {{sequence}}."
    template_fa = "number_pattern باید {{sequence}} داشته باشد و در آکولاد جز {{year}} و {{book}} و {{sequence}} نیاید."


class CertificateMalformed(InvalidArgument):
    """Not the DER of a certificate."""

    reason = "CERTIFICATE_MALFORMED"
    template = "{field} is not one certificate in DER. Give each as it was issued, re-encoded by nobody."
    template_fa = "{field} یک گواهی DER نیست. هر گواهی را همان‌گونه که صادر شده است بدهید."


class PurposeNotAllowed(InvalidArgument):
    """A hub service has a seal here and nothing else."""

    reason = "PURPOSE_NOT_ALLOWED"
    template = "A certificate for {purpose} cannot be listed for {owner}: list its seal."
    template_fa = "برای {owner} گواهی {purpose} ثبت نمی‌شود؛ مهر (seal) آن را ثبت کنید."


class RolesNotAllowed(InvalidArgument):
    """Roles where there can be none, or the hub's own."""

    reason = "ROLES_NOT_ALLOWED"
    template = "Only a tls certificate has roles, and never hub_operator or hub_service: leave them out."
    template_fa = "نقش تنها برای گواهی tls است و نقش‌های سامانه به دستگاه‌ها داده نمی‌شود؛ آن‌ها را بردارید."


class RolesMissing(InvalidArgument):
    """A TLS certificate that may do nothing."""

    reason = "ROLES_MISSING"
    template = "A tls certificate needs at least one role, e.g. reader: say what its holder may do."
    template_fa = "گواهی tls دست‌کم یک نقش می‌خواهد، مثلاً reader."


class DevelopmentCertificate(InvalidArgument):
    """The development PKI's keys are nobody's own."""

    reason = "DEVELOPMENT_CERTIFICATE"
    template = "The certificate is of the development PKI, which production refuses. Have it issued by a real CA."
    template_fa = "این گواهی آزمایشی است و در محیط واقعی پذیرفته نمی‌شود. از مرکز صدور معتبر گواهی بگیرید."


@dataclass(frozen=True)
class Body:
    """`name` is `bodies/{body}`, `time_zone` an IANA name, `calendar` `JALALI` or `GREGORIAN`."""

    name: str
    display_name_fa: str
    display_name_en: str
    time_zone: str
    calendar: str


@dataclass(frozen=True)
class Office:
    """`name` is `bodies/{body}/offices/{office}`; an empty `number_pattern` prints `{year}/{sequence}`."""

    name: str
    display_name_fa: str
    display_name_en: str
    number_pattern: str

    @property
    def body(self) -> str:
        """`bodies/{body}`."""
        return self.name.partition("/offices/")[0]


@dataclass(frozen=True)
class Certificate:
    """A certificate as it is listed. `owner`: `bodies/{body}` or `services/{service}`; `roles` sorted; `issuers` DER,
    nearest first, without the `root`; instants in UTC, `added_at` None while it is not yet added.
    """

    sha256: bytes
    owner: str
    purpose: str
    position: str
    roles: tuple[str, ...]
    der: bytes
    issuers: tuple[bytes, ...]
    root: bytes
    not_before: datetime
    not_after: datetime
    added_at: datetime | None = None
    revoked_at: datetime | None = None
    revocation_reason: str = ""

    @property
    def body(self) -> str | None:
        """`bodies/{body}`, in whose chain the certificate is stated; None for one of the hub's services."""
        return self.owner if self.owner.startswith("bodies/") else None

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """The certificate, its issuers, the root."""
        return tuple(x509.load_der_x509_certificate(der) for der in (self.der, *self.issuers, self.root))


def check_body(body: Body) -> None:
    """Raises TimeZoneUnknown, and FormatError for a name with characters that would mislead its reader."""
    _check_names(body.display_name_fa, body.display_name_en)
    try:
        time_zone(body.time_zone)
    except FormatError:
        raise TimeZoneUnknown(time_zone=ascii(body.time_zone)) from None


def check_office(office: Office) -> None:
    """Raises NumberPatternInvalid, and FormatError for a name with characters that would mislead its reader."""
    _check_names(office.display_name_fa, office.display_name_en)
    check_text(office.number_pattern, "office.number_pattern")
    try:
        parts = [part for part in string.Formatter().parse(office.number_pattern) if part[1] is not None]
    except ValueError:
        raise NumberPatternInvalid from None
    fields = {name for _, name, _, _ in parts}
    plain = not any(form or conversion for _, _, form, conversion in parts)
    if office.number_pattern and not (plain and "sequence" in fields and fields <= NUMBER_FIELDS):
        raise NumberPatternInvalid


def _check_names(persian: str, english: str) -> None:
    check_text(persian, "display_name_fa")
    check_text(english, "display_name_en")


@dataclass(frozen=True)
class Trust:
    """What certificates are judged by: configured roots, the lists in force, whether development keys will do."""

    roots: Sequence[x509.Certificate]
    crls: Collection[x509.CertificateRevocationList]
    development: bool


def examine(
    owner: str, der: bytes, issuers: Sequence[bytes], roles: Collection[str], trust: Trust, at: datetime
) -> Certificate:
    """The certificate as it would be listed for `owner`.

    Raises CertificateMalformed, ServiceNotFound, PurposeNotAllowed, RolesNotAllowed, RolesMissing,
    DevelopmentCertificate, and pki.CertificateError for a chain that does not hold.
    """
    leaf = _read(der, "der")
    between = [_read(one, f"issuers[{index}]") for index, one in enumerate(issuers)]
    path = pki.verify_chain(leaf, between, trust.roots, at, trust.crls)
    purpose = pki.purpose(leaf)
    pki.require_purpose(leaf, purpose)
    _check_use(owner, purpose, frozenset(roles))
    if not trust.development and any(pki.is_development(one) for one in path):
        raise DevelopmentCertificate
    return Certificate(
        sha256=digest(der),
        owner=owner,
        purpose=purpose,
        position=pki.position(leaf) if purpose == "sign" else "",
        roles=tuple(sorted(roles)),
        der=der,
        issuers=tuple(_der(one) for one in path[1:-1]),
        root=_der(path[-1]),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def _check_use(owner: str, purpose: str, roles: frozenset[str]) -> None:
    kind, _, name = owner.partition("/")
    if kind == "services":
        require_service(name)
        if purpose != "seal":
            raise PurposeNotAllowed(purpose=purpose, owner=owner)
    if roles and (purpose != "tls" or not roles <= MEMBER_ROLES):
        raise RolesNotAllowed
    if purpose == "tls" and not roles:
        raise RolesMissing


def require_service(name: str) -> None:
    """Raises ServiceNotFound."""
    if name not in SERVICES:
        raise ServiceNotFound(service=f"services/{name}", services=", ".join(sorted(SERVICES)))


def require_same_body(stored: Body, wanted: Body) -> None:
    """Raises BodyAlreadyExists."""
    if stored != wanted:
        raise BodyAlreadyExists(body=wanted.name)


def require_same_office(stored: Office, wanted: Office) -> None:
    """Raises OfficeAlreadyExists."""
    if stored != wanted:
        raise OfficeAlreadyExists(office=wanted.name)


def require_same_certificate(stored: Certificate, owner: str, roles: Collection[str], issuers: Sequence[bytes]) -> None:
    """Raises CertificateAlreadyListed unless this is the request that listed it, made again."""
    if (stored.owner, stored.roles, frozenset(stored.issuers)) != (owner, tuple(sorted(roles)), frozenset(issuers)):
        raise CertificateAlreadyListed(sha256=stored.sha256.hex())


def stated(certificate: Certificate, reason: str = "") -> StatementEvent:
    """What CertificateAdded and CertificateRevoked say; `reason`: of the revocation."""
    party = StatementParty(body=certificate.owner, certificate_sha256=certificate.sha256)
    return StatementEvent(parties=[party], reason=reason)


def lists_in_force(
    path: Sequence[x509.Certificate], crls: Collection[x509.CertificateRevocationList], at: datetime
) -> list[x509.CertificateRevocationList]:
    """Of each issuer on the path the newest list in force at `at`, leaf's issuer first, where there is one."""
    found = []
    for issuer in path[1:]:
        current = [crl for crl in crls if pki.is_current(crl, issuer, at)]
        if current:
            found.append(max(current, key=lambda crl: crl.last_update_utc))
    return found


def with_revocation(
    certificate: Certificate,
    path: Sequence[x509.Certificate],
    crls: Collection[x509.CertificateRevocationList],
    at: datetime,
) -> Certificate:
    """`certificate` revoked since the earliest of: here, or by a list in force that names it or one of its issuers."""
    since = [certificate.revoked_at] if certificate.revoked_at else []
    for one, issuer in pairwise(path):
        for crl in (crl for crl in crls if pki.is_current(crl, issuer, at)):
            entry = crl.get_revoked_certificate_by_serial_number(one.serial_number)
            if entry is not None and entry.revocation_date_utc <= at:
                since.append(entry.revocation_date_utc)
    return replace(certificate, revoked_at=min(since)) if since else certificate


def digest(der: bytes) -> bytes:
    """How a certificate is named: SHA-256 of its DER."""
    return hashlib.sha256(der).digest()


def _read(der: bytes, field: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        raise CertificateMalformed(field=field) from None


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
