"""The rules of documents: segments and ranges, claims, acceptances, retention."""

import dataclasses
import datetime
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabir.common.v1.statement_pb2 import StatementDocument, StatementEvent, StatementParty, StatementPayload
from dabir.formats.events import Event
from services.documents.domain import errors
from services.documents.domain.claims import Wanted, check_distinct, check_retention, judge_claim
from services.documents.domain.download import Acceptance, may_read, read_acceptance, resolve_range, segments_of
from services.documents.domain.upload import (
    SEGMENT_BYTES,
    Content,
    Document,
    State,
    check_content,
    check_finish,
    check_same_upload,
    segment_size,
)

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
CONTENT = Content("application/pdf", 1000, b"s" * 32)
NAME = f"documents/{uuid.uuid4()}"


def document(**changed: Any) -> Document:
    sound = Document(NAME, "bodies/a", CONTENT, State.READY, "", "", 1, NOW, None)
    return dataclasses.replace(sound, **changed)


@given(st.integers(1, 5 * SEGMENT_BYTES))
def test_segments_are_full_but_the_last_and_make_the_whole(size: int) -> None:
    count = -(-size // SEGMENT_BYTES)
    sizes = [segment_size(number, size) for number in range(1, count + 1)]
    assert sum(sizes) == size
    assert all(one == SEGMENT_BYTES for one in sizes[:-1])
    assert 0 < sizes[-1] <= SEGMENT_BYTES


@given(st.data())
def test_a_range_is_the_bytes_of_its_segments(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 4 * SEGMENT_BYTES))
    offset = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(0, size - offset))
    wanted = resolve_range(offset, length, size)
    assert (wanted.start, len(wanted)) == (offset, length or size - offset)
    position = offset
    for number, part in segments_of(wanted):
        assert (number - 1) * SEGMENT_BYTES + part.start == position
        assert 0 <= part.start < part.stop <= SEGMENT_BYTES
        position += part.stop - part.start
    assert position == wanted.stop


@pytest.mark.parametrize(("offset", "length"), [(1000, 0), (1001, 1), (999, 2), (0, 1001), (2**62, 2**62)])
def test_a_range_outside_the_document_is_refused(offset: int, length: int) -> None:
    with pytest.raises(errors.RangeOutside):
        resolve_range(offset, length, 1000)


def test_what_is_not_taken_is_refused_before_a_byte_is() -> None:
    check_content(CONTENT, allowed_media_types=["application/pdf"], max_bytes=1000)
    with pytest.raises(errors.DocumentTooLarge):
        check_content(CONTENT, allowed_media_types=["application/pdf"], max_bytes=999)
    with pytest.raises(errors.MediaTypeNotAllowed, match="image/png"):
        check_content(CONTENT, allowed_media_types=["image/png"], max_bytes=1000)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("bodies/b", CONTENT),
        ("bodies/a", Content("image/png", 1000, b"s" * 32)),
        ("bodies/a", Content("application/pdf", 1001, b"s" * 32)),
        ("bodies/a", Content("application/pdf", 1000, b"t" * 32)),
    ],
)
def test_an_id_stands_for_one_upload(body: str, content: Content) -> None:
    check_same_upload(document(), "bodies/a", CONTENT)
    with pytest.raises(errors.DocumentIdReused):
        check_same_upload(document(), body, content)


def test_the_finish_says_what_the_header_said() -> None:
    check_finish(CONTENT, 1000, b"s" * 32)
    for size, sha256 in ((999, b"s" * 32), (1000, b"t" * 32)):
        with pytest.raises(errors.FinishDiffers):
            check_finish(CONTENT, size, sha256)


CLAIMS: list[tuple[dict[str, Any] | None, str | None, str]] = [
    ({}, None, ""),
    ({}, "letters/1", ""),
    ({}, "letters/2", "DOCUMENT_CLAIMED"),
    (None, None, "DOCUMENT_NOT_FOUND"),
    ({"owner_body": "bodies/b"}, None, "DOCUMENT_NOT_FOUND"),
    ({"owner_body": "bodies/b"}, "letters/2", "DOCUMENT_NOT_FOUND"),
    ({"state": State.UPLOADING}, None, "DOCUMENT_NOT_READY"),
    ({"state": State.INSPECTING}, None, "DOCUMENT_NOT_READY"),
    ({"state": State.REJECTED, "rejection_reason": "DAMAGED"}, None, "DOCUMENT_REJECTED"),
    ({"content": Content("application/pdf", 1000, b"t" * 32)}, None, "DIGEST_MISMATCH"),
    ({"content": Content("application/pdf", 1001, b"s" * 32)}, None, "SIZE_MISMATCH"),
    ({"content": Content("text/plain", 1000, b"s" * 32)}, None, "MEDIA_TYPE_MISMATCH"),
]


@pytest.mark.parametrize(("changed", "claimed_by", "reason"), CLAIMS)
def test_what_a_letter_may_claim(changed: dict[str, Any] | None, claimed_by: str | None, reason: str) -> None:
    found = None if changed is None else document(**changed)
    judged = judge_claim(Wanted(NAME, CONTENT), found, claimed_by, owner="bodies/a", letter="letters/1")
    assert judged.reason == reason
    assert bool(judged.message) == bool(reason)


def test_anothers_document_and_none_are_judged_alike() -> None:
    others = [
        judge_claim(Wanted(NAME, CONTENT), found, None, owner="bodies/a", letter="letters/1")
        for found in (None, document(owner_body="bodies/b"))
    ]
    assert others[0] == others[1]


def test_a_document_stands_once_in_a_letter() -> None:
    check_distinct(["documents/1", "documents/2"])
    with pytest.raises(errors.DocumentTwice):
        check_distinct(["documents/1", "documents/2", "documents/1"])


def payload(**changed: Any) -> StatementPayload:
    said = StatementEvent(
        source="intake",
        parties=[StatementParty(body="bodies/a"), StatementParty(body="bodies/b")],
        documents=[StatementDocument(name=NAME, sha256=b"s" * 32)],
    )
    fields = {"iss": "hub", "jti": "j", "sub": "letters/1/deliveries/1", "txn": "letters/1"}
    events = {Event.CONSIGNMENT_ACCEPTANCE.value: said}
    return StatementPayload(**({"events": events} | fields | changed))


def test_an_acceptance_grants_what_it_lists_to_its_recipient() -> None:
    acceptance = read_acceptance(payload(), hub="hub", caller_body="bodies/b")
    assert acceptance == Acceptance(
        "j", "letters/1", "letters/1/deliveries/1", "bodies/a", "bodies/b", {NAME: b"s" * 32}
    )
    for body in ("bodies/a", "bodies/c", ""):
        with pytest.raises(errors.AcceptanceNotYours):
            read_acceptance(payload(), hub="hub", caller_body=body)
    for wrong in (payload(iss="other"), payload(events={Event.CONSIGNMENT_REJECTION.value: StatementEvent()})):
        with pytest.raises(errors.AcceptanceInvalid):
            read_acceptance(wrong, hub="hub", caller_body="bodies/b")


def test_only_the_owner_and_those_granted_may_read() -> None:
    granted = read_acceptance(payload(), hub="hub", caller_body="bodies/b")
    assert may_read(document(), NAME, "bodies/a", None)
    assert may_read(document(), NAME, "bodies/b", granted)
    refused = [
        (None, "bodies/a", None),
        (document(), "bodies/b", None),
        (document(name="documents/other"), "bodies/b", granted),
        (document(content=Content("application/pdf", 1000, b"t" * 32)), "bodies/b", granted),
    ]
    for found, body, acceptance in refused:
        with pytest.raises(errors.DocumentNotFound):
            may_read(found, NAME, body, acceptance)
    with pytest.raises(errors.DocumentNotReady):
        may_read(document(state=State.INSPECTING), NAME, "bodies/a", None)


def test_a_lock_lies_ahead_and_can_be_asked_for_again() -> None:
    day = datetime.timedelta(days=1)
    check_retention(document(), NOW + day, NOW, 10)
    check_retention(document(retain_until=NOW - day), NOW - day, NOW, 10)
    for until in (NOW, NOW - day, NOW + 11 * day):
        with pytest.raises(errors.RetentionOutOfRange):
            check_retention(document(), until, NOW, 10)
    with pytest.raises(errors.RetentionOutOfRange, match=r"is 2026-11-22T00:00:00Z: it must"):
        check_retention(document(), NOW, NOW, 10)
