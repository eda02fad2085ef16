"""Signature files: detached CAdES-B (ETSI EN 319 122-1 §6, over CMS, RFC 5652), strict enough to be packaged.

One SignerInfo, DER, no unsigned attribute but one time-stamp token, certificates = the chain without its root
(docs/formats.md, "Signature files"). Path building, purpose and revocation are `pki`'s.
"""

import datetime
import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from dabir.formats import asn1
from dabir.formats.asn1 import algos, cms, core, tsp
from dabir.formats.der import check_der
from dabir.formats.signer import PublicKey, Signer, public_key
from dabir.formats.strict_json import FormatError

MAX_SIGNATURE_BYTES = 64 * 1024
MAX_CERTIFICATES = 4

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_ONCE_EACH = ("content_type", "message_digest", "signing_time", "signing_certificate_v2")


@dataclass(frozen=True)
class SignatureFile:
    """A signature file in the strict form. That it verifies over some data, or whom to trust, is not said by it."""

    certificates: tuple[x509.Certificate, ...]
    """The signer's first, then its issuers, nearest first, without the root."""
    signed_at: datetime.datetime
    """What the signer claims (signing-time)."""
    digest_algorithm: str
    """`sha256`, `sha384` or `sha512`."""
    message_digest: bytes
    signed_attributes: bytes
    """DER of the SET OF Attribute: what the signature is over (RFC 5652 §5.4)."""
    signature: bytes
    timestamp_token: bytes | None
    sha256: bytes
    """SHA-256 of the file."""


def sign_detached(data: bytes, signer: Signer, signed_at: datetime.datetime) -> bytes:
    """A signature file (DER) by `signer` over `data`. `signed_at` has a time zone; its whole second is claimed."""
    leaf = _certificate(signer.certificate)
    attributes = cms.CMSAttributes(
        [
            _attribute("content_type", "data"),
            _attribute("message_digest", hashlib.sha256(data).digest()),
            _attribute("signing_time", _time(signed_at)),
            _attribute("signing_certificate_v2", _signing_certificate(leaf)),
        ]
    )
    algorithm = (
        "sha256_ecdsa" if isinstance(public_key(signer.certificate), ec.EllipticCurvePublicKey) else "sha256_rsa"
    )
    identifier = cms.IssuerAndSerialNumber({"issuer": leaf.issuer, "serial_number": leaf.serial_number})
    signer_info = {
        "version": "v1",
        "sid": cms.SignerIdentifier({"issuer_and_serial_number": identifier}),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": algorithm},
        "signature": signer.sign(attributes.dump()),
    }
    chain = [leaf, *(_certificate(issuer) for issuer in signer.chain)]
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "data"},
            "certificates": [cms.CertificateChoices("certificate", certificate) for certificate in chain],
            "signer_infos": [signer_info],
        }
    )
    file: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    read_signature(file)
    return file


def _certificate(certificate: x509.Certificate) -> Any:
    return asn1.certificates.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _attribute(kind: str, value: Any) -> Any:
    return cms.CMSAttribute({"type": kind, "values": [value]})


def _time(instant: datetime.datetime) -> Any:
    """UTCTime until 2049, GeneralizedTime after (RFC 5652 §11.3)."""
    instant = instant.astimezone(datetime.UTC).replace(microsecond=0)
    return cms.Time({"utc_time" if instant.year < 2050 else "generalized_time": instant})


def _signing_certificate(leaf: Any) -> Any:
    """RFC 5035 §4; SHA-256 is its default hash and so is not written (X.690 §11.5)."""
    names = asn1.certificates.GeneralNames([asn1.certificates.GeneralName("directory_name", leaf.issuer)])
    issuer_serial = {"issuer": names, "serial_number": leaf.serial_number}
    entry = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(leaf.dump()).digest(), "issuer_serial": issuer_serial})
    return tsp.SigningCertificateV2({"certs": [entry]})


def verify_detached(data: bytes, file: bytes) -> SignatureFile:
    """The signature file, if it is in the strict form and verifies over `data`. Raises FormatError."""
    signature = read_signature(file)
    if hashlib.new(signature.digest_algorithm, data).digest() != signature.message_digest:
        raise FormatError("WRONG_DIGEST", "the signature is over other bytes; sign exactly the bytes that are sent")
    _verify(public_key(signature.certificates[0]), signature)
    return signature


def _verify(key: PublicKey, signature: SignatureFile) -> None:
    algorithm = _HASHES[signature.digest_algorithm]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature.signature, signature.signed_attributes, ec.ECDSA(algorithm))
        else:
            key.verify(signature.signature, signature.signed_attributes, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise FormatError("BAD_SIGNATURE", "the signature is not by the certificate it names; sign again") from None


def read_signature(file: bytes) -> SignatureFile:
    """The signature file in `file`, at most 64 KiB, in the strict form. Raises FormatError; nothing else."""
    if len(file) > MAX_SIGNATURE_BYTES:
        raise FormatError("TOO_LARGE", f"{len(file)} bytes; a signature file has at most {MAX_SIGNATURE_BYTES}")
    check_der(file)
    try:
        return _read(file)
    except FormatError:
        raise
    except (*asn1.ERRORS, x509.InvalidVersion) as error:
        message = f"is no CMS signature that can be read ({type(error).__name__}); make a detached CAdES-B one"
        raise FormatError("BAD_SIGNATURE_FILE", message) from None


def _refuse(what: str) -> FormatError:
    return FormatError("LOOSE_SIGNATURE_FILE", f"{what}; make a detached CAdES-B signature in the strict form")


def _read(file: bytes) -> SignatureFile:
    content_info = cms.ContentInfo.load(file, strict=True)
    if content_info["content_type"].native != "signed_data":
        raise _refuse("is not SignedData")
    signed = content_info["content"]
    info = _only_signer_info(signed)
    digest_algorithm = _digest_algorithm(signed, info)
    attributes = _signed_attributes(info)
    certificates = _ordered_certificates(signed, info["sid"].chosen)
    leaf = certificates[0]
    _check_signature_algorithm(info, digest_algorithm, _strong_key(leaf))
    _check_signing_certificate(attributes["signing_certificate_v2"], leaf)
    token = _timestamp_token(info)
    # The signature is over the attributes with their SET OF tag, not the [0] they are stored under (RFC 5652 §5.4).
    return SignatureFile(
        certificates=certificates,
        signed_at=attributes["signing_time"].native,
        digest_algorithm=digest_algorithm,
        message_digest=attributes["message_digest"].native,
        signed_attributes=b"\x31" + info["signed_attrs"].dump()[1:],
        signature=info["signature"].native,
        timestamp_token=token,
        sha256=hashlib.sha256(file).digest(),
    )


def _only_signer_info(signed: Any) -> Any:
    if signed["version"].native != "v1" or signed["encap_content_info"]["content_type"].native != "data":
        raise _refuse("is not SignedData of version 1 over plain data")
    if not isinstance(signed["encap_content_info"]["content"], core.Void):
        raise _refuse("holds the signed bytes itself and is not detached")
    if not isinstance(signed["crls"], core.Void):
        raise _refuse("holds revocation lists")
    if len(signed["signer_infos"]) != 1:
        raise _refuse(f"has {len(signed['signer_infos'])} signers and not exactly one")
    info = signed["signer_infos"][0]
    if info["version"].native != "v1" or info["sid"].name != "issuer_and_serial_number":
        raise _refuse("does not name its signer by issuer and serial number")
    return info


def _digest_algorithm(signed: Any, info: Any) -> str:
    listed = signed["digest_algorithms"]
    name: str = info["digest_algorithm"]["algorithm"].native
    if len(listed) != 1 or listed[0].dump() != info["digest_algorithm"].dump():
        raise _refuse("lists digest algorithms other than the signer's")
    if name not in _HASHES:
        raise FormatError("WEAK_ALGORITHM", f"uses the digest {name!a}; use SHA-256, SHA-384 or SHA-512")
    if info["digest_algorithm"].dump() not in _digest_encodings(name):
        raise _refuse("gives its digest algorithm parameters")
    return name


def _digest_encodings(name: str) -> tuple[bytes, bytes]:
    """Parameters are absent, or NULL as older writers have it (RFC 5754 §2)."""
    bare = algos.DigestAlgorithmId(name).dump()
    return b"\x30" + bytes([len(bare)]) + bare, b"\x30" + bytes([len(bare) + 2]) + bare + b"\x05\x00"


def _signed_attributes(info: Any) -> dict[str, Any]:
    """Each attribute's one value by its kind."""
    if isinstance(info["signed_attrs"], core.Void):
        raise _refuse("has no signed attributes")
    found: dict[str, Any] = {}
    before = b""
    for attribute in info["signed_attrs"]:
        encoded = attribute.dump()
        kind = attribute["type"].native
        if encoded < before or kind in found or len(attribute["values"]) != 1:
            raise _refuse("repeats a signed attribute, or has them out of order")
        found[kind] = attribute["values"][0]
        before = encoded
    missing = [kind for kind in _ONCE_EACH if kind not in found]
    if missing:
        raise _refuse(f"lacks the signed attribute {missing[0]} of CAdES-B")
    if "signing_certificate" in found:
        raise FormatError("WEAK_ALGORITHM", "names its certificate by SHA-1; use signing-certificate-v2 alone")
    if found["content_type"].native != "data":
        raise _refuse("signs another content type than its own")
    return found


def _ordered_certificates(signed: Any, identifier: Any) -> tuple[x509.Certificate, ...]:
    """The signer's certificate, then each one's issuer, so that every certificate of the file is on the one path."""
    if isinstance(signed["certificates"], core.Void):
        raise _refuse("holds no certificate")
    encoded = [choice.dump() for choice in signed["certificates"]]
    if not 1 <= len(encoded) <= MAX_CERTIFICATES:
        raise _refuse(f"holds {len(encoded)} certificates; at most {MAX_CERTIFICATES} are allowed")
    if any(choice.name != "certificate" for choice in signed["certificates"]) or sorted(set(encoded)) != encoded:
        raise _refuse("repeats a certificate, has them out of order or holds other than X.509 ones")
    if any(choice.chosen.serial_number <= 0 for choice in signed["certificates"]):
        raise _refuse("holds a certificate whose serial number is not positive (RFC 5280 4.1.2.2)")
    waiting = {der: choice.chosen for der, choice in zip(encoded, signed["certificates"], strict=True)}
    # Names are compared as encoded: asn1crypto's own comparison fails on some Persian names.
    wanted = identifier["issuer"].dump(), identifier["serial_number"].native
    path: list[bytes] = []
    match = [der for der, c in waiting.items() if (c.issuer.dump(), c.serial_number) == wanted]
    while match:
        found = waiting.pop(match[0])
        path.append(match[0])
        issuer = found.issuer.dump()
        if issuer == found.subject.dump():
            raise _refuse("holds a root certificate")
        match = [der for der, c in waiting.items() if c.subject.dump() == issuer]
    if not path or waiting:
        raise _refuse("holds certificates that are not the signer's chain")
    return tuple(x509.load_der_x509_certificate(der) for der in path)


def _strong_key(leaf: x509.Certificate) -> PublicKey:
    try:
        return public_key(leaf)
    except ValueError as error:
        raise FormatError("WEAK_KEY", f"{error}; sign with another") from None


def _check_signature_algorithm(info: Any, digest_algorithm: str, key: PublicKey) -> None:
    """ecdsa-with-SHA2 (RFC 5758), or RSA PKCS #1 v1.5 as rsaEncryption or shaNNNWithRSAEncryption (RFC 5754 §3.2)."""
    name = info["signature_algorithm"]["algorithm"].native
    if isinstance(key, rsa.RSAPublicKey):
        allowed = ["rsassa_pkcs1v15", f"{digest_algorithm}_rsa"]
    else:
        allowed = [f"{digest_algorithm}_ecdsa"]
    if name not in allowed:
        raise FormatError("WEAK_ALGORITHM", f"is signed with {name!a}; use {' or '.join(allowed)}")
    parameters = info["signature_algorithm"]["parameters"].dump()
    if parameters != (b"\x05\x00" if isinstance(key, rsa.RSAPublicKey) else b""):
        raise _refuse("gives its signature algorithm other parameters than the standard")


def _check_signing_certificate(value: Any, leaf: x509.Certificate) -> None:
    if len(value["certs"]) != 1 or not isinstance(value["policies"], core.Void):
        raise _refuse("names other certificates beside the signer's in signing-certificate-v2")
    entry = value["certs"][0]
    algorithm = entry["hash_algorithm"]["algorithm"].native
    if algorithm == "sha256" and entry.contents[:1] == b"\x30":
        raise FormatError(
            "NOT_DER", "writes the default SHA-256 in signing-certificate-v2; DER leaves it out (X.690 11.5)"
        )
    if algorithm not in _HASHES:
        raise FormatError("WEAK_ALGORITHM", "names its certificate by less than SHA-256")
    der = leaf.public_bytes(serialization.Encoding.DER)
    if hashlib.new(algorithm, der).digest() != entry["cert_hash"].native:
        raise _refuse("names another certificate in signing-certificate-v2 than it was signed with")
    if isinstance(entry["issuer_serial"], core.Void):
        return
    expected = _signing_certificate(asn1.certificates.Certificate.load(der))["certs"][0]["issuer_serial"].dump()
    if entry["issuer_serial"].dump() != expected:
        raise _refuse("names another issuer and serial number in signing-certificate-v2 than its certificate has")


def _timestamp_token(info: Any) -> bytes | None:
    """The one unsigned attribute that may stand: a signature time-stamp (EN 319 122-1 §5.3)."""
    unsigned = info["unsigned_attrs"]
    if isinstance(unsigned, core.Void):
        return None
    if len(unsigned) != 1 or unsigned[0]["type"].native != "signature_time_stamp_token":
        raise _refuse("has unsigned attributes other than one time-stamp token")
    values = unsigned[0]["values"]
    if len(values) != 1 or values[0]["content_type"].native != "signed_data":
        raise _refuse("has a time-stamp attribute that is not one token")
    if values[0]["content"]["encap_content_info"]["content_type"].native != "tst_info":
        raise _refuse("has a time-stamp attribute that is not one token")
    token: bytes = values[0].dump()
    return token
