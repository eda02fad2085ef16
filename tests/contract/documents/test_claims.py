"""Claims and retention: what intake and the workers call."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention

from dabir.common.v1.manifest_pb2 import CLASSIFICATION_CONFIDENTIAL, CLASSIFICATION_NORMAL
from dabir.directory.v1.directory_pb2 import ROLE_CLEARANCE_CONFIDENTIAL
from dabir.documents.v1 import documents_pb2 as pb
from tests.contract.documents.harness import Documents
from tests.contract.documents.member import (
    DEADLINE_SECONDS,
    Member,
    new_document,
    new_letter,
    refusal,
    several_segments,
    sha256,
)
from tests.contract.documents.people import OTHER, SENDER, People
from tests.unit.documents import files

if TYPE_CHECKING:
    from dabir.common.v1.manifest_pb2 import Classification
    from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceAsyncStub

PDF = files.pdf()


@pytest.fixture
async def intake(documents: Documents) -> AsyncIterator["DocumentInternalServiceAsyncStub"]:
    async with documents.service("intake") as stub:
        yield stub


@pytest.fixture
async def worker(documents: Documents) -> AsyncIterator["DocumentInternalServiceAsyncStub"]:
    async with documents.service("worker") as stub:
        yield stub


@pytest.fixture
async def uploaded(sender: Member) -> str:
    return (await sender.upload(PDF)).name


def wanted(name: str, **changed: Any) -> pb.DocumentClaim:
    claim = pb.DocumentClaim(document=name, sha256=sha256(PDF), size_bytes=len(PDF), media_type="application/pdf")
    claim.MergeFrom(pb.DocumentClaim(**changed))
    return claim


async def claim(
    intake: "DocumentInternalServiceAsyncStub",
    letter: str,
    *documents: pb.DocumentClaim,
    owner: str = SENDER,
    classification: "Classification.ValueType" = CLASSIFICATION_NORMAL,
) -> list[str]:
    """The reasons, one per document; empty where it is, or could be, claimed."""
    request = pb.ClaimDocumentsRequest(letter=letter, owner=owner, documents=documents, classification=classification)
    answer = await intake.ClaimDocuments(request, timeout=DEADLINE_SECONDS)
    assert [one.document for one in answer.results] == [one.document for one in documents]
    assert all(one.claimed == (not one.reason) == (not one.message) for one in answer.results)
    return [one.reason for one in answer.results]


def claimed_by(documents: Documents, name: str) -> list[str]:
    return [row[0] for row in documents.sql("SELECT letter FROM documents.claim WHERE document = %s", name)]


async def test_claiming_is_idempotent_and_a_document_is_one_letters(
    documents: Documents, intake: "DocumentInternalServiceAsyncStub", uploaded: str
) -> None:
    letter = new_letter()
    for _ in range(2):
        assert await claim(intake, letter, wanted(uploaded)) == [""]
    assert await claim(intake, new_letter(), wanted(uploaded)) == ["DOCUMENT_CLAIMED"]
    assert claimed_by(documents, uploaded) == [letter]


@pytest.mark.parametrize("repeated", [False, True])
async def test_what_a_classified_letter_claims_needs_its_clearance(
    documents: Documents,
    intake: "DocumentInternalServiceAsyncStub",
    people: People,
    sender: Member,
    recipient: Member,
    uploaded: str,
    repeated: bool,
) -> None:
    letter, digest = new_letter(), sha256(PDF)
    assert await claim(intake, letter, wanted(uploaded), classification=CLASSIFICATION_CONFIDENTIAL) == [""]
    if repeated:  # what the letter registered must not be opened by another request under its id
        assert await claim(intake, letter, wanted(uploaded)) == [""]
    acceptance = await documents.accept({uploaded: digest})
    calls = (
        sender.get(uploaded),
        sender.query(uploaded),
        sender.download(uploaded),
        recipient.download(uploaded, acceptance),
        recipient.confirm(uploaded, acceptance, digest),
    )
    for call in calls:
        assert await refusal(call) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
    owner, roles = people.listed[key := people.sha256("bank")]
    people.listed[key] = owner, [*roles, ROLE_CLEARANCE_CONFIDENTIAL]
    try:
        assert await recipient.download(uploaded, acceptance) == PDF
    finally:
        people.listed[key] = owner, roles


async def test_all_or_none(
    documents: Documents, intake: "DocumentInternalServiceAsyncStub", sender: Member, uploaded: str
) -> None:
    damaged = await sender.upload(PDF[:-40])
    assert damaged.state == pb.DOCUMENT_STATE_REJECTED
    half = new_document()
    await refusal(sender.upload(PDF, name=half, until=10))
    asked = [
        wanted(uploaded),
        wanted(damaged.name, sha256=damaged.sha256, size_bytes=damaged.size_bytes),
        wanted(half),
        wanted(new_document()),
    ]
    reasons = ["", "DOCUMENT_REJECTED", "DOCUMENT_NOT_READY", "DOCUMENT_NOT_FOUND"]
    assert await claim(intake, new_letter(), *asked) == reasons
    assert claimed_by(documents, uploaded) == []


async def test_what_the_manifest_says_otherwise(intake: "DocumentInternalServiceAsyncStub", uploaded: str) -> None:
    wrong = {
        "DIGEST_MISMATCH": wanted(uploaded, sha256=b"x" * 32),
        "SIZE_MISMATCH": wanted(uploaded, size_bytes=len(PDF) + 1),
        "MEDIA_TYPE_MISMATCH": wanted(uploaded, media_type="image/png"),
    }
    for reason, one in wrong.items():
        assert await claim(intake, new_letter(), one) == [reason]
    assert await claim(intake, new_letter(), wanted(uploaded), owner=OTHER) == ["DOCUMENT_NOT_FOUND"]


async def test_a_document_twice_is_refused(intake: "DocumentInternalServiceAsyncStub", uploaded: str) -> None:
    call = claim(intake, new_letter(), wanted(uploaded), wanted(uploaded))
    assert await refusal(call) == ("INVALID_ARGUMENT", "DOCUMENT_TWICE")


async def test_only_intake_claims_and_only_workers_retain(documents: Documents, uploaded: str) -> None:
    for who in ("worker", "interior"):
        async with documents.service(who) as stub:
            call = claim(stub, new_letter(), wanted(uploaded))
            assert await refusal(call) == ("PERMISSION_DENIED", "ROLE_MISSING")
    for who in ("intake", "interior"):
        async with documents.service(who) as stub:
            retention = retain(stub, new_letter(), uploaded, ahead(60))
            assert await refusal(retention) == ("PERMISSION_DENIED", "ROLE_MISSING")


def ahead(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


async def retain(worker: "DocumentInternalServiceAsyncStub", letter: str, name: str, until: datetime) -> datetime:
    """Until when it is retained, as read back."""
    instant = Timestamp()
    instant.FromDatetime(until)
    request = pb.SetRetentionRequest(letter=letter, documents=[name], retain_until=instant)
    answer = await worker.SetRetention(request, timeout=DEADLINE_SECONDS)
    assert [one.document for one in answer.retentions] == [name]
    return answer.retentions[0].retain_until.ToDatetime(UTC)


async def test_retention_locks_every_segment_against_everyone(
    documents: Documents,
    intake: "DocumentInternalServiceAsyncStub",
    worker: "DocumentInternalServiceAsyncStub",
    sender: Member,
) -> None:
    data, letter = several_segments(1), new_letter()
    name = (await sender.upload(data)).name
    assert await claim(intake, letter, wanted(name, sha256=sha256(data), size_bytes=len(data))) == [""]
    until = ahead(3600)
    assert await retain(worker, letter, name, until) == until
    assert (await sender.get(name)).retain_until.ToDatetime(UTC) == until
    segments = documents.stored(name)
    assert len(segments) == 2
    minio, bucket = documents.s3.client(), documents.s3.bucket
    for key, version in segments:
        kept = minio.get_object_retention(bucket, key, version)
        assert kept is not None
        assert kept.mode == COMPLIANCE
        with pytest.raises(S3Error, match="AccessDenied"):
            minio.remove_object(bucket, key, version_id=version)
        shorter = Retention(COMPLIANCE, until - timedelta(seconds=60))
        with pytest.raises(S3Error, match="AccessDenied"):
            minio.set_object_retention(bucket, key, shorter, version_id=version)
        # Hidden by a delete marker, or by other bytes under its key, it is still there and still what is read.
        minio.remove_object(bucket, key)
    assert await sender.download(name) == data


async def test_retention_only_extends_and_is_read_back(
    intake: "DocumentInternalServiceAsyncStub", worker: "DocumentInternalServiceAsyncStub", uploaded: str
) -> None:
    letter, until = new_letter(), ahead(3600)
    await claim(intake, letter, wanted(uploaded))
    assert await retain(worker, letter, uploaded, until) == until
    assert await retain(worker, letter, uploaded, until - timedelta(seconds=1800)) == until
    later = until + timedelta(seconds=0.5)
    assert await retain(worker, letter, uploaded, later) == until + timedelta(seconds=1)


async def test_retention_needs_the_claim_and_lies_ahead(
    intake: "DocumentInternalServiceAsyncStub", worker: "DocumentInternalServiceAsyncStub", uploaded: str
) -> None:
    letter = new_letter()
    call = retain(worker, letter, uploaded, ahead(3600))
    assert await refusal(call) == ("FAILED_PRECONDITION", "CLAIM_NOT_HELD")
    await claim(intake, letter, wanted(uploaded))
    for until in (ahead(-1), ahead(200 * 366 * 86_400)):
        call = retain(worker, letter, uploaded, until)
        assert await refusal(call) == ("INVALID_ARGUMENT", "RETENTION_OUT_OF_RANGE")
