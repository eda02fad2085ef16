"""Inspections that nobody waits for any more: they hold up neither other bodies nor the sweep."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dabir.documents.v1 import documents_pb2 as pb
from tests.conftest import Postgres, S3Server
from tests.contract.documents.harness import Documents, run_documents
from tests.contract.documents.member import DEADLINE_SECONDS, Member, new_document, refusal, upload_parts
from tests.contract.documents.people import Directory, People
from tests.contract.documents.test_sweep import put_old
from tests.unit.documents import files
from tests.waiting import eventually

PDF = files.pdf()
BUSY = files.busy_pdf(5000)  # costs all the processor time it may


@pytest.fixture
async def slow(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> AsyncIterator[Documents]:
    """A documents alone with its database, that inspects one document at a time, and waits for three of a body."""
    settings = {"inspection_processes": 1, "inspection_cpu_seconds": 3, "inspections_per_body": 3}
    database = postgres.another_database()
    async with run_documents(tmp_path, people, directory, database, s3_server, **settings) as running:
        yield running


async def abandon(running: Documents, member: Member) -> str:
    """Uploads a busy document and leaves while it is inspected."""
    name = new_document()
    call = member.stub.UploadDocument(iter(upload_parts(BUSY, name, "application/pdf")), timeout=DEADLINE_SECONDS)
    await eventually("it is inspected", lambda: state(running, name) == "INSPECTING")
    call.cancel()
    return name


def state(running: Documents, name: str) -> str:
    """Where a document stands, "" where there is none."""
    rows = running.sql("SELECT state FROM documents.document WHERE name = %s", name)
    return str(rows[0][0]) if rows else ""


async def test_abandoned_inspections_are_counted_and_hold_no_other_body_up(slow: Documents) -> None:
    async with slow.member("interior") as hostile, slow.member("other") as other:
        abandoned = [await abandon(slow, hostile) for _ in range(3)]
        refused = new_document()
        assert await refusal(hostile.upload(PDF, name=refused)) == ("RESOURCE_EXHAUSTED", "INSPECTIONS_BUSY")
        assert (await hostile.query(refused)).committed_bytes == 0
        assert (await other.upload(PDF)).state == pb.DOCUMENT_STATE_READY
        assert state(slow, abandoned[2]) == "INSPECTING"  # came before, and its body had had its turn
        await eventually("all are inspected", lambda: {state(slow, name) for name in abandoned} == {"REJECTED"})
        assert (await hostile.upload(PDF, name=refused)).state == pb.DOCUMENT_STATE_READY


async def test_the_sweep_does_not_wait_for_the_inspections_it_resumes(slow: Documents) -> None:
    async with slow.member("interior") as member:
        name = await abandon(slow, member)
        slow.kill()
        put_old(slow, 1)
        await slow.start()
        await eventually("it sweeps", lambda: "document_swept" in slow.log())
        assert state(slow, name) == "INSPECTING"
        await eventually("the interrupted inspection is resumed", lambda: state(slow, name) == "REJECTED")
