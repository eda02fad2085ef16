"""Who holds a private key and signs with it. A PKCS#11 signer comes beside `FileSigner`; callers know `Signer` only."""

import base64
import hashlib
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
MIN_RSA_BITS = 3072


class Signer(Protocol):
    """A private key with its certificate and the certificates that lead to a root, the root itself left out."""

    @property
    def certificate(self) -> x509.Certificate: ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Issuers of `certificate`, nearest first, without the leaf and without the root."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signs SHA-256 of `data`: ECDSA as ASN.1 DER (RFC 3279 §2.2.3), RSA by PKCS #1 v1.5 (RFC 8017 §8.2)."""
        ...


class KeySigner:
    """A `Signer` over a key in memory. Raises ValueError for a weak key or one that is not the certificate's."""

    def __init__(
        self, key: PrivateKey, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...] = ()
    ) -> None:
        if _spki(key.public_key()) != _spki(public_key(certificate)):
            raise ValueError("the private key is not the certificate's; give the key the certificate was issued for")
        self._key = key
        self._certificate = certificate
        self._chain = chain

    @property
    def certificate(self) -> x509.Certificate:
        return self._certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self._chain

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class FileSigner(KeySigner):
    """A `Signer` from a PKCS#8 PEM key and a PEM file of its certificate followed by its issuers.

    Both files are read and parsed once. A root at the end of the certificates is dropped. Raises OSError, or ValueError
    with the file's name for what is no such key or certificate.
    """

    def __init__(self, key_file: Path | str, certificates_file: Path | str) -> None:
        try:
            key = serialization.load_pem_private_key(Path(key_file).read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(f"{key_file} is not an unencrypted PKCS#8 PEM key: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"{key_file} holds neither an elliptic curve nor an RSA key")  # noqa: TRY004
        certificates = load_certificates(certificates_file)
        chain = tuple(issuer for issuer in certificates[1:] if issuer.subject != issuer.issuer)
        super().__init__(key, certificates[0], chain)


def load_certificates(certificates_file: Path | str) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order. Raises OSError, or ValueError with the file's name."""
    try:
        return x509.load_pem_x509_certificates(Path(certificates_file).read_bytes())
    except ValueError as error:
        raise ValueError(f"{certificates_file} holds no PEM certificates: {error}") from None


def public_key(certificate: x509.Certificate) -> PublicKey:
    """A certificate's key, if it is P-256, P-384 or RSA of at least 3072 bits. Raises ValueError for any other."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the certificate's key cannot be read: {error}") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    raise ValueError(f"the certificate's key must be P-256, P-384 or RSA of at least {MIN_RSA_BITS} bits")


def certificate_sha256(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's DER: how Dabir names a certificate (RFC 7515 §4.1.8 `x5t#S256`)."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def key_thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """The RFC 7638 JWK thumbprint of a P-256 key, base64url: the `kid` of statements."""
    numbers = key.public_numbers()
    x, y = (_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    jwk = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    return _base64url(hashlib.sha256(jwk.encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
