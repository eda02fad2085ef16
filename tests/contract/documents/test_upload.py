"""Uploading through real stubs: what is taken, what is refused and with which reason, what a broken stream leaves."""

import asyncio
import itertools
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from dabir.documents.v1 import documents_pb2 as pb
from services.documents.domain.upload import SEGMENT_BYTES
from services.runtime.channel import reason_of
from tests.conftest import Postgres, S3Server
from tests.contract.documents.harness import Documents, run_documents
from tests.contract.documents.member import (
    CHUNK_BYTES,
    DEADLINE_SECONDS,
    Member,
    new_document,
    refusal,
    several_segments,
    sha256,
    upload_parts,
)
from tests.contract.documents.people import Directory, People
from tests.unit.documents import files
from tests.waiting import eventually

PDF = files.pdf(3)
READY, REJECTED = pb.DOCUMENT_STATE_READY, pb.DOCUMENT_STATE_REJECTED


async def test_an_upload_becomes_ready_and_comes_back_as_it_was(sender: Member) -> None:
    name = new_document()
    answered = await sender.upload(PDF, name=name)
    assert (answered.state, answered.pages, answered.sha256) == (READY, 3, sha256(PDF))
    assert (await sender.get(name)) == answered
    assert await sender.download(name) == PDF
    assert (await sender.query(name)).committed_bytes == len(PDF)


@pytest.mark.parametrize("more", [0, 1, 1000])
async def test_a_chunk_may_end_one_segment_and_begin_the_next(sender: Member, more: int) -> None:
    data = b"a" * (SEGMENT_BYTES - 100) + b"b" * (100 + more)
    name = new_document()
    header = upload_parts(data, name, "text/plain")[0]
    cuts = [0, 250_000, *range(500_000, len(data), CHUNK_BYTES), len(data)]
    chunks = [pb.UploadChunk(offset=a, data=data[a:b]) for a, b in itertools.pairwise(cuts)]
    finish = pb.UploadFinish(size_bytes=len(data), sha256=sha256(data))
    parts = [header, *(pb.UploadDocumentRequest(chunk=c) for c in chunks), pb.UploadDocumentRequest(finish=finish)]
    answered = await sender.stub.UploadDocument(iter(parts), timeout=DEADLINE_SECONDS)
    assert answered.document.state == READY
    assert await sender.download(name) == data


async def test_segments_are_full_under_keys_used_once_and_rows_come_first(documents: Documents, sender: Member) -> None:
    data, name = several_segments(2), new_document()
    await sender.upload(data, name=name)
    rows = documents.sql("SELECT number, attempt, size_bytes, version FROM documents.segment WHERE document = %s", name)
    assert sorted(size for _, _, size, _ in rows) == [len(data) - 2 * SEGMENT_BYTES, SEGMENT_BYTES, SEGMENT_BYTES]
    client = documents.s3.client()
    listed = client.list_objects(documents.s3.bucket, prefix=name, include_version=True, recursive=True)
    expected = {(f"{name}/{number}/{attempt}", version) for number, attempt, _, version in rows}
    assert {(one.object_name, one.version_id) for one in listed} == expected
    assert documents.sql("SELECT format FROM documents.document WHERE name = %s", name) == [(1,)]


async def test_a_broken_stream_goes_on_from_the_last_whole_segment(documents: Documents, sender: Member) -> None:
    data, name = several_segments(2), new_document()
    broken = sender.upload(data, name=name, until=SEGMENT_BYTES + 3 * CHUNK_BYTES)
    assert await refusal(broken) == ("FAILED_PRECONDITION", "UPLOAD_INCOMPLETE")
    found = await sender.query(name)
    assert (found.committed_bytes, found.document.state) == (SEGMENT_BYTES, pb.DOCUMENT_STATE_UPLOADING)
    assert (await sender.upload(data, name=name, start=found.committed_bytes)).state == READY
    assert await sender.download(name) == data
    # The segment that was safe was not stored again.
    assert documents.sql("SELECT count(*) FROM documents.segment WHERE document = %s", name) == [(3,)]


async def test_a_client_that_vanishes_in_the_stream_goes_on(sender: Member) -> None:
    data, name = several_segments(2), new_document()
    parts, forever = upload_parts(data, name, "application/pdf"), asyncio.Event()

    async def send() -> AsyncIterator[pb.UploadDocumentRequest]:
        for one in parts[: 1 + SEGMENT_BYTES // CHUNK_BYTES + 1]:
            yield one
        await forever.wait()

    call = sender.stub.UploadDocument(send(), timeout=DEADLINE_SECONDS)
    await eventually("a segment is kept", lambda: committed(sender, name, SEGMENT_BYTES))
    call.cancel()
    assert (await sender.upload(data, name=name, start=SEGMENT_BYTES)).state == READY
    assert await sender.download(name) == data


async def committed(member: Member, name: str, wanted: int) -> bool:
    """Whether this much of an upload is safe."""
    try:
        return (await member.query(name)).committed_bytes == wanted
    except grpc.aio.AioRpcError:  # its header has not come yet
        return False


async def test_only_the_finish_was_lost(sender: Member) -> None:
    name = new_document()
    await refusal(sender.upload(PDF, name=name, until=len(PDF) - 1))
    parts = upload_parts(PDF, name, "application/pdf")
    with_all_bytes = sender.stub.UploadDocument(iter(parts[:-1]), timeout=DEADLINE_SECONDS)
    # Every byte is there and no finish: that the sender meant to end here, it has not said.
    assert await refusal(with_all_bytes) == ("FAILED_PRECONDITION", "UPLOAD_INCOMPLETE")
    assert (await sender.query(name)).committed_bytes == len(PDF)
    assert (await sender.upload(PDF, name=name, start=len(PDF))).state == READY


async def test_a_repeated_upload_gets_the_stored_answer(documents: Documents, sender: Member) -> None:
    name = new_document()
    first = await sender.upload(PDF, name=name)
    assert await sender.upload(PDF, name=name) == first
    header_alone = upload_parts(PDF, name, "application/pdf")[:1]
    assert (await sender.stub.UploadDocument(iter(header_alone), timeout=DEADLINE_SECONDS)).document == first
    assert documents.sql("SELECT count(*) FROM documents.segment WHERE document = %s", name) == [(1,)]


async def test_two_streams_of_one_upload_make_one_document(sender: Member) -> None:
    data, name = several_segments(2), new_document()
    outcomes = await asyncio.gather(*(sender.upload(data, name=name) for _ in range(3)), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, pb.Document):
            assert outcome.state == READY
        else:
            assert await refusal(_raised(outcome)) == ("ABORTED", "UPLOAD_OVERTAKEN")
    committed = (await sender.query(name)).committed_bytes
    assert (await sender.upload(data, name=name, start=committed)).state == READY
    assert await sender.download(name) == data


async def _raised(error: BaseException) -> None:
    raise error


OTHER_CONTENT: list[dict[str, Any]] = [
    {"data": PDF + b"\n"},
    {"data": PDF, "media_type": "text/plain"},
    {"data": PDF, "sha256": b"x" * 32},
]


@pytest.mark.parametrize("other", OTHER_CONTENT)
async def test_an_id_with_other_content_is_refused(sender: Member, other: dict[str, Any]) -> None:
    name = new_document()
    await sender.upload(PDF, name=name)
    assert await refusal(sender.upload(name=name, **other)) == ("ALREADY_EXISTS", "DOCUMENT_ID_REUSED")
    assert await sender.download(name) == PDF


async def test_another_bodys_id_is_refused(documents: Documents, sender: Member) -> None:
    name = new_document()
    await sender.upload(PDF, name=name)
    async with documents.member("other") as other:
        assert await refusal(other.upload(PDF, name=name)) == ("ALREADY_EXISTS", "DOCUMENT_ID_REUSED")


def part(**one: Any) -> pb.UploadDocumentRequest:
    return pb.UploadDocumentRequest(**one)


def header(name: str, **changed: Any) -> pb.UploadDocumentRequest:
    said: dict[str, Any] = {"document": name, "media_type": "application/pdf", "size_bytes": len(PDF)}
    said["sha256"] = sha256(PDF)
    return part(header=pb.UploadHeader(**(said | changed)))


def chunk(offset: int, data: bytes) -> pb.UploadDocumentRequest:
    return part(chunk=pb.UploadChunk(offset=offset, data=data))


FINISH = part(finish=pb.UploadFinish(size_bytes=len(PDF), sha256=sha256(PDF)))
N = "documents/{}"  # the test's own
STREAMS: dict[str, tuple[list[pb.UploadDocumentRequest], str, str]] = {
    "nothing": ([], "INVALID_ARGUMENT", "UPLOAD_OUT_OF_ORDER"),
    "chunk first": ([chunk(0, PDF)], "INVALID_ARGUMENT", "UPLOAD_OUT_OF_ORDER"),
    "two headers": ([header(N), header(N)], "INVALID_ARGUMENT", "UPLOAD_OUT_OF_ORDER"),
    "offset ahead": ([header(N), chunk(1, PDF)], "INVALID_ARGUMENT", "WRONG_OFFSET"),
    "chunk replayed": ([header(N), chunk(0, PDF[:9]), chunk(0, PDF[:9])], "INVALID_ARGUMENT", "WRONG_OFFSET"),
    "chunks reordered": ([header(N), chunk(9, PDF[9:]), chunk(0, PDF[:9])], "INVALID_ARGUMENT", "WRONG_OFFSET"),
    "too many bytes": ([header(N), chunk(0, PDF + b"x")], "INVALID_ARGUMENT", "SIZE_MISMATCH"),
    "finish early": ([header(N), chunk(0, PDF[:9]), FINISH], "FAILED_PRECONDITION", "UPLOAD_INCOMPLETE"),
    "finish of another size": (
        [header(N), chunk(0, PDF), part(finish=pb.UploadFinish(size_bytes=1, sha256=sha256(PDF)))],
        "INVALID_ARGUMENT",
        "FINISH_DIFFERS",
    ),
    "finish of another digest": (
        [header(N), chunk(0, PDF), part(finish=pb.UploadFinish(size_bytes=len(PDF), sha256=b"x" * 32))],
        "INVALID_ARGUMENT",
        "FINISH_DIFFERS",
    ),
    "too large": ([header(N, size_bytes=2**31 + 1)], "INVALID_ARGUMENT", "TOO_LARGE"),
    "type not allowed": (
        [header(N, media_type="application/zip")],
        "INVALID_ARGUMENT",
        "MEDIA_TYPE_NOT_ALLOWED",
    ),
    "no document's name": ([header("documents/../x")], "INVALID_ARGUMENT", "REQUEST_INVALID"),
    "empty document": ([header(N, size_bytes=0)], "INVALID_ARGUMENT", "REQUEST_INVALID"),
    "chunk too large": ([header(N), chunk(0, b"x" * (CHUNK_BYTES + 1))], "INVALID_ARGUMENT", "REQUEST_INVALID"),
}


@pytest.mark.parametrize(("parts", "code", "reason"), STREAMS.values(), ids=STREAMS)
async def test_streams_that_are_no_upload(
    documents: Documents, sender: Member, parts: list[pb.UploadDocumentRequest], code: str, reason: str
) -> None:
    name, sent = new_document(), [pb.UploadDocumentRequest.FromString(one.SerializeToString()) for one in parts]
    for one in sent:
        if one.header.document == N:
            one.header.document = name
    assert await refusal(sender.stub.UploadDocument(iter(sent), timeout=DEADLINE_SECONDS)) == (code, reason)
    stored = documents.sql("SELECT state FROM documents.document WHERE name = %s", name)
    assert stored == ([] if reason in NOTHING_STORED or sent[:1] != [header(name)] else [("UPLOADING",)])


NOTHING_STORED = {"TOO_LARGE", "MEDIA_TYPE_NOT_ALLOWED"}


async def test_what_is_not_taken_leaves_nothing(documents: Documents, sender: Member) -> None:
    name = new_document()
    await refusal(sender.upload(PDF, name=name, media_type="application/zip"))
    assert documents.sql("SELECT count(*) FROM documents.document WHERE name = %s", name) == [(0,)]
    assert await refusal(sender.query(name)) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")


REJECTIONS: list[tuple[str, bytes, str]] = [
    ("application/pdf", files.png(), "MEDIA_TYPE_MISMATCH"),
    ("application/pdf", files.encrypted_pdf(), "ENCRYPTED"),
    ("application/pdf", PDF[:-40], "DAMAGED"),
    ("image/png", files.png(50_000, 50_000, files.bomb(16 << 20, 1)), "INSPECTION_LIMIT"),
]


@pytest.mark.parametrize(("media_type", "data", "reason"), REJECTIONS)
async def test_what_inspection_rejects(sender: Member, media_type: str, data: bytes, reason: str) -> None:
    name = new_document()
    answered = await sender.upload(data, name=name, media_type=media_type)
    assert (answered.state, answered.rejection_reason) == (REJECTED, reason)
    assert "new id" in answered.rejection_message
    assert await sender.upload(data, name=name, media_type=media_type) == answered
    assert await refusal(sender.download(name)) == ("FAILED_PRECONDITION", "DOCUMENT_NOT_READY")


async def test_bytes_that_are_not_the_digest_are_rejected(sender: Member) -> None:
    answered = await sender.upload(PDF, sha256=secrets.token_bytes(32))
    assert (answered.state, answered.rejection_reason) == (REJECTED, "DIGEST_MISMATCH")


async def test_anothers_document_is_as_absent_as_none(documents: Documents, sender: Member) -> None:
    name = new_document()
    await sender.upload(PDF, name=name)
    async with documents.member("other") as other:
        for call in (other.get, other.query, other.download):
            there, absent = [await _refused(call(one)) for one in (name, new_document())]
            assert there == absent
            assert there[:2] == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")


async def _refused(call: Any) -> tuple[str, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    said = re.sub(r"documents/[0-9a-f-]{36}", "documents/…", caught.value.details() or "")
    return caught.value.code().name, reason_of(caught.value), said


async def test_who_may_not_upload(documents: Documents) -> None:
    async with documents.member("nobody") as nobody:
        assert await refusal(nobody.upload(PDF)) == ("PERMISSION_DENIED", "ROLE_MISSING")
    async with documents.member("interior") as sender:
        without_deadline = sender.stub.UploadDocument(iter(upload_parts(PDF, new_document(), "application/pdf")))
        assert await refusal(without_deadline) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")
    async with documents.member("worker") as worker:
        assert await refusal(worker.upload(PDF)) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_transfers_beyond_their_places_are_told_to_come_again(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> None:
    forever, name = asyncio.Event(), new_document()

    async def begin() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield header(name)
        await forever.wait()

    async with run_documents(tmp_path, people, directory, postgres, s3_server, transfers_max=1) as running:
        async with running.member("interior") as member:
            call = member.stub.UploadDocument(begin(), timeout=DEADLINE_SECONDS)
            await eventually("the upload has begun", lambda: committed(member, name, 0))
            assert await refusal(member.upload(PDF)) == ("RESOURCE_EXHAUSTED", "TRANSFERS_BUSY")
            call.cancel()

            async def free() -> bool:
                try:
                    return (await member.upload(PDF)).state == READY
                except grpc.aio.AioRpcError:  # the place is given back a moment after the call
                    return False

            await eventually("the place is free again", free)
