"""Transfers whose other end sends or takes next to nothing, and never stands still: they lose their place."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dabir.documents.v1 import documents_pb2 as pb
from services.documents.domain.upload import SEGMENT_BYTES
from tests.conftest import Postgres, S3Server
from tests.contract.documents.harness import run_documents
from tests.contract.documents.member import (
    CHUNK_BYTES,
    DEADLINE_SECONDS,
    Member,
    new_document,
    refusal,
    several_segments,
    upload_parts,
)
from tests.contract.documents.people import Directory, People

DATA = several_segments(2)
# Left alone, grpc widens a client's window as it measures the line, and may take all of DATA before it is asked for.
NARROW = [("grpc.http2.bdp_probe", 0)]
TOO_SLOW = ("DEADLINE_EXCEEDED", "TRANSFER_TOO_SLOW")


@pytest.fixture
async def hasty(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> AsyncIterator[Member]:
    """A sender at a documents that waits for nobody longer than half a second."""
    settings = {"transfer_late_seconds": 0.5, "transfer_slowest_bytes_per_second": 100 << 20}
    async with (
        run_documents(tmp_path, people, directory, postgres, s3_server, **settings) as running,
        running.member("interior", NARROW) as member,
    ):
        yield member


async def test_an_upload_that_drips_is_ended_and_goes_on_from_what_is_safe(sender: Member, hasty: Member) -> None:
    name = new_document()
    begun = sender.upload(DATA, name=name, until=SEGMENT_BYTES)
    assert await refusal(begun) == ("FAILED_PRECONDITION", "UPLOAD_INCOMPLETE")

    async def drip() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield upload_parts(DATA, name, "application/pdf")[0]
        for offset in range(SEGMENT_BYTES, len(DATA)):
            chunk = pb.UploadChunk(offset=offset, data=DATA[offset : offset + 1])
            yield pb.UploadDocumentRequest(chunk=chunk)
            await asyncio.sleep(0.1)

    assert await refusal(hasty.stub.UploadDocument(drip(), timeout=DEADLINE_SECONDS)) == TOO_SLOW
    committed = (await sender.query(name)).committed_bytes
    assert committed == SEGMENT_BYTES
    assert (await sender.upload(DATA, name=name, start=committed)).state == pb.DOCUMENT_STATE_READY


async def test_a_download_that_is_taken_in_drips_is_ended(sender: Member, hasty: Member) -> None:
    name = (await sender.upload(DATA)).name
    call, taken = hasty.stub.DownloadDocument(pb.DownloadDocumentRequest(name=name), timeout=DEADLINE_SECONDS), 0

    async def drip() -> None:
        nonlocal taken
        async for message in call:
            taken += len(message.data)
            await asyncio.sleep(0.2)

    assert await refusal(drip()) == TOO_SLOW
    assert CHUNK_BYTES <= taken < len(DATA)
