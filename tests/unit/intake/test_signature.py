"""Which signature counts: every way a certificate can be the wrong one has its own reason."""

import datetime
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats.cades import sign_detached
from dabir.formats.signer import KeySigner, certificate_sha256
from services.intake.domain import signature as rules
from services.intake.domain import signature_errors as errors
from services.intake.domain.signature import Expected, Trust
from services.runtime.errors import DabirError
from tests.pki import NOT_AFTER, NOT_BEFORE, TestAuthority
from tests.unit.intake.builders import NOW, stamp

DER = serialization.Encoding.DER
DATA = b'{"type":"dabir.letter.v1"}'
AUTHORITY = TestAuthority()
MINISTER = AUTHORITY.issue(purpose="sign", position="وزیر")
TRUST = Trust((AUTHORITY.root,), development=False)


def _expected(**changes: Any) -> Expected:
    return Expected(
        **{
            "place": "signatures[0]",
            "body": "bodies/interior",
            "purpose": directory.CERTIFICATE_PURPOSE_SIGN,
            "position": "وزیر",
            "certificate_sha256": certificate_sha256(MINISTER.certificate),
            **changes,
        }
    )


def _resolved(revoked: KeySigner | None = None, **changes: Any) -> directory.ResolveCertificateResponse:
    certificate = directory.Certificate(
        owner="bodies/interior", purpose=directory.CERTIFICATE_PURPOSE_SIGN, position="وزیر"
    )
    certificate.MergeFrom(directory.Certificate(**changes))
    lists = AUTHORITY.crls([revoked.certificate] if revoked else [])
    return directory.ResolveCertificateResponse(certificate=certificate, crls=[crl.public_bytes(DER) for crl in lists])


WITHOUT_LISTS = directory.ResolveCertificateResponse(certificate=_resolved().certificate)


def _check(
    *,
    expected: Expected | None = None,
    resolved: directory.ResolveCertificateResponse | None = None,
    signer: KeySigner = MINISTER,
    trust: Trust = TRUST,
    now: datetime.datetime = NOW,
) -> rules.Checked:
    expected = expected or _expected()
    file = rules.read(expected.place, DATA, sign_detached(DATA, signer, NOW))
    rules.check_named(expected, file)
    return rules.check(expected, file, resolved or _resolved(), trust, now)


def test_a_signature_that_counts_says_what_it_was_checked_with() -> None:
    checked = _check()
    assert checked.certificate_sha256 == certificate_sha256(MINISTER.certificate)
    chain = [certificate_sha256(one) for one in (MINISTER.certificate, AUTHORITY.intermediate)]
    assert list(checked.stated.certificates_sha256) == chain
    assert set(checked.material) == {*chain, *checked.stated.crls_sha256}
    assert len(checked.stated.crls_sha256) == 2


def test_a_signature_over_other_bytes_is_wrong() -> None:
    file = sign_detached(b"other bytes", MINISTER, NOW)
    with pytest.raises(errors.SignatureWrong, match=r"signatures\[0\] does not sign these bytes"):
        rules.read("signatures[0]", DATA, file)


def test_what_is_no_signature_file_is_malformed() -> None:
    with pytest.raises(errors.SignatureMalformed):
        rules.read("signatures[0]", DATA, b"\x30\x00")


def test_the_manifest_names_the_certificate_that_signs() -> None:
    with pytest.raises(errors.CertificateMismatch):
        _check(signer=AUTHORITY.issue(purpose="sign", position="وزیر"))


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"resolved": _resolved(purpose=directory.CERTIFICATE_PURPOSE_TLS)}, errors.CertificatePurposeWrong),
        ({"resolved": _resolved(purpose=directory.CERTIFICATE_PURPOSE_SEAL)}, errors.CertificatePurposeWrong),
        ({"resolved": _resolved(owner="bodies/bank")}, errors.CertificateOfAnotherBody),
        ({"expected": _expected(position="معاون")}, errors.CertificatePositionWrong),
        ({"resolved": _resolved(revoked_at=stamp(NOW))}, errors.CertificateRevoked),
        ({"resolved": _resolved(revoked=MINISTER)}, errors.CertificateRevoked),
        (
            {"resolved": directory.ResolveCertificateResponse(certificate=_resolved().certificate)},
            errors.RevocationUnknown,
        ),
        ({"now": NOT_BEFORE - datetime.timedelta(days=1)}, errors.CertificateNotYetValid),
        ({"now": NOT_AFTER + datetime.timedelta(days=1)}, errors.CertificateExpired),
        ({"trust": Trust((TestAuthority().root,), development=False)}, errors.CertificateNotTrusted),
    ],
)
def test_the_wrong_certificate_is_refused(arguments: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal, match=r"signatures\[0\]"):
        _check(**arguments)


@pytest.mark.parametrize(
    ("arguments", "instant"),
    [
        ({"resolved": _resolved(revoked_at=stamp(NOW))}, "since 2026-11-22T10:14:33.123456Z)"),
        ({"now": NOT_BEFORE - datetime.timedelta(days=1)}, "from 2026-01-01T00:00:00Z only"),
        ({"now": NOT_AFTER + datetime.timedelta(days=1)}, "at 2036-01-01T00:00:00Z."),
    ],
)
def test_a_refusal_says_instants_in_utc_with_z(arguments: Any, instant: str) -> None:
    with pytest.raises(DabirError, match=re.escape(instant)):
        _check(**arguments)


def test_a_damaged_revocation_list_is_an_outage() -> None:
    damaged = directory.ResolveCertificateResponse(certificate=_resolved().certificate, crls=[b"\x30\x00"])
    with pytest.raises(errors.RevocationUnknown):
        _check(resolved=damaged)


def test_production_refuses_the_development_pki() -> None:
    authority = TestAuthority(development=True)
    signer = authority.issue(purpose="sign", position="وزیر")
    lists = [crl.public_bytes(DER) for crl in authority.crls()]
    resolved = directory.ResolveCertificateResponse(certificate=_resolved().certificate, crls=lists)
    expected = _expected(certificate_sha256=certificate_sha256(signer.certificate))
    for development in (True, False):
        trust = Trust((authority.root,), development=development)
        if development:
            _check(expected=expected, resolved=resolved, signer=signer, trust=trust)
            continue
        with pytest.raises(errors.CertificateNotTrusted, match="development"):
            _check(expected=expected, resolved=resolved, signer=signer, trust=trust)
