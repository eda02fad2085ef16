"""kill -9 of documents at each place that matters, and what its successor makes of it."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dabir.documents.v1 import documents_pb2 as pb
from dabir.formats.statement import parse_statement
from infra.local import child, s3
from tests.conftest import Postgres, S3Server, free_port
from tests.contract.documents.harness import Documents, run_documents
from tests.contract.documents.member import Member, new_document, refusal, several_segments, sha256
from tests.contract.documents.people import Directory, People
from tests.contract.documents.test_claims import ahead, claim, retain, wanted
from tests.contract.documents.test_download import stated
from tests.unit.documents import files
from tests.waiting import eventually

PDF = files.pdf()
READY, INSPECTING = pb.DOCUMENT_STATE_READY, pb.DOCUMENT_STATE_INSPECTING


@pytest.fixture
async def mortal(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> AsyncIterator[Documents]:
    """A documents that the test may kill; its database and bucket are those of `documents`."""
    async with run_documents(tmp_path, people, directory, postgres, s3_server) as running:
        yield running


async def test_killed_between_the_put_and_its_row_the_segment_is_stored_again(mortal: Documents) -> None:
    data, name = several_segments(2), new_document()
    async with mortal.member("interior") as sender:
        with mortal.held("segment", f"NEW.document = '{name}' AND NEW.number = 2") as held:
            upload = asyncio.ensure_future(refusal(sender.upload(data, name=name)))
            await eventually("it is held", held.reached)
            assert len(mortal.objects(name)) == 2
            mortal.kill()
            assert (await upload)[0] == "UNAVAILABLE"
    assert len(mortal.stored(name)) == 1
    await mortal.start()
    async with mortal.member("interior") as sender:
        committed = (await sender.query(name)).committed_bytes
        assert committed == 8 * 1024 * 1024
        assert (await sender.upload(data, name=name, start=committed)).state == READY
        assert await sender.download(name) == data
    # The attempt whose acknowledgement was lost stands in the table and in S3: the sweep knows it.
    assert len(mortal.objects(name)) == 3 + 1
    assert mortal.sql("SELECT count(*) FROM documents.segment WHERE document = %s", name) == [(4,)]


async def test_killed_in_the_inspection_its_successor_takes_it_up_at_the_start(mortal: Documents) -> None:
    name = await killed_in_the_inspection(mortal)
    await mortal.start()
    async with mortal.member("interior") as sender:

        async def ready() -> bool:
            return (await sender.get(name)).state == READY

        await eventually("its successor has inspected it", ready)


async def test_killed_in_the_inspection_another_replica_takes_it_up_at_the_next_call(
    mortal: Documents, documents: Documents, sender: Member
) -> None:
    name = await killed_in_the_inspection(mortal)
    assert (await sender.get(name)).state == INSPECTING
    assert (await sender.upload(PDF, name=name, start=len(PDF))).state == READY


async def killed_in_the_inspection(mortal: Documents) -> str:
    """A document that is INSPECTING because the process that inspected it was killed."""
    name = new_document()
    async with mortal.member("interior") as sender:
        with mortal.held("document", f"NEW.name = '{name}' AND NEW.state = 'READY'") as held:
            upload = asyncio.ensure_future(refusal(sender.upload(PDF, name=name)))
            await eventually("it is held", held.reached)
            mortal.kill()
            await upload
    return name


async def test_killed_before_the_handover_is_committed_it_is_stated_once(mortal: Documents) -> None:
    async with mortal.member("interior") as sender:
        name = (await sender.upload(PDF)).name
    acceptance = await mortal.accept({name: sha256(PDF)})
    delivery = parse_statement(acceptance).sub
    async with mortal.member("bank") as recipient:
        with mortal.held("handover", f"NEW.delivery = '{delivery}'") as held:
            confirm = asyncio.ensure_future(refusal(recipient.confirm(name, acceptance, sha256(PDF))))
            await eventually("it is held", held.reached)
            mortal.kill()
            await confirm
    assert stated(mortal, delivery) == 0
    await mortal.start()
    async with mortal.member("bank") as recipient:
        for _ in range(2):
            assert (await recipient.confirm(name, acceptance, sha256(PDF))).content_handover.jws
    assert stated(mortal, delivery) == 1


async def test_killed_between_the_lock_and_its_row_retention_is_read_back(mortal: Documents) -> None:
    async with mortal.member("interior") as sender:
        name = (await sender.upload(PDF)).name
    letter, until = await mortal.state_letter(), ahead(3600)
    async with mortal.service("intake") as intake:
        assert await claim(intake, letter, wanted(name)) == [""]
    async with mortal.service("worker") as worker:
        with mortal.held("document", f"NEW.name = '{name}' AND NEW.retain_until IS NOT NULL") as held:
            setting = asyncio.ensure_future(refusal(retain(worker, letter, name, until)))
            await eventually("it is held", held.reached)
            mortal.kill()
            await setting
    await mortal.start()
    async with mortal.service("worker") as worker:
        assert await retain(worker, letter, name, until) == until


async def test_a_killed_inspecting_process_does_not_blame_the_file(mortal: Documents) -> None:
    async with mortal.member("interior") as sender:
        for _ in range(3):
            assert (await sender.upload(PDF)).state == READY
            for pid in children(mortal.pid):
                os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The children of a process (proc(5))."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child_pid) for task in tasks for child_pid in task.read_text().split()]


async def test_the_inspecting_processes_end_with_the_server(mortal: Documents) -> None:
    async with mortal.member("interior") as sender:
        await sender.upload(PDF)
    left = children(mortal.pid)
    assert left
    mortal.kill()

    async def ended() -> bool:
        return not any(alive(pid) for pid in left)

    await eventually("the inspecting processes end", ended)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_store_away_and_back(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres
) -> None:
    data, name = several_segments(1), new_document()
    with tempfile.TemporaryDirectory(prefix="dabir-s3-") as folder:
        home, ports = Path(folder), {port: free_port() for port in s3.PORTS}
        store = S3Server(f"127.0.0.1:{ports['s3']}", "access", "secret-secret")
        s3.prepare(home, store.access_key, store.secret_key)
        process = child.launch(s3.command(home, ports), home / "log")
        try:
            s3.set_up(store.client())
            async with run_documents(tmp_path, people, directory, postgres, store) as running:
                async with running.member("interior") as sender:
                    before = (await sender.upload(PDF)).name
                    await refusal(sender.upload(data, name=name, until=len(data) - 1))
                    child.kill_session(process.pid)
                    process.wait()
                    rest = sender.upload(data, name=name, start=8 * 1024 * 1024)
                    assert await refusal(rest) == ("UNAVAILABLE", "OBJECT_STORE_UNAVAILABLE")
                    assert await refusal(sender.download(before)) == ("UNAVAILABLE", "OBJECT_STORE_UNAVAILABLE")
                    process = child.launch(s3.command(home, ports), home / "log")
                    s3.set_up(store.client())
                    assert (await sender.upload(data, name=name, start=8 * 1024 * 1024)).state == READY
                    assert await sender.download(name) == data
                    assert await sender.download(before) == PDF
        finally:
            child.stop(process, signal.SIGTERM, grace_seconds=0)  # it would take seconds to save what nobody reads


BUCKETS = {"dabir-nowhere": "NoSuchBucket", "dabir-unlocked": "object lock"}


@pytest.mark.parametrize(("bucket", "says"), BUCKETS.items())
async def test_a_bucket_that_keeps_no_letters_is_refused_at_the_start(
    mortal: Documents, s3_server: S3Server, bucket: str, says: str
) -> None:
    minio = s3_server.client()
    if bucket == "dabir-unlocked" and not minio.bucket_exists(bucket):
        minio.make_bucket(bucket)
    mortal.stop()
    config = mortal.config.read_text(encoding="utf-8")
    mortal.config.write_text(config.replace(s3.BUCKET, bucket), encoding="utf-8")
    process = mortal.launch()
    assert await asyncio.to_thread(process.wait, 30) == 2
    assert says in mortal.log().splitlines()[-1]
