"""Statements beyond the vectors: an independent library verifies them, and no text raises anything but FormatError."""

import base64
import contextlib
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from dabir.common.v1.statement_pb2 import StatementEvent, StatementPayload
from dabir.formats import statement, strict_json
from dabir.formats.events import EVENT_FIELDS, Event, events_of
from dabir.formats.names import ChainKind
from dabir.formats.statement import MAX_STATEMENT_BYTES
from dabir.formats.strict_json import FormatError
from tests.pki import TestAuthority
from tests.vectors.cases import jws as by_hand
from tests.vectors.cases import statement as cases
from tests.vectors.cases.vector import dump

AUTHORITY = TestAuthority()
SIGNER = AUTHORITY.issue(purpose="seal", events=events_of("intake"))


def payload(name: str = "registered") -> StatementPayload:
    return strict_json.parse(dump(cases.GOOD[name]()), StatementPayload, max_bytes=100_000)


JWS = statement.sign_statement(payload(), SIGNER)


@pytest.mark.parametrize("name", cases.GOOD)
def test_every_event_is_signed_read_and_verified(name: str) -> None:
    stated = payload(name)
    source = EVENT_FIELDS[statement.main_event(stated)].source
    signer = AUTHORITY.issue(purpose="seal", events=events_of(source))
    jws = statement.sign_statement(stated, signer)
    assert statement.verify_statement(jws, signer.certificate) == stated
    read = statement.read_statement(jws)
    assert (read.payload, read.event) == (stated, statement.main_event(stated))
    # Signing leaves the payload as it was: reading a map must not have added an entry.
    assert stated == payload(name)


def test_an_independent_library_verifies_it() -> None:
    spki = SIGNER.certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = ECKey.import_key(spki)
    found = joserfc_jws.deserialize_compact(JWS, key, algorithms=["ES256"])
    assert json.loads(found.payload) == cases.registered()
    header = found.headers()
    assert list(header) == ["alg", "typ", "kid", "x5t#S256"]
    assert (header["alg"], header["typ"], header["kid"]) == ("ES256", "secevent+jwt", key.thumbprint())
    fingerprint = SIGNER.certificate.fingerprint(hashes.SHA256())
    assert header["x5t#S256"] == base64.urlsafe_b64encode(fingerprint).rstrip(b"=").decode()


def test_nothing_is_signed_that_would_be_refused() -> None:
    wrong = payload()
    wrong.events[Event.SUBMISSION_ACCEPTANCE].ClearField("manifest_sha256")
    with pytest.raises(FormatError) as raised:
        statement.sign_statement(wrong, SIGNER)
    assert raised.value.reason == "MISSING_FIELD"


def test_only_p256_signs() -> None:
    signer = AUTHORITY.issue(purpose="seal", key=ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(ValueError, match="P-256"):
        statement.sign_statement(payload(), signer)
    with pytest.raises(FormatError) as raised:
        statement.verify_statement(JWS, signer.certificate)
    assert raised.value.reason == "OTHER_CERTIFICATE"


def test_digest_and_leaf_entry() -> None:
    """The values were computed with sha256sum."""
    assert statement.digest("a.b.c").hex() == "845e30448809e2bc8958eb025bfc795235d13b077a53d0c3abbd2385170dc9b8"
    assert (
        statement.leaf_entry("a.b.c", b"\x07" * 32).hex()
        == "9f78a5303b00cca4960795d581c4f5db7b38267843e492e6fbe154644bd7d85a"
    )
    with pytest.raises(ValueError, match="32 bytes"):
        statement.leaf_entry("a.b.c", b"short")


@pytest.mark.parametrize(
    ("event", "source", "subjects"),
    [
        (Event.SUBMISSION_ACCEPTANCE, "intake", {"letter"}),
        (Event.AVAILABLE, "intake", {"delivery"}),
        (Event.CONTENT_HANDOVER, "documents", {"delivery"}),
        (Event.NOTIFICATION_FOR_ACCEPTANCE, "notifications", {"delivery"}),
        (Event.CERTIFICATE_ADDED, "directory", {"body"}),
        (Event.OPERATOR_ACTION, "intake", {"letter", "body"}),
    ],
)
def test_who_states_what(event: Event, source: str, subjects: set[ChainKind]) -> None:
    assert (EVENT_FIELDS[event].source, set(EVENT_FIELDS[event].subjects)) == (source, subjects)
    assert event in events_of(source)


def test_the_table_names_fields_that_exist() -> None:
    known = {field.name for field in StatementEvent.DESCRIPTOR.fields}
    for event, rule in EVENT_FIELDS.items():
        assert rule.must | rule.may <= known, event
        assert not rule.must & rule.may, event
        assert ("number" in rule.must) >= bool(rule.book), event


def test_size_is_checked_first() -> None:
    with pytest.raises(FormatError) as raised:
        statement.parse_statement("a" * (MAX_STATEMENT_BYTES + 1))
    assert raised.value.reason == "TOO_LARGE"


def test_no_larger_payload_is_signed_than_is_read() -> None:
    stated = payload()
    certificates = stated.events[Event.SUBMISSION_ACCEPTANCE].signatures[0].certificates_sha256
    certificates.extend(bytes(32) for _ in range(12_000))
    with pytest.raises(FormatError) as raised:
        statement.sign_statement(stated, SIGNER)
    assert raised.value.reason == "TOO_LARGE"


def test_a_signature_of_another_length_is_no_statement() -> None:
    signing_input, _, signature = JWS.rpartition(".")
    with pytest.raises(FormatError) as raised:
        statement.parse_statement(f"{signing_input}.{signature[:-2]}")
    assert (raised.value.reason, raised.value.path) == ("BAD_SIGNATURE", "signature")


def test_a_seal_of_another_curve_verifies_nothing() -> None:
    seal = AUTHORITY.issue(purpose="seal", events=events_of("intake"), key=ec.generate_private_key(ec.SECP384R1()))
    fingerprint = by_hand.base64url(seal.certificate.fingerprint(hashes.SHA256()))
    head = by_hand.header(SIGNER, **{"x5t#S256": fingerprint})
    with pytest.raises(FormatError) as raised:
        statement.verify_statement(by_hand.sign(SIGNER, dump(cases.registered()), dump(head)), seal.certificate)
    assert raised.value.reason == "WEAK_KEY"


def test_the_largest_letter_has_a_statement() -> None:
    stated = payload()
    said = stated.events[Event.SUBMISSION_ACCEPTANCE]
    del said.recipients[:]
    del said.documents[:]
    for n in range(100):
        said.documents.add(name=f"documents/{n:08x}-0000-4000-8000-000000000000", sha256=bytes(32))
    for n in range(500):
        said.recipients.add(office=f"bodies/b{n:062d}/offices/{'o' * 63}", documents=range(1, 101))
    jws = statement.sign_statement(stated, SIGNER)
    assert len(jws) < MAX_STATEMENT_BYTES
    assert statement.verify_statement(jws, SIGNER.certificate) == stated


@settings(deadline=None, max_examples=300)
@given(text=st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,90}"))
def test_arbitrary_text_raises_only_format_errors(text: str) -> None:
    with pytest.raises(FormatError):
        statement.parse_statement(text)


@settings(deadline=None, max_examples=500)
@given(at=st.integers(0, len(JWS) - 1), character=st.characters(codec="utf-8"))
def test_one_changed_character_never_verifies(at: int, character: str) -> None:
    changed = JWS[:at] + character + JWS[at + 1 :]
    if changed == JWS:
        return
    with pytest.raises(FormatError):
        statement.verify_statement(changed, SIGNER.certificate)


@settings(deadline=None, max_examples=200)
@given(start=st.integers(0, len(JWS)), length=st.integers(0, 60), piece=st.text("Ae0_-.", max_size=60))
def test_pieces_put_in_raise_only_format_errors(start: int, length: int, piece: str) -> None:
    with contextlib.suppress(FormatError):
        statement.verify_statement(JWS[:start] + piece + JWS[start + length :], SIGNER.certificate)
