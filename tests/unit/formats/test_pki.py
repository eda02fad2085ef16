import datetime
from datetime import UTC
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from dabir.formats import asn1, pki
from dabir.formats.signer import FileSigner, KeySigner, certificate_sha256
from dabir.formats.strict_json import FormatError
from tests.pki import NOT_AFTER, NOT_BEFORE, TestAuthority, private_key, write_files

AT = datetime.datetime(2026, 11, 22, tzinfo=UTC)
AUTHORITY = TestAuthority()
SEAL = AUTHORITY.issue(purpose="seal")
_SHA256 = hashes.SHA256()


def reason(signer: KeySigner, **change: object) -> str:
    """Why the signer's chain is refused; empty if it is not."""
    arguments: dict[str, object] = {
        "intermediates": signer.chain,
        "roots": [AUTHORITY.root],
        "at": AT,
        "crls": AUTHORITY.crls(),
    }
    try:
        pki.verify_chain(signer.certificate, **{**arguments, **change})  # type: ignore[arg-type]  # by name, as verify_chain has them
    except pki.CertificateError as error:
        return error.reason
    return ""


def test_extensions_say_what_was_put_in() -> None:
    signer = AUTHORITY.issue(purpose="sign", position="مدیرکل دفتر وزارتی")
    seal = TestAuthority(development=True).issue(purpose="seal", events=["urn:b", "urn:a"])
    assert (pki.purpose(signer.certificate), pki.position(signer.certificate)) == ("sign", "مدیرکل دفتر وزارتی")
    assert pki.events(seal.certificate) == {"urn:a", "urn:b"}
    assert (pki.is_development(signer.certificate), pki.is_development(seal.certificate)) == (False, True)
    assert (pki.position(seal.certificate), pki.events(signer.certificate)) == ("", frozenset())


@pytest.mark.parametrize("purpose", ["tls", "sign", "seal"])
@pytest.mark.parametrize("needed", ["tls", "sign", "seal"])
def test_each_purpose_is_refused_in_anothers_place(purpose: pki.Purpose, needed: pki.Purpose) -> None:
    signer = AUTHORITY.issue(purpose=purpose, position="x" if purpose == "sign" else "")
    if purpose == needed:
        pki.require_purpose(signer.certificate, needed)
        return
    with pytest.raises(pki.CertificateError) as raised:
        pki.require_purpose(signer.certificate, needed)
    assert raised.value.reason == "WRONG_PURPOSE"


def test_position_stands_with_sign_only_and_events_with_seal_only() -> None:
    for signer in (
        AUTHORITY.issue(purpose="sign"),
        AUTHORITY.issue(purpose="seal", position="x"),
        AUTHORITY.issue(purpose="sign", position="x", events=["urn:a"]),
    ):
        with pytest.raises(pki.CertificateError) as raised:
            pki.require_purpose(signer.certificate, pki.purpose(signer.certificate))
        assert raised.value.reason == "WRONG_PURPOSE"


def test_no_position_is_issued_that_would_be_refused() -> None:
    with pytest.raises(FormatError):
        pki.position_extension("مدیر\u202e")


def test_a_strangers_certificate_has_no_purpose() -> None:
    with pytest.raises(pki.CertificateError) as raised:
        pki.purpose(AUTHORITY.issue(purpose=None).certificate)
    assert raised.value.reason == "PURPOSE_MISSING"
    with pytest.raises(pki.CertificateError) as raised:
        pki.purpose(_with(x509.UnrecognizedExtension(pki.PURPOSE, b"\x0c\x03pay")))
    assert raised.value.reason == "PURPOSE_MISSING"


def _with(
    extension: x509.UnrecognizedExtension, *, critical: bool = False, algorithm: hashes.SHA224 | hashes.SHA256 = _SHA256
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    return builder.add_extension(extension, critical=critical).sign(key, algorithm)


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (pki.PURPOSE, b""),
        (pki.PURPOSE, b"\x13\x04seal"),
        (pki.PURPOSE, b"\x0c\x04seal\x00"),
        (pki.POSITION, b"\x0c\x00"),
        (pki.POSITION, b"\x0c\x02\xff\xff"),
        (pki.POSITION, b"\x0c\x03" + "\u202e".encode()),
        (pki.EVENTS, b"\x30\x00"),
        (pki.EVENTS, b"\x30\x0a\x0c\x03urn\x0c\x03abc"),
        (pki.EVENTS, b"\x30\x80\x00\x00"),
        (pki.EVENTS, b"\xff"),
    ],
)
def test_damaged_extensions_are_refused(oid: x509.ObjectIdentifier, value: bytes) -> None:
    certificate = _with(x509.UnrecognizedExtension(oid, value))
    reader = {pki.PURPOSE: pki.purpose, pki.POSITION: pki.position, pki.EVENTS: pki.events}[oid]
    with pytest.raises(pki.CertificateError) as raised:
        reader(certificate)
    assert raised.value.reason in {"BAD_EXTENSION", "BIDI_CHARACTER"}


def test_an_extension_that_stands_twice_is_refused() -> None:
    tree = asn1.certificates.Certificate.load(SEAL.certificate.public_bytes(serialization.Encoding.DER))
    tree["tbs_certificate"]["extensions"].append(tree["tbs_certificate"]["extensions"][0].copy())
    certificate = x509.load_der_x509_certificate(tree.dump(force=True))
    for read in (pki.purpose, pki.position, pki.events, pki.is_development):
        with pytest.raises(pki.CertificateError) as raised:
            read(certificate)
        assert raised.value.reason == "BAD_EXTENSION"


def test_a_chain_leads_to_the_root() -> None:
    signer = AUTHORITY.issue()
    path = pki.verify_chain(signer.certificate, signer.chain, [AUTHORITY.root], AT, AUTHORITY.crls())
    assert path == (signer.certificate, AUTHORITY.intermediate, AUTHORITY.root)
    assert reason(signer, crls=None) == ""


def test_development_chains_verify_and_are_marked() -> None:
    authority = TestAuthority(development=True)
    signer = authority.issue()
    path = pki.verify_chain(signer.certificate, signer.chain, [authority.root], AT, authority.crls())
    assert any(pki.is_development(certificate) for certificate in path)


def test_chains_that_do_not_lead_to_the_root() -> None:
    signer, stranger = AUTHORITY.issue(), TestAuthority()
    assert reason(signer, roots=[stranger.root]) == "UNTRUSTED_CHAIN"
    assert reason(signer, intermediates=()) == "UNTRUSTED_CHAIN"
    # A namesake's intermediate did not sign it.
    assert reason(signer, intermediates=(stranger.intermediate,)) == "UNTRUSTED_CHAIN"
    assert reason(signer, intermediates=(*signer.chain, stranger.intermediate)) == "EXTRA_CERTIFICATE"
    # A root is trusted because it is given, never because it is sent along.
    assert reason(stranger.issue(), intermediates=(stranger.intermediate, stranger.root)) == "UNTRUSTED_CHAIN"


def test_a_leaf_issues_nothing() -> None:
    leaf = AUTHORITY.issue(purpose="seal", common_name="leaf")
    builder = x509.CertificateBuilder().subject_name(leaf.certificate.subject).issuer_name(leaf.certificate.subject)
    builder = builder.public_key(private_key(leaf).public_key()).serial_number(1)
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    forged = KeySigner(
        private_key(leaf), builder.sign(private_key(leaf), hashes.SHA256()), (leaf.certificate, *leaf.chain)
    )
    assert reason(forged) == "UNTRUSTED_CHAIN"


def test_validity_is_judged_at_the_instant_asked_for() -> None:
    signer = AUTHORITY.issue(not_before=AT, not_after=AT + datetime.timedelta(days=1))
    second = datetime.timedelta(seconds=1)
    assert reason(signer, at=AT) == ""
    assert reason(signer, at=AT - second) == "NOT_YET_VALID"
    assert reason(signer, at=AT + datetime.timedelta(days=1) + second) == "EXPIRED"


def test_revocation_counts_from_its_instant() -> None:
    signer = AUTHORITY.issue()
    revoked = AUTHORITY.crls([signer.certificate], at=AT)
    assert reason(signer, crls=revoked) == "REVOKED"
    assert reason(AUTHORITY.issue(), crls=revoked) == ""
    # Before the list was issued it says nothing, and nothing else does.
    assert reason(signer, crls=revoked, at=AT - datetime.timedelta(seconds=1)) == "REVOCATION_UNKNOWN"
    assert reason(signer, crls=[*AUTHORITY.crls(), *revoked], at=AT - datetime.timedelta(seconds=1)) == ""


def test_revocation_lists_must_be_there_in_force_and_the_issuers() -> None:
    signer = AUTHORITY.issue()
    assert reason(signer, crls=[]) == "REVOCATION_UNKNOWN"
    assert reason(signer, crls=AUTHORITY.crls()[:1]) == "REVOCATION_UNKNOWN"
    assert reason(signer, crls=AUTHORITY.crls(next_update=AT - datetime.timedelta(days=1))) == "REVOCATION_UNKNOWN"
    # Same issuer name, another key.
    assert reason(signer, crls=TestAuthority().crls()) == "REVOCATION_UNKNOWN"


def test_weak_and_unknown_certificates_are_refused() -> None:
    weak = AUTHORITY.certify(rsa.generate_private_key(65537, 2048).public_key())
    with pytest.raises(pki.CertificateError) as raised:
        pki.verify_chain(weak, (AUTHORITY.intermediate,), [AUTHORITY.root], AT, None)
    assert raised.value.reason == "WEAK_KEY"
    short = _with(pki.purpose_extension("seal"), algorithm=hashes.SHA224())
    with pytest.raises(pki.CertificateError, match="less than SHA-256"):
        pki.verify_chain(short, (), [short], AT, None)
    unknown = _with(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical=True)
    with pytest.raises(pki.CertificateError) as raised:
        pki.verify_chain(unknown, (), [unknown], AT, None)
    assert raised.value.reason == "UNKNOWN_CRITICAL_EXTENSION"


def test_a_file_signer_is_what_was_written(tmp_path: Path) -> None:
    signer = AUTHORITY.issue(purpose="seal")
    key_file, certificates_file = write_files(signer, tmp_path, "seal")
    read = FileSigner(key_file, certificates_file)
    assert (read.certificate, read.chain) == (signer.certificate, signer.chain)
    assert len(certificate_sha256(read.certificate)) == 32
    with certificates_file.open("ab") as file:
        file.write(AUTHORITY.root.public_bytes(serialization.Encoding.PEM))
    assert FileSigner(key_file, certificates_file).chain == signer.chain


def test_a_file_signer_names_the_file_that_is_wrong(tmp_path: Path) -> None:
    key_file, certificates_file = write_files(AUTHORITY.issue(), tmp_path, "one")
    other_key_file, _ = write_files(AUTHORITY.issue(), tmp_path, "two")
    with pytest.raises(ValueError, match="not the certificate's"):
        FileSigner(other_key_file, certificates_file)
    with pytest.raises(ValueError, match=r"one\.pem is not an unencrypted PKCS#8 PEM key"):
        FileSigner(certificates_file, certificates_file)
    with pytest.raises(ValueError, match=r"one\.key\.pem holds no PEM certificates"):
        FileSigner(key_file, key_file)
    foreign = tmp_path / "ed25519.pem"
    key = ed25519.Ed25519PrivateKey.generate()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    foreign.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(ValueError, match=r"ed25519\.pem holds neither"):
        FileSigner(foreign, certificates_file)
    with pytest.raises(FileNotFoundError):
        FileSigner(tmp_path / "missing.pem", certificates_file)


def test_a_name_that_is_not_what_its_encoding_says_is_refused_and_no_crash() -> None:
    signer = AUTHORITY.issue(purpose="sign", position="x")
    name = signer.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert isinstance(name, str)
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    not_utf8 = x509.load_der_x509_certificate(der.replace(name.encode(), b"\xff" * len(name.encode())))
    with pytest.raises(pki.CertificateError) as raised:
        pki.verify_chain(not_utf8, signer.chain, [AUTHORITY.root], AT, None)
    assert raised.value.reason == "UNTRUSTED_CHAIN"
    assert "unreadable" in str(raised.value)
