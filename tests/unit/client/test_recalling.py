"""A recall that the hub gives is believed if it is sealed by the letter's sender and stated as it is."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from dabir.client.directory import Directory
from dabir.client.errors import VerificationError
from dabir.client.life import agree
from dabir.client.recalling import StatedRecall, read_recall
from dabir.client.trust import Proven, Trust
from dabir.common.v1 import receipt_pb2
from dabir.common.v1.statement_pb2 import StatementEvent, StatementParty, StatementPayload, StatementSignature
from dabir.directory.v1.directory_pb2 import CERTIFICATE_PURPOSE_SEAL, CertificatePurpose
from dabir.formats import cades
from dabir.formats.receipt import RECALL_TYPE, write_recall
from dabir.formats.signer import KeySigner, certificate_sha256
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import SignedRecall
from tests.unit.client.member import BODY, HUB, IAT_SECONDS, LETTER, PaperHub, state, write_profile

MANIFEST_SHA256 = hashlib.sha256(b"manifest").digest()
OTHER_LETTER = LETTER.replace("letters/0", "letters/1")


class OwnerAsked(Directory):
    """Lists one certificate as BODY's seal."""

    def __init__(self, listed: x509.Certificate) -> None:
        self._listed = listed

    def check_owner(self, certificate: x509.Certificate, body: str, purpose: CertificatePurpose.ValueType) -> None:
        if (certificate, body, purpose) != (self._listed, BODY, CERTIFICATE_PURPOSE_SEAL):
            raise VerificationError("NOT_THAT_BODYS", "not listed")


Given = Callable[..., StatedRecall]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Reads a recall that the hub gives, with one thing other than it should be."""
    hub = PaperHub()
    seal, listed = hub.seal(), hub.authority.issue(purpose="seal", body=BODY)
    profile = write_profile(hub, seal, tmp_path)
    trust = Trust(profile.trust, HUB)

    def read(
        *, letter: str = LETTER, signer: KeySigner | None = None, sealed: bytes = b"", stated_sha256: bytes = b""
    ) -> StatedRecall:
        recall = receipt_pb2.Recall(type=RECALL_TYPE, hub=HUB, letter=letter, manifest_sha256=MANIFEST_SHA256)
        recall.reason, recall.nonce = "by mistake", bytes(16)
        recall.written_at.FromSeconds(IAT_SECONDS)
        data = write_recall(recall)
        at = datetime.fromtimestamp(IAT_SECONDS, UTC)
        signature = cades.sign_detached(sealed or data, signer or listed, at)
        says = StatementEvent(manifest_sha256=MANIFEST_SHA256)
        says.recall_sha256 = stated_sha256 or hashlib.sha256(data).digest()
        says.parties.append(StatementParty(body=BODY, certificate_sha256=certificate_sha256(listed.certificate)))
        says.signatures.append(
            StatementSignature(
                file_sha256=hashlib.sha256(signature).digest(),
                certificates_sha256=[certificate_sha256(listed.certificate)],
            )
        )
        statement = state(seal, Event.RECALL, subject=LETTER, says=says)
        said = SignedRecall(recall=data, signature=signature, statement=statement)
        return read_recall(trust, OwnerAsked(listed.certificate), LETTER, said)

    return read


def test_a_recall_is_read(given: Given) -> None:
    found = given()
    assert (found.recall.reason, found.statement.says.recall_sha256) == ("by mistake", found.sha256)


@pytest.mark.parametrize(
    ("otherwise", "reason"),
    [
        ({"letter": OTHER_LETTER}, "RECALL_DISAGREES"),
        ({"stated_sha256": b"\1" * 32}, "RECALL_DISAGREES"),
        ({"sealed": b"other bytes"}, "WRONG_DIGEST"),
    ],
)
def test_a_recall_that_does_not_hold_is_not_believed(given: Given, otherwise: dict[str, object], reason: str) -> None:
    with pytest.raises(VerificationError) as raised:
        given(**otherwise)
    assert raised.value.reason == reason


@pytest.mark.parametrize("purpose", ["sign", "seal"])
def test_a_recall_by_another_certificate_is_not_believed(given: Given, purpose: str) -> None:
    """Of another purpose, or of another authority."""
    other = PaperHub().authority
    signer = other.issue(purpose="seal", body=BODY) if purpose == "seal" else other.issue(purpose="sign", position="x")
    with pytest.raises(VerificationError):
        given(signer=signer)


@pytest.mark.parametrize(
    ("event", "verdict", "stated", "agrees"),
    [
        (Event.RECALL_ANSWERED, receipt_pb2.VERDICT_RECALL_REFUSED, "VERDICT_RECALL_REFUSED", True),
        (Event.RECALL_ANSWERED, receipt_pb2.VERDICT_RECALL_GRANTED, "VERDICT_RECALL_REFUSED", False),
        (Event.RECALL_ANSWERED, receipt_pb2.VERDICT_ACCEPTED, "VERDICT_ACCEPTED", False),
        (Event.RETURNED, receipt_pb2.VERDICT_RETURNED, "RETURN_REASON_DUPLICATE", True),
        (Event.RETURNED, receipt_pb2.VERDICT_RETURNED, "RETURN_REASON_UNREADABLE", False),
        (Event.RETURNED, receipt_pb2.VERDICT_REFUSED, "RETURN_REASON_DUPLICATE", False),
    ],
)
def test_a_receipt_says_what_is_stated(
    event: Event, verdict: receipt_pb2.Verdict.ValueType, stated: str, agrees: bool
) -> None:
    payload = StatementPayload(sub="")
    payload.events[event].reason = stated
    receipt = receipt_pb2.Receipt(verdict=verdict)
    if event is Event.RETURNED:
        receipt.reason = receipt_pb2.RETURN_REASON_DUPLICATE
    assert agree(receipt, Proven("", 1, "", payload, b"")) is agrees
