"""A development CA in memory, for any test that needs keys and certificates of bodies or services."""

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dabir.formats import pki
from dabir.formats.signer import KeySigner, PrivateKey, PublicKey

NOT_BEFORE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NOT_AFTER = datetime.datetime(2036, 1, 1, tzinfo=datetime.UTC)

_CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
_SIGN_USAGE = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
_TLS_USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class TestAuthority:
    """A root and one intermediate. Every certificate below them is P-256 and valid 2026 to 2036 unless told otherwise.

    `development=True` marks the certificates for `sign` and `seal` with the critical development extension.
    """

    __test__ = False

    def __init__(self, name: str = "Dabir test", *, development: bool = False) -> None:
        self._development = development
        root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = _ca_certificate(f"{name} root", root_key, f"{name} root", root_key, None)
        issuing_key = ec.generate_private_key(ec.SECP256R1())
        self.intermediate = _ca_certificate(f"{name} issuing", issuing_key, f"{name} root", root_key, 0)
        self._root = _Authority(root_key, self.root)
        self._issuing = _Authority(issuing_key, self.intermediate)

    def issue(
        self,
        *,
        purpose: pki.Purpose | None = "seal",
        position: str = "",
        events: Collection[str] = (),
        body: str = "",
        common_name: str = "",
        key: PrivateKey | None = None,
        uris: Iterable[str] = (),
        not_before: datetime.datetime = NOT_BEFORE,
        not_after: datetime.datetime = NOT_AFTER,
    ) -> KeySigner:
        """A key and its certificate. `body` (`bodies/x`) and `uris` become SAN URIs; `tls` ones also name localhost."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(
            key.public_key(),
            purpose=purpose,
            position=position,
            events=events,
            body=body,
            common_name=common_name,
            uris=uris,
            not_before=not_before,
            not_after=not_after,
        )
        return KeySigner(key, certificate, (self.intermediate,))

    def certify(
        self,
        key: PublicKey,
        *,
        purpose: pki.Purpose | None = "seal",
        position: str = "",
        events: Collection[str] = (),
        body: str = "",
        common_name: str = "",
        uris: Iterable[str] = (),
        not_before: datetime.datetime = NOT_BEFORE,
        not_after: datetime.datetime = NOT_AFTER,
    ) -> x509.Certificate:
        """A certificate for any key, weak ones too; the arguments are `issue`'s."""
        subject = _name(common_name or body or position or "Dabir test leaf")
        builder = _builder(subject, key, self.intermediate.subject, not_before, not_after)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(_TLS_USAGE if purpose == "tls" else _SIGN_USAGE, critical=True)
        if purpose is not None:
            builder = builder.add_extension(pki.purpose_extension(purpose), critical=False)
        if position:
            builder = builder.add_extension(pki.position_extension(position), critical=False)
        if events:
            builder = builder.add_extension(pki.events_extension(events), critical=False)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        if body:
            names.append(x509.UniformResourceIdentifier(f"urn:dabir:{body}"))
        if purpose == "tls":
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            names.append(x509.DNSName("localhost"))
        elif self._development:
            builder = builder.add_extension(pki.development_extension(), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._issuing.key, hashes.SHA256())

    def crls(
        self,
        revoked: Iterable[x509.Certificate] = (),
        *,
        at: datetime.datetime = NOT_BEFORE,
        next_update: datetime.datetime = NOT_AFTER,
    ) -> list[x509.CertificateRevocationList]:
        """The root's and the intermediate's lists, issued at `at`; `revoked` are revoked at `at`."""
        return [_crl(self._root, (), at, next_update), _crl(self._issuing, revoked, at, next_update)]


def private_key(signer: KeySigner) -> PrivateKey:
    """What a signer gives to no caller."""
    return signer._key


def write_files(signer: KeySigner, directory: Path, name: str) -> tuple[Path, Path]:
    """Writes `{name}.key.pem` (PKCS#8) and `{name}.pem` (certificate, then issuers) and returns both paths."""
    key_file, certificates_file = directory / f"{name}.key.pem", directory / f"{name}.pem"
    pkcs8 = serialization.PrivateFormat.PKCS8
    encoded = private_key(signer).private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
    key_file.write_bytes(encoded)
    certificates = (signer.certificate, *signer.chain)
    certificates_file.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
    return key_file, certificates_file


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(
    subject: x509.Name,
    key: PublicKey,
    issuer: x509.Name,
    not_before: datetime.datetime,
    not_after: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(not_before).not_valid_after(not_after)


def _ca_certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    path_length: int | None,
) -> x509.Certificate:
    builder = _builder(_name(subject), key.public_key(), _name(issuer), NOT_BEFORE, NOT_AFTER)
    builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
    builder = builder.add_extension(_CA_USAGE, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _crl(
    authority: _Authority,
    revoked: Iterable[x509.Certificate],
    at: datetime.datetime,
    next_update: datetime.datetime,
) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(at).next_update(next_update)
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256())
