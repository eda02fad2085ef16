"""Rules for certificates that need no running directory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.formats.signer import KeySigner
from dabir.formats.strict_json import FormatError
from services.directory import domain
from services.directory.domain import Certificate, DevelopmentCertificate, Trust
from tests.pki import TestAuthority

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWNER = "bodies/interior"


def trust(authority: TestAuthority, *, development: bool = True, **crls: Any) -> Trust:
    return Trust([authority.root], authority.crls(**crls), development)


def examine(signer: KeySigner, judged_by: Trust, at: datetime = NOW, owner: str = OWNER) -> Certificate:
    der, *issuers = (one.public_bytes(Encoding.DER) for one in (signer.certificate, *signer.chain))
    return domain.examine(owner, der, issuers, [], judged_by, at)


def test_production_refuses_the_development_pki() -> None:
    authority = TestAuthority(development=True)
    signer = authority.issue(purpose="seal")
    assert examine(signer, trust(authority)).purpose == "seal"
    with pytest.raises(DevelopmentCertificate):
        examine(signer, trust(authority, development=False))
    other = TestAuthority()
    assert examine(other.issue(purpose="seal"), trust(other, development=False)).purpose == "seal"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"purpose": None}, "PURPOSE_MISSING"),
        ({"purpose": "seal", "position": "وزیر"}, "WRONG_PURPOSE"),
        ({"purpose": "sign"}, "WRONG_PURPOSE"),
        ({"purpose": "seal", "not_after": NOW - timedelta(seconds=1)}, "EXPIRED"),
        ({"purpose": "seal", "not_before": NOW + timedelta(seconds=1)}, "NOT_YET_VALID"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused(made: dict[str, Any], reason: str) -> None:
    authority = TestAuthority()
    with pytest.raises(FormatError) as caught:
        examine(authority.issue(**made), trust(authority))
    assert caught.value.reason == reason


def test_a_list_that_is_over_is_none_at_all() -> None:
    authority = TestAuthority()
    with pytest.raises(FormatError) as caught:
        examine(authority.issue(), trust(authority, next_update=NOW - timedelta(seconds=1)))
    assert caught.value.reason == "REVOCATION_UNKNOWN"


@pytest.mark.parametrize(
    ("here", "by_list", "expected"),
    [
        (None, None, None),
        (NOW, None, NOW),
        (None, NOW - timedelta(hours=1), NOW - timedelta(hours=1)),
        (NOW, NOW - timedelta(hours=1), NOW - timedelta(hours=1)),
        (NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW - timedelta(hours=2)),
        (None, NOW + timedelta(hours=1), None),
    ],
)
def test_it_is_revoked_since_the_earlier_of_here_and_its_issuers_list(
    here: datetime | None, by_list: datetime | None, expected: datetime | None
) -> None:
    authority = TestAuthority()
    signer = authority.issue()
    certificate = examine(signer, trust(authority))
    certificate = replace(certificate, revoked_at=here)
    crls = authority.crls([signer.certificate], at=by_list) if by_list else authority.crls()
    found = domain.with_revocation(certificate, certificate.path, crls, NOW)
    assert found.revoked_at == expected


def test_the_newest_list_of_each_issuer_is_given_leafs_issuer_first() -> None:
    authority = TestAuthority()
    certificate = examine(authority.issue(), trust(authority))
    old, new = authority.crls(at=NOW - timedelta(days=2)), authority.crls(at=NOW - timedelta(days=1))
    future, foreign = authority.crls(at=NOW + timedelta(days=1)), TestAuthority().crls()
    found = domain.lists_in_force(certificate.path, [*foreign, *new, *future, *old], NOW)
    assert found == [new[1], new[0]]
    assert isinstance(found[0], x509.CertificateRevocationList)
