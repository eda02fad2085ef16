"""Whether a signature counts here: its form, what it signs, and whose certificate made it.

The form and the path to a root are `dabir.formats`' (CAdES-B, ETSI EN 319 122-1; RFC 5280); this room says which
certificate may stand where. Directory's answer is always fresh: signatures are never checked against stale data.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dabir.common.v1.statement_pb2 import StatementSignature
from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats import cades, pki
from dabir.formats.signer import certificate_sha256
from dabir.formats.strict_json import FormatError
from services.intake.domain import signature_errors as errors
from services.runtime import instants

Purpose = directory.CertificatePurpose


@dataclass(frozen=True)
class Expected:
    """Which certificate must have made a signature. `place` says where it stands: `signatures[0]`, `signature`."""

    place: str
    body: str
    purpose: directory.CertificatePurpose.ValueType
    position: str = ""
    """With `sign`: the position the manifest states."""
    certificate_sha256: bytes | None = None
    """With `sign`: what the manifest names."""


@dataclass(frozen=True)
class Checked:
    """A signature that counts, with what it was checked with."""

    certificate_sha256: bytes
    """Of the certificate that signed."""
    stated: StatementSignature
    """What statements say of it."""
    material: dict[bytes, bytes]
    """Certificates and CRLs, DER, by digest: kept, so that a package can hold them."""


@dataclass(frozen=True)
class Trust:
    """Whom this hub trusts to issue certificates that sign."""

    roots: Collection[x509.Certificate]
    development: bool
    """Whether chains that carry the development marker are taken."""


def read(place: str, data: bytes, file: bytes) -> cades.SignatureFile:
    """A signature file that signs `data`. Raises SignatureMalformed, SignatureWrong."""
    try:
        return cades.verify_detached(data, file)
    except FormatError as error:
        if error.reason in ("WRONG_DIGEST", "BAD_SIGNATURE"):
            raise errors.SignatureWrong(place=place) from error
        raise errors.SignatureMalformed(place=place, why=str(error)) from error


def check_named(expected: Expected, file: cades.SignatureFile) -> bytes:
    """The digest of the certificate that signed, to be resolved. Raises CertificateMismatch."""
    found = certificate_sha256(file.certificates[0])
    if expected.certificate_sha256 is not None and found != expected.certificate_sha256:
        raise errors.CertificateMismatch(place=expected.place)
    return found


def check(
    expected: Expected,
    file: cades.SignatureFile,
    resolved: directory.ResolveCertificateResponse,
    trust: Trust,
    now: datetime,
) -> Checked:
    """That the certificate is the right one, in force at `now`. Raises the errors of `signature_errors`."""
    certificate, place = resolved.certificate, expected.place
    if certificate.purpose != expected.purpose:
        raise errors.CertificatePurposeWrong(
            place=place, given=_word(certificate.purpose), wanted=_word(expected.purpose)
        )
    if certificate.owner != expected.body:
        raise errors.CertificateOfAnotherBody(place=place, body=expected.body)
    if expected.position and certificate.position != expected.position:
        raise errors.CertificatePositionWrong(place=place)
    if certificate.HasField("revoked_at"):
        since = instants.text(certificate.revoked_at.ToDatetime(UTC))
        raise errors.CertificateRevoked(place=place, why=f"since {since}")
    crls = _lists(place, resolved.crls)
    _check_chain(place, file, crls, trust, now)
    ders = [one.public_bytes(serialization.Encoding.DER) for one in file.certificates]
    material = {sha256(der).digest(): der for der in (*ders, *resolved.crls)}
    stated = StatementSignature(
        file_sha256=file.sha256,
        certificates_sha256=[sha256(der).digest() for der in ders],
        crls_sha256=[sha256(der).digest() for der in resolved.crls],
    )
    return Checked(certificate_sha256(file.certificates[0]), stated, material)


def _lists(place: str, ders: Collection[bytes]) -> list[x509.CertificateRevocationList]:
    try:
        return [x509.load_der_x509_crl(der) for der in ders]
    except ValueError as error:
        raise errors.RevocationUnknown(place=place, why="a revocation list is damaged") from error


def _check_chain(
    place: str,
    file: cades.SignatureFile,
    crls: Collection[x509.CertificateRevocationList],
    trust: Trust,
    now: datetime,
) -> None:
    leaf, *issuers = file.certificates
    try:
        path = pki.verify_chain(leaf, issuers, trust.roots, now, crls)
    except pki.CertificateError as error:
        match error.reason:
            case "NOT_YET_VALID":
                starts = instants.text(max(one.not_valid_before_utc for one in file.certificates))
                raise errors.CertificateNotYetValid(place=place, not_before=starts) from error
            case "EXPIRED":
                ends = instants.text(min(one.not_valid_after_utc for one in file.certificates))
                raise errors.CertificateExpired(place=place, not_after=ends) from error
            case "REVOKED":
                raise errors.CertificateRevoked(place=place, why=str(error)) from error
            case "REVOCATION_UNKNOWN":
                raise errors.RevocationUnknown(place=place, why=str(error)) from error
        raise errors.CertificateNotTrusted(place=place, why=str(error)) from error
    if not trust.development and any(pki.is_development(one) for one in path):
        raise errors.CertificateNotTrusted(place=place, why="it is of a development PKI")


def _word(purpose: directory.CertificatePurpose.ValueType) -> str:
    return Purpose.Name(purpose).removeprefix("CERTIFICATE_PURPOSE_").lower()
