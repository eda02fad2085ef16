"""Certificates: our own extensions, what each certificate is for, and the path from one to a root.

The object identifiers stand under 2.25.{a UUID drawn once} (ITU-T X.667) and never change; docs/formats.md, "Object
identifiers". Path validation follows RFC 5280 §6.1 for the short chains used here. It is our own because cryptography's
verifier refuses every critical extension it does not know, and the development marker is one.
"""

import datetime
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal, cast, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from dabir.formats.asn1 import core
from dabir.formats.signer import public_key
from dabir.formats.strict_json import FormatError, check_text

_ARC = "2.25.298833047016954654651156548991828653998"
DEVELOPMENT_MARKER = x509.ObjectIdentifier(f"{_ARC}.1")
PURPOSE = x509.ObjectIdentifier(f"{_ARC}.2")
POSITION = x509.ObjectIdentifier(f"{_ARC}.3")
EVENTS = x509.ObjectIdentifier(f"{_ARC}.4")

Purpose = Literal["tls", "sign", "seal"]
MAX_POSITION_CHARACTERS = 200
MAX_EVENTS = 64
# A leaf, at most three intermediates and a root.
MAX_CHAIN = 5

# What cryptography raises, lazily, on certificates and lists that it parsed but cannot make sense of.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = frozenset(
    {
        DEVELOPMENT_MARKER,
        PURPOSE,
        POSITION,
        EVENTS,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


class CertificateError(FormatError):
    """A certificate, chain or revocation list that cannot be relied on. `reason` is UPPER_SNAKE."""


class _EventNames(core.SequenceOf):  # type: ignore[misc]  # asn1crypto ships no types
    _child_spec = core.UTF8String


def development_extension() -> x509.UnrecognizedExtension:
    """The marker of the development PKI (NULL), critical in sign and seal certificates. Production refuses it."""
    return x509.UnrecognizedExtension(DEVELOPMENT_MARKER, core.Null().dump())


def purpose_extension(purpose: Purpose) -> x509.UnrecognizedExtension:
    """What the certificate is for (UTF8String), not critical."""
    return x509.UnrecognizedExtension(PURPOSE, core.UTF8String(purpose).dump())


def position_extension(position: str) -> x509.UnrecognizedExtension:
    """The position that signs (UTF8String), not critical; only with purpose `sign`."""
    check_text(position, "position")
    return x509.UnrecognizedExtension(POSITION, core.UTF8String(position).dump())


def events_extension(events: Collection[str]) -> x509.UnrecognizedExtension:
    """The events a service's seal may state (SEQUENCE OF UTF8String, sorted), not critical; only with `seal`."""
    return x509.UnrecognizedExtension(EVENTS, _EventNames(sorted(events)).dump())


def purpose(certificate: x509.Certificate) -> Purpose:
    """What the certificate is for. Raises CertificateError (PURPOSE_MISSING) if it does not say so in our terms."""
    found = _own_text(certificate, PURPOSE)
    if found not in get_args(Purpose):
        raise CertificateError(
            "PURPOSE_MISSING", "the certificate names no purpose tls, sign or seal; have it issued anew"
        )
    return cast(Purpose, found)


def position(certificate: x509.Certificate) -> str:
    """The position that signs; empty if the certificate names none."""
    return _own_text(certificate, POSITION)


def events(certificate: x509.Certificate) -> frozenset[str]:
    """The event URIs that the certificate's service may state; empty for everybody else's certificate."""
    value = _extension(certificate, EVENTS)
    if value is None:
        return frozenset()
    try:
        listed = [item.native for item in _EventNames.load(value, strict=True)]
    except (ValueError, TypeError):
        listed = None
    if not listed or len(listed) > MAX_EVENTS or _EventNames(sorted(set(listed))).dump() != value:
        raise CertificateError("BAD_EXTENSION", "the certificate's list of events is damaged; have it issued anew")
    return frozenset(listed)


def is_development(certificate: x509.Certificate) -> bool:
    """Whether the certificate carries the marker of the development PKI, critical or not."""
    return _extension(certificate, DEVELOPMENT_MARKER) is not None


def require_purpose(certificate: x509.Certificate, expected: Purpose) -> None:
    """Raises CertificateError unless the certificate is for `expected`; a position stands if and only if for `sign`."""
    found = purpose(certificate)
    if found != expected:
        message = f"the certificate is for {found}; a certificate for {expected} is needed here"
        raise CertificateError("WRONG_PURPOSE", message)
    if (position(certificate) != "") != (expected == "sign"):
        raise CertificateError("WRONG_PURPOSE", "a certificate names a position if and only if it is for sign")
    if expected != "seal" and events(certificate):
        raise CertificateError("WRONG_PURPOSE", "only a seal certificate lists events")


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    except _UNREADABLE as error:
        raise CertificateError("BAD_EXTENSION", f"the certificate's extensions cannot be read: {error}") from None
    return cast(x509.UnrecognizedExtension, value).value


def _own_text(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    value = _extension(certificate, oid)
    if value is None:
        return ""
    try:
        text = cast(str, core.UTF8String.load(value, strict=True).native)
    except (ValueError, TypeError):
        text = ""
    if not 0 < len(text) <= MAX_POSITION_CHARACTERS or core.UTF8String(text).dump() != value:
        raise CertificateError("BAD_EXTENSION", f"the certificate's extension {oid.dotted_string} is damaged")
    try:
        check_text(text)
    except FormatError as error:
        raise CertificateError("BAD_EXTENSION", f"the certificate's extension {oid.dotted_string} {error}") from None
    return text


def verify_chain(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Collection[x509.Certificate],
    at: datetime.datetime,
    crls: Collection[x509.CertificateRevocationList] | None,
) -> tuple[x509.Certificate, ...]:
    """The path from `leaf` to one of `roots`, both included, valid at the instant `at` (with time zone).

    `intermediates` are exactly the certificates between, as a signature file holds them: one that is not on the path is
    refused. Each certificate below the root needs a list in `crls`, in force at `at`, that does not revoke it by then;
    `crls=None` says that revocation is judged elsewhere. Raises CertificateError: UNTRUSTED_CHAIN, EXTRA_CERTIFICATE,
    NOT_YET_VALID, EXPIRED, WEAK_KEY, UNKNOWN_CRITICAL_EXTENSION, REVOCATION_UNKNOWN, REVOKED.
    """
    path = [leaf]
    waiting = list(intermediates)
    while path[-1] not in roots:
        issuer = next((c for c in (*roots, *waiting) if _issued(path[-1], c, len(path) - 1)), None)
        if issuer is None or len(path) == MAX_CHAIN:
            message = f"no trusted root issued {_name(path[-1])} or its issuers"
            raise CertificateError("UNTRUSTED_CHAIN", message)
        if issuer in waiting:
            waiting.remove(issuer)
        path.append(issuer)
    if waiting:
        raise CertificateError(
            "EXTRA_CERTIFICATE", "a certificate is given that is not on the path to the root; remove it"
        )
    for certificate in path:
        _check_usable(certificate, at)
    if crls is not None:
        for certificate, issuer in pairwise(path):
            _check_not_revoked(certificate, issuer, at, crls)
    return tuple(path)


def _name(certificate: x509.Certificate) -> str:
    """The subject for a message, in ASCII. A name that is not what its encoding says is read only here, and fails."""
    try:
        return ascii(certificate.subject.rfc4514_string())
    except _UNREADABLE:
        return "an unreadable name"


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, certificates_between: int) -> bool:
    """Whether `issuer` signed `certificate` and may be a CA above so many intermediates (RFC 5280 §6.1.4 k–n)."""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, *_UNREADABLE):
        return False
    deep_enough = constraints.path_length is None or constraints.path_length >= certificates_between
    return constraints.ca and usage.key_cert_sign and deep_enough


def _check_usable(certificate: x509.Certificate, at: datetime.datetime) -> None:
    name = _name(certificate)
    if at < certificate.not_valid_before_utc:
        raise CertificateError(
            "NOT_YET_VALID", f"the certificate of {name} is valid from {certificate.not_valid_before_utc}"
        )
    if at > certificate.not_valid_after_utc:
        raise CertificateError("EXPIRED", f"the certificate of {name} ended at {certificate.not_valid_after_utc}")
    try:
        public_key(certificate)
        weak = not isinstance(certificate.signature_hash_algorithm, _HASHES)
        unknown = {e.oid for e in certificate.extensions if e.critical} - _UNDERSTOOD
    except _UNREADABLE as error:
        raise CertificateError("WEAK_KEY", f"the certificate of {name}: {error}") from None
    if weak:
        raise CertificateError("WEAK_KEY", f"the certificate of {name} is signed with less than SHA-256")
    if unknown:
        listed = ", ".join(sorted(oid.dotted_string for oid in unknown))
        message = f"the certificate of {name} has critical extensions unknown here: {listed}"
        raise CertificateError("UNKNOWN_CRITICAL_EXTENSION", message)


def _check_not_revoked(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime.datetime,
    crls: Collection[x509.CertificateRevocationList],
) -> None:
    name = _name(certificate)
    current = [crl for crl in crls if is_current(crl, issuer, at)]
    if not current:
        message = f"no revocation list of {_name(issuer)} is in force at {at}; fetch one"
        raise CertificateError("REVOCATION_UNKNOWN", message)
    for crl in current:
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and entry.revocation_date_utc <= at:
            raise CertificateError("REVOKED", f"the certificate of {name} was revoked at {entry.revocation_date_utc}")


def is_current(crl: x509.CertificateRevocationList, issuer: x509.Certificate, at: datetime.datetime) -> bool:
    """Whether the list is this issuer's, whole (no critical extension narrows it), and in force (RFC 5280 §6.3.3)."""
    try:
        signed = crl.issuer == issuer.subject and crl.is_signature_valid(public_key(issuer))
        narrowed = any(extension.critical for extension in crl.extensions)
    except _UNREADABLE:
        return False
    ends = crl.next_update_utc
    return signed and not narrowed and ends is not None and crl.last_update_utc <= at <= ends
