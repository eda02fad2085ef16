"""Signature files, good and bad, built by hand from asn1crypto's structures and not by `dabir.formats.cades`."""

import datetime
import hashlib
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from dabir.formats.asn1 import algos, certificates, cms, core, tsp
from dabir.formats.signer import KeySigner
from tests.pki import TestAuthority, private_key
from tests.vectors.cases.vector import Vector

DATA = '{"type":"dabir.letter.v1","subject":"معرفی نماینده"}'.encode()
SIGNED_AT = datetime.datetime(2026, 11, 22, 10, 14, 32, tzinfo=datetime.UTC)

# SHA-1 too: it is refused, which is the point.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
Change = Callable[[Any], object]


class Draft:
    """A signature file in the making; each bad one changes a part, or leaves it out by `...`."""

    def __init__(self, signer: KeySigner, data: bytes = DATA, digest: str = "sha256") -> None:
        self.signer, self.data, self.digest = signer, data, digest
        leaf = _asn1(signer.certificate)
        self.certificates = [leaf, *(_asn1(c) for c in signer.chain)]
        ess = {"cert_hash": hashlib.sha256(leaf.dump()).digest()}
        self.attributes = {
            "content_type": "data",
            "message_digest": hashlib.new(digest, data).digest(),
            "signing_time": cms.Time({"utc_time": SIGNED_AT}),
            "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2(ess)]}),
        }
        identifier = cms.IssuerAndSerialNumber({"issuer": leaf.issuer, "serial_number": leaf.serial_number})
        kind = "rsa" if isinstance(private_key(signer), rsa.RSAPrivateKey) else "ecdsa"
        self.info: dict[str, Any] = {
            "version": "v1",
            "sid": cms.SignerIdentifier({"issuer_and_serial_number": identifier}),
            "digest_algorithm": {"algorithm": digest},
            "signature_algorithm": {"algorithm": f"{digest}_{kind}"},
        }
        self.signed: dict[str, Any] = {
            "version": "v1",
            "digest_algorithms": [{"algorithm": digest}],
            "encap_content_info": {"content_type": "data"},
        }
        self.infos = 1
        self.values: dict[str, list[Any]] = {}

    def build(self) -> bytes:
        values = {**{kind: [value] for kind, value in self.attributes.items()}, **self.values}
        attributes = cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": v}) for kind, v in values.items()])
        info = {"signed_attrs": attributes, "signature": self._sign(attributes.dump()), **self.info}
        choices = [cms.CertificateChoices("certificate", c) for c in self.certificates]
        infos = [{key: value for key, value in info.items() if value is not ...}] * self.infos
        signed = {"certificates": choices, "signer_infos": infos, **self.signed}
        signed = {key: value for key, value in signed.items() if value is not ...}
        file: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
        return file

    def _sign(self, attributes: bytes) -> bytes:
        key = private_key(self.signer)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(attributes, padding.PKCS1v15(), _HASHES[self.digest])
        return key.sign(attributes, ec.ECDSA(_HASHES[self.digest]))


def _asn1(certificate: x509.Certificate) -> Any:
    return certificates.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def vectors(authority: TestAuthority) -> list[Vector]:
    signer = authority.issue(purpose="sign", position="مدیرکل دفتر وزارتی", common_name="بانک نمونه Signer")
    drafts = _Drafts(authority, signer)
    return [
        *_good(drafts),
        *_weak(drafts),
        *_attributes(drafts),
        *_certificates(drafts),
        *_structure(drafts),
        *_der(drafts),
    ]


class _Drafts:
    def __init__(self, authority: TestAuthority, signer: KeySigner) -> None:
        self.authority, self.signer = authority, signer

    def new(self, change: Change | None = None, *, signer: KeySigner | None = None, digest: str = "sha256") -> bytes:
        draft = Draft(signer or self.signer, digest=digest)
        if change is not None:
            change(draft)
        return draft.build()

    def with_key(self, key: Any) -> KeySigner:
        """A signer with a key that `KeySigner` itself would refuse."""
        holder = self.authority.issue(purpose="sign", position="x")
        weak = KeySigner.__new__(KeySigner)
        weak.__dict__.update(holder.__dict__)
        weak.__dict__["_key"] = key
        weak.__dict__["_certificate"] = self.authority.certify(key.public_key(), purpose="sign", position="x")
        return weak


def _good(drafts: _Drafts) -> list[Vector]:
    p384 = drafts.authority.issue(purpose="sign", position="x", key=ec.generate_private_key(ec.SECP384R1()))
    rsa3072 = drafts.authority.issue(purpose="seal", key=rsa.generate_private_key(65537, 3072))

    def old_parameters(draft: Draft) -> None:
        algorithm = {"algorithm": "sha256", "parameters": core.Null()}
        draft.info["digest_algorithm"] = draft.signed["digest_algorithms"][0] = algorithm

    return [
        Vector("P-256", drafts.new()),
        Vector("P-384 with SHA-384", drafts.new(signer=p384, digest="sha384")),
        Vector("P-256 with SHA-512", drafts.new(digest="sha512")),
        Vector("RSA of 3072 bits", drafts.new(signer=rsa3072)),
        Vector("RSA named rsaEncryption", drafts.new(_plain_rsa, signer=rsa3072)),
        Vector("digest with NULL parameters", drafts.new(old_parameters)),
        Vector("one time-stamp token", drafts.new(_unsigned("signature_time_stamp_token", _token()))),
        Vector("a further signed attribute", drafts.new(_set("cms_algorithm_protection", _protection()))),
    ]


def _plain_rsa(draft: Draft) -> None:
    draft.info["signature_algorithm"] = {"algorithm": "rsassa_pkcs1v15"}


def _protection() -> Any:
    """RFC 6211, as some tools write it."""
    algorithms = {"digest_algorithm": {"algorithm": "sha256"}, "signature_algorithm": {"algorithm": "sha256_ecdsa"}}
    return cms.CMSAlgorithmProtection(algorithms)


def _token() -> Any:
    """What has a time-stamp token's form; whether it is genuine is another question."""
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)},
            "serial_number": 1,
            "gen_time": SIGNED_AT,
        }
    )
    content = {"content_type": "tst_info", "content": core.ParsableOctetString(info.dump())}
    signed = {"version": "v3", "digest_algorithms": [], "encap_content_info": content, "signer_infos": []}
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


def _unsigned(kind: str, *values: Any) -> Change:
    def change(draft: Draft) -> None:
        attribute = cms.CMSAttribute({"type": kind, "values": list(values)})
        draft.info["unsigned_attrs"] = cms.CMSAttributes([attribute])

    return change


def _set(kind: str, value: Any) -> Change:
    return lambda draft: draft.attributes.update({kind: value})


def _drop(kind: str) -> Change:
    return lambda draft: draft.attributes.pop(kind)


def _weak(drafts: _Drafts) -> list[Vector]:
    def mixed(draft: Draft) -> None:
        draft.info["signature_algorithm"] = {"algorithm": "sha384_ecdsa"}

    def with_null(draft: Draft) -> None:
        algorithm = bytes.fromhex("300c06082a8648ce3d0403020500")
        draft.info["signature_algorithm"] = algos.SignedDigestAlgorithm.load(algorithm)

    def pss(draft: Draft) -> None:
        draft.info["signature_algorithm"] = algos.SignedDigestAlgorithm.load(
            bytes.fromhex("300d06092a864886f70d01010a3000")
        )

    weak = {
        "RSA of 2048 bits": rsa.generate_private_key(65537, 2048),
        "P-521": ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    }
    found = [Vector(name, drafts.new(signer=drafts.with_key(key)), "WEAK_KEY") for name, key in weak.items()]
    rsa3072 = drafts.authority.issue(purpose="seal", key=rsa.generate_private_key(65537, 3072))
    return [
        *found,
        Vector("SHA-1", drafts.new(digest="sha1"), "WEAK_ALGORITHM"),
        Vector("another digest in the signature", drafts.new(mixed), "WEAK_ALGORITHM"),
        Vector("ECDSA with NULL parameters", drafts.new(with_null), "LOOSE_SIGNATURE_FILE"),
        Vector("RSA-PSS", drafts.new(pss, signer=rsa3072), "WEAK_ALGORITHM"),
    ]


def _attributes(drafts: _Drafts) -> list[Vector]:
    leaf = _asn1(drafts.signer.certificate)
    other = tsp.SigningCertificateV2({"certs": [{"cert_hash": bytes(32)}]})
    ours = {"cert_hash": hashlib.sha256(leaf.dump()).digest()}
    two = tsp.SigningCertificateV2({"certs": [ours, {"cert_hash": bytes(32)}]})
    names = certificates.GeneralNames([certificates.GeneralName("directory_name", leaf.issuer)])
    wrong_serial = tsp.SigningCertificateV2(
        {"certs": [{**ours, "issuer_serial": {"issuer": names, "serial_number": 7}}]}
    )
    sha1 = tsp.SigningCertificate({"certs": [{"cert_hash": hashlib.sha1(leaf.dump()).digest()}]})  # noqa: S324 - refused, which is the point
    by_sha1 = {"hash_algorithm": {"algorithm": "sha1"}, "cert_hash": hashlib.sha1(leaf.dump()).digest()}  # noqa: S324 - refused, which is the point
    loose = "LOOSE_SIGNATURE_FILE"
    return [
        Vector(
            "signing certificate of version 2 by SHA-1",
            drafts.new(_set("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [by_sha1]}))),
            "WEAK_ALGORITHM",
        ),
        Vector("two signing times", drafts.new(_two_times), loose),
        Vector("signed attributes out of order", _swapped_attributes(drafts.new()), loose),
        Vector("token without a time", drafts.new(_unsigned("signature_time_stamp_token", _timeless_token())), loose),
        Vector("over other bytes", drafts.new(_set("message_digest", bytes(32))), "WRONG_DIGEST"),
        Vector("no signed attributes", drafts.new(lambda d: d.info.update(signed_attrs=...)), loose),
        Vector("no message digest", drafts.new(_drop("message_digest")), loose),
        Vector("no content type", drafts.new(_drop("content_type")), loose),
        Vector("no signing time", drafts.new(_drop("signing_time")), loose),
        Vector("no signing certificate", drafts.new(_drop("signing_certificate_v2")), loose),
        Vector("another content type", drafts.new(_set("content_type", "signed_data")), loose),
        Vector("another signing certificate", drafts.new(_set("signing_certificate_v2", other)), loose),
        Vector("two signing certificates", drafts.new(_set("signing_certificate_v2", two)), loose),
        Vector(
            "signing certificate of another serial", drafts.new(_set("signing_certificate_v2", wrong_serial)), loose
        ),
        Vector("signing certificate by SHA-1", drafts.new(_set("signing_certificate", sha1)), "WEAK_ALGORITHM"),
        Vector("another unsigned attribute", drafts.new(_unsigned("microsoft_time_stamp_token", _token())), loose),
        Vector("two time-stamp tokens", drafts.new(_unsigned("signature_time_stamp_token", _token(), _token())), loose),
        Vector(
            "time-stamp attribute without a token",
            drafts.new(_unsigned("signature_time_stamp_token", _no_token())),
            loose,
        ),
    ]


def _timeless_token() -> Any:
    signed = {
        "version": "v1",
        "digest_algorithms": [],
        "encap_content_info": {"content_type": "data"},
        "signer_infos": [],
    }
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


def _two_times(draft: Draft) -> None:
    draft.values["signing_time"] = [
        draft.attributes["signing_time"],
        cms.Time({"utc_time": SIGNED_AT.replace(second=33)}),
    ]


def _swapped_attributes(good: bytes) -> bytes:
    info = cms.ContentInfo.load(good)["content"]["signer_infos"][0]
    first, second, *_ = (attribute.dump() for attribute in info["signed_attrs"])
    return good.replace(first + second, second + first)


def _no_token() -> Any:
    return cms.ContentInfo({"content_type": "data", "content": core.OctetString(b"x")})


def _certificates(drafts: _Drafts) -> list[Vector]:
    other = drafts.authority.issue(purpose="sign", position="another")
    root = _asn1(drafts.authority.root)
    loose = "LOOSE_SIGNATURE_FILE"

    def with_crl(draft: Draft) -> None:
        crl = drafts.authority.crls()[0].public_bytes(serialization.Encoding.DER)
        draft.signed["crls"] = [cms.RevocationInfoChoice("crl", cms.CertificateList.load(crl))]

    def key_identifier(draft: Draft) -> None:
        draft.info["sid"] = cms.SignerIdentifier({"subject_key_identifier": bytes(20)})
        draft.info["version"] = "v3"

    return [
        Vector("with the root", drafts.new(lambda d: d.certificates.append(root)), loose),
        Vector(
            "with another's certificate", drafts.new(lambda d: d.certificates.append(_asn1(other.certificate))), loose
        ),
        Vector("without the signer's certificate", drafts.new(lambda d: d.certificates.pop(0)), loose),
        Vector("without a certificate set", drafts.new(lambda d: d.signed.update(certificates=...)), loose),
        Vector("without any certificate", drafts.new(lambda d: d.certificates.clear()), loose),
        Vector("with revocation lists", drafts.new(with_crl), loose),
        Vector("signer by key identifier", drafts.new(key_identifier), loose),
    ]


def _structure(drafts: _Drafts) -> list[Vector]:
    other = drafts.authority.issue(purpose="sign", position="another")

    def two(draft: Draft) -> None:
        draft.infos = 2

    def none(draft: Draft) -> None:
        draft.infos = 0

    def attached(draft: Draft) -> None:
        draft.signed["encap_content_info"] = {"content_type": "data", "content": DATA}

    def two_digests(draft: Draft) -> None:
        draft.signed["digest_algorithms"] = [{"algorithm": "sha256"}, {"algorithm": "sha512"}]

    def parameters(draft: Draft) -> None:
        algorithm = algos.DigestAlgorithm.load(bytes.fromhex("300e060960864801650304020104017f"))
        draft.info["digest_algorithm"] = draft.signed["digest_algorithms"][0] = algorithm

    def foreign_signature(draft: Draft) -> None:
        draft.info["signature"] = other.sign(b"something else")

    def time_again(draft: Draft) -> None:
        draft.info["signature"] = draft.signer.sign(b"")

    loose = "LOOSE_SIGNATURE_FILE"
    return [
        Vector("two signers", drafts.new(two), loose),
        Vector("no signer", drafts.new(none), loose),
        Vector("attached", drafts.new(attached), loose),
        Vector("two digest algorithms", drafts.new(two_digests), loose),
        Vector("digest with parameters", drafts.new(parameters), loose),
        Vector("signed by another key", drafts.new(foreign_signature), "BAD_SIGNATURE"),
        Vector("signature over nothing", drafts.new(time_again), "BAD_SIGNATURE"),
        Vector("a certificate", _asn1(drafts.signer.certificate).dump(), "BAD_SIGNATURE_FILE"),
        Vector("plain data", cms.ContentInfo({"content_type": "data", "content": DATA}).dump(), loose),
        Vector("an empty sequence", b"\x30\x00", "BAD_SIGNATURE_FILE"),
    ]


def _der(drafts: _Drafts) -> list[Vector]:
    good = drafts.new()
    explicit = drafts.new(_explicit_default)
    indefinite = b"\x30\x80" + good[4:] + b"\x00\x00"
    long_length = b"\x30\x83\x00" + good[2:]
    return [
        Vector("empty", b"", "NOT_DER"),
        Vector("PEM", b"-----BEGIN CMS-----\n", "NOT_DER"),
        Vector("bytes after the end", good + b"\x00", "NOT_DER"),
        Vector("cut off", good[:-1], "NOT_DER"),
        Vector("indefinite length", indefinite, "NOT_DER"),
        Vector("length with a spare byte", long_length, "NOT_DER"),
        Vector("the default hash written out", explicit, "NOT_DER"),
        Vector("certificates out of order", _swapped_certificates(good), "LOOSE_SIGNATURE_FILE"),
    ]


def _explicit_default(draft: Draft) -> None:
    """AlgorithmIdentifier sha256 put before the hash by hand: asn1crypto itself leaves the default out."""
    digest = hashlib.sha256(_asn1(draft.signer.certificate).dump()).digest()
    algorithm = bytes.fromhex("300b0609608648016503040201")
    entry = algorithm + b"\x04\x20" + digest
    certs = b"\x30" + bytes([len(entry)]) + entry
    value = b"\x30" + bytes([len(certs)]) + certs
    draft.attributes["signing_certificate_v2"] = tsp.SigningCertificateV2.load(b"\x30" + bytes([len(value)]) + value)


def _swapped_certificates(good: bytes) -> bytes:
    signed = cms.ContentInfo.load(good)["content"]
    first, second = (choice.dump() for choice in signed["certificates"])
    return good.replace(first + second, second + first)
