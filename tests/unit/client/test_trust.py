"""Nothing from the hub is believed that the trust folder does not bear out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from dabir.client.errors import ProfileError, VerificationError
from dabir.client.trust import Trust
from dabir.common.v1 import manifest_pb2
from dabir.formats import cades
from dabir.formats.manifest import TYPE, write_manifest
from dabir.formats.signer import KeySigner, certificate_sha256
from dabir.formats.statement import Event
from tests.unit.client.member import BODY, DELIVERY, HUB, LETTER, OFFICE, POSITION, PaperHub, state, write_profile

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def hub() -> PaperHub:
    return PaperHub()


@pytest.fixture
def seal(hub: PaperHub) -> KeySigner:
    return hub.seal()


@pytest.fixture
def trust(hub: PaperHub, seal: KeySigner, tmp_path: Path) -> Trust:
    return Trust(write_profile(hub, seal, tmp_path).trust, HUB)


def reason(trust: Trust, **wrong: object) -> str:
    given = state(**wrong)  # type: ignore[arg-type]  # the keywords are state's own
    with pytest.raises(VerificationError) as raised:
        trust.statement(given)
    return raised.value.reason


def test_a_statement_by_a_known_seal_is_proven(trust: Trust, seal: KeySigner) -> None:
    proven = trust.statement(state(seal))
    assert proven.event is Event.ACCEPTANCE_REJECTION_EXPIRY
    assert proven.subject == DELIVERY
    assert proven.stated_at == datetime(2026, 11, 22, 10, 14, 33, tzinfo=UTC)


def test_another_seal_of_the_same_root_is_not_known(trust: Trust, hub: PaperHub) -> None:
    assert reason(trust, seal=hub.seal()) == "UNKNOWN_SEAL"


def test_another_hubs_statement_is_refused(trust: Trust, seal: KeySigner) -> None:
    assert reason(trust, seal=seal, hub="log.other.example/1") == "OTHER_HUB"


def test_a_seal_may_only_state_its_own_events(hub: PaperHub, tmp_path: Path) -> None:
    documents_seal = hub.seal("documents")
    trust = Trust(write_profile(hub, documents_seal, tmp_path).trust, HUB)
    assert reason(trust, seal=documents_seal) == "EVENT_NOT_ALLOWED"


def test_a_statement_handed_out_as_another_is_refused(trust: Trust, seal: KeySigner) -> None:
    given = state(seal)
    given.subject = DELIVERY.replace("/1", "/2")
    with pytest.raises(VerificationError, match="not what the hub hands it out as"):
        trust.statement(given)


@pytest.mark.parametrize("seconds", [2**53 - 1, 253_402_300_799])
def test_an_instant_that_no_calendar_shows_is_refused(trust: Trust, seal: KeySigner, seconds: int) -> None:
    given = {"seal": seal, "event": Event.CLOSED, "subject": LETTER}
    assert reason(trust, **given, iat_seconds=seconds) == "NO_INSTANT"


def test_a_changed_byte_does_not_verify(trust: Trust, seal: KeySigner) -> None:
    given = state(seal)
    other = state(seal)
    given.jws = ".".join([*given.jws.split(".")[:2], other.jws.split(".")[2]])
    with pytest.raises(VerificationError) as raised:
        trust.statement(given)
    assert raised.value.reason == "BAD_SIGNATURE"


def test_a_seal_revoked_before_it_stated_is_refused(hub: PaperHub, seal: KeySigner, tmp_path: Path) -> None:
    folder = write_profile(hub, seal, tmp_path).trust
    lists = hub.authority.crls([seal.certificate], at=datetime(2026, 11, 1, tzinfo=UTC))
    for place, crl in enumerate(lists):
        (folder / "crls" / f"{place}.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    assert reason(Trust(folder, HUB), seal=seal) == "REVOKED"


def test_a_seal_revoked_later_still_counts(hub: PaperHub, seal: KeySigner, tmp_path: Path) -> None:
    folder = write_profile(hub, seal, tmp_path).trust
    lists = hub.authority.crls([seal.certificate], at=datetime(2026, 12, 1, tzinfo=UTC))
    for place, crl in enumerate(lists):
        (folder / "crls" / f"{place}.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    assert Trust(folder, HUB).statement(state(seal)).subject == DELIVERY


def test_an_empty_trust_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="get the trust folder"):
        Trust(tmp_path, HUB)


def signed(signer: KeySigner, *, position: str = POSITION) -> tuple[bytes, bytes]:
    manifest = manifest_pb2.Manifest(
        type=TYPE,
        letter_uuid="00000000-0000-4000-8000-000000000007",
        hub=HUB,
        definition="definitions/administrative/1",
        subject="معرفی نماینده",
        priority=manifest_pb2.PRIORITY_NORMAL,
        classification=manifest_pb2.CLASSIFICATION_NORMAL,
    )
    manifest.written_at.FromDatetime(AT)
    manifest.sender.body, manifest.sender.office = BODY, OFFICE
    manifest.signers.add(position=position, certificate_sha256=certificate_sha256(signer.certificate))
    manifest.recipients.add(office="bodies/central-bank/offices/main", kind=manifest_pb2.RECIPIENT_KIND_TO)
    manifest.documents.add(
        index=1,
        role=manifest_pb2.DOCUMENT_ROLE_MAIN,
        file_name="letter.pdf",
        media_type="application/pdf",
        size_bytes=1,
        sha256=b"\2" * 32,
    )
    data = write_manifest(manifest)
    return data, cades.sign_detached(data, signer, AT)


def test_a_manifest_signed_by_its_signer_is_taken(trust: Trust, hub: PaperHub) -> None:
    data, signature = signed(hub.authority.issue(purpose="sign", position=POSITION))
    assert trust.manifest(data, [signature], AT).manifest.subject == "معرفی نماینده"


@pytest.mark.parametrize(
    ("issued", "wanted"),
    [
        ({"purpose": "seal"}, "WRONG_PURPOSE"),
        ({"purpose": "tls"}, "WRONG_PURPOSE"),
        ({"purpose": "sign", "position": "معاون"}, "OTHER_SIGNER"),
    ],
)
def test_a_manifest_signed_otherwise_is_refused(
    trust: Trust, hub: PaperHub, issued: dict[str, str], wanted: str
) -> None:
    data, signature = signed(hub.authority.issue(**issued))  # type: ignore[arg-type]  # the keywords are issue's own
    with pytest.raises(VerificationError) as raised:
        trust.manifest(data, [signature], AT)
    assert raised.value.reason == wanted


def test_a_manifest_without_its_signature_is_refused(trust: Trust, hub: PaperHub) -> None:
    data, _ = signed(hub.authority.issue(purpose="sign", position=POSITION))
    with pytest.raises(VerificationError, match="not one signature file for each signer"):
        trust.manifest(data, [], AT)


def test_a_manifest_signed_under_another_root_is_refused(trust: Trust) -> None:
    data, signature = signed(PaperHub().authority.issue(purpose="sign", position=POSITION))
    with pytest.raises(VerificationError) as raised:
        trust.manifest(data, [signature], AT)
    assert raised.value.reason == "UNTRUSTED_CHAIN"
