"""The development PKI: made at the first start, never committed, its revocation lists issued anew at every start.

    root ─┬─ hub CA       the services', the workers' and the operator's `tls`   (marker not critical)
          ├─ members CA   the bodies' `tls`                                      (marker not critical)
          └─ signing CA   positions' `sign`, bodies' and services' `seal`        (marker critical, as are its leaves')

The marker is critical wherever something is signed: a verifier that does not know it refuses. Where TLS is spoken it
cannot be, nor in the root of both, because the TLS library refuses every critical extension it does not know.
Names are plain ASCII: a Persian position stands in its own extension.
"""

import datetime
import ipaddress
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dabir.formats import pki
from infra.local.stack import write

ROOT = "root"
HUB_CA, MEMBERS_CA, SIGNING_CA = "hub-ca", "members-ca", "signing-ca"
CA_DAYS, LEAF_DAYS, CRL_DAYS = 3650, 730, 30
_CRITICAL = (SIGNING_CA,)


@dataclass(frozen=True)
class Pair:
    """A certificate file (PEM: the certificate, then its issuers without the root) and its key file (PEM, PKCS#8)."""

    certificate: Path
    key: Path

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificate, then its issuers."""
        return x509.load_pem_x509_certificates(self.certificate.read_bytes())


class DevelopmentPki:
    """The PKI in one folder. Every `…_pair` makes what is missing and leaves what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.crls = folder / "crls"

    def make(self) -> None:
        """Root and CAs, as far as they are missing, and revocation lists in force for CRL_DAYS from now."""
        self.crls.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for name in (ROOT, HUB_CA, MEMBERS_CA, SIGNING_CA):
            if not self._pair(name).certificate.exists():
                self._make_authority(name)
        self.issue_crls()

    @property
    def root(self) -> Path:
        """PEM: the one root."""
        return self._pair(ROOT).certificate

    @property
    def hub_ca(self) -> Path:
        """PEM: who alone issues `urn:dabir:service:…` certificates."""
        return self._pair(HUB_CA).certificate

    def service_tls_pair(self, service: str, folder: Path) -> Pair:
        """To serve and to call, for a hub service, `worker` or `operator`."""
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(f"urn:dabir:service:{service}"),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
        ]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._leaf(folder / "tls", HUB_CA, service, _tls_extensions(names, usages))

    def body_tls_pair(self, body: str, folder: Path) -> Pair:
        """To call the hub, for a body (`interior`)."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"urn:dabir:bodies/{body}")]
        return self._leaf(folder / "tls", MEMBERS_CA, body, _tls_extensions(names, [ExtendedKeyUsageOID.CLIENT_AUTH]))

    def sign_pair(self, body: str, position: str, number: int, folder: Path) -> Pair:
        """To sign letters, for a body's n-th position."""
        extensions = [(pki.purpose_extension("sign"), False), (pki.position_extension(position), False)]
        return self._leaf(folder / f"sign-{number}", SIGNING_CA, f"{body} signer {number}", extensions)

    def seal_pair(self, owner: str, folder: Path, events: Collection[str] = ()) -> Pair:
        """To seal: a body's receipts, or the statements of a service, whose `events` it lists."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [(pki.purpose_extension("seal"), False)]
        if events:
            extensions.append((pki.events_extension(events), False))
        return self._leaf(folder / "seal", SIGNING_CA, f"{owner} seal", extensions)

    def revoke(self, certificate: x509.Certificate) -> None:
        """Puts the certificate on its issuer's list, from now, and issues the lists anew. Repeating changes nothing."""
        revoked = self._revoked()
        revoked.setdefault(str(certificate.serial_number), _now().isoformat())
        write(self._revoked_file, json.dumps(revoked, indent=1))
        self.issue_crls()

    def issue_crls(self) -> None:
        """Writes `crls/{authority}.pem` for each authority."""
        revoked = self._revoked()
        for name in (ROOT, HUB_CA, MEMBERS_CA, SIGNING_CA):
            pair, now = self._pair(name), _now()
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(pair.chain[0].subject)
                .last_update(now)
                .next_update(now + datetime.timedelta(days=CRL_DAYS))
            )
            for serial, since in revoked.items():
                # Serial numbers are random over all authorities, so one list of them serves all.
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(serial))
                    .revocation_date(datetime.datetime.fromisoformat(since))
                    .build()
                )
            crl = builder.sign(_key(pair), hashes.SHA256())
            write(self.crls / f"{name}.pem", crl.public_bytes(serialization.Encoding.PEM).decode())

    def _make_authority(self, name: str) -> None:
        depth = 1 if name == ROOT else 0
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=depth), True),
            (_key_usage(digital_signature=False, authority=True), True),
            (pki.development_extension(), name in _CRITICAL),
        ]
        issuer = name if name == ROOT else ROOT
        self._issue(self._pair(name), issuer, f"Dabir development {name}", extensions, CA_DAYS)

    def _leaf(self, stem: Path, issuer: str, name: str, extensions: Sequence[tuple[x509.ExtensionType, bool]]) -> Pair:
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        if pair.certificate.exists():
            return pair
        pair.certificate.parent.mkdir(parents=True, exist_ok=True)
        always: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(digital_signature=True, authority=False), True),
            (pki.development_extension(), issuer in _CRITICAL),
        ]
        self._issue(pair, issuer, name, [*always, *extensions], LEAF_DAYS)
        return pair

    def _issue(
        self, pair: Pair, issuer: str, name: str, extensions: Sequence[tuple[x509.ExtensionType, bool]], days: int
    ) -> None:
        """Makes key and certificate. The certificate's file comes last: where it stands, its key does."""
        key = ec.generate_private_key(ec.SECP256R1())
        itself = pair == self._pair(issuer)
        authority = None if itself else self._pair(issuer)
        subject = _name(name)
        issuer_key = key if authority is None else _key(authority)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if authority is None else authority.chain[0].subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - datetime.timedelta(days=1))
            .not_valid_after(_now() + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        chain = [certificate] if issuer == ROOT or authority is None else [certificate, *authority.chain]
        write(pair.key, _pem(key), mode=0o600)
        write(pair.certificate, "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in chain))

    def _pair(self, authority: str) -> Pair:
        return Pair(self.folder / f"{authority}.pem", self.folder / f"{authority}.key")

    @property
    def _revoked_file(self) -> Path:
        return self.folder / "revoked.json"

    def _revoked(self) -> dict[str, str]:
        """Since when (ISO 8601) a serial number is revoked."""
        if not self._revoked_file.exists():
            return {}
        return json.loads(self._revoked_file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # ours


def _tls_extensions(
    names: Sequence[x509.GeneralName], usages: Sequence[x509.ObjectIdentifier]
) -> list[tuple[x509.ExtensionType, bool]]:
    return [
        (x509.SubjectAlternativeName(names), False),
        (x509.ExtendedKeyUsage(usages), False),
        (pki.purpose_extension("tls"), False),
    ]


def _key_usage(*, digital_signature: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Dabir development"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key(pair: Pair) -> ec.EllipticCurvePrivateKey:
    return cast(ec.EllipticCurvePrivateKey, serialization.load_pem_private_key(pair.key.read_bytes(), password=None))


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
