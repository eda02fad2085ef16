"""What the sweep does with what no letter needs, and leaves of what one does. Time is passed by setting rows back."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from minio.commonconfig import COMPLIANCE
from minio.retention import Retention

from tests.conftest import Postgres, S3Server
from tests.contract.documents.harness import Documents, run_documents
from tests.contract.documents.member import Member, new_document, new_letter, refusal, several_segments, sha256
from tests.contract.documents.people import Directory, People
from tests.unit.documents import files
from tests.waiting import eventually

PDF = files.pdf()
DAMAGED = PDF[:-40]


def grow_old(documents: Documents, *names: str) -> None:
    """As if nothing had happened to these documents, their claims and attempts for a year."""
    year = "clock_timestamp() - interval '1 year'"
    for table, key, column in (("document", "name", "changed_at"), ("claim", "document", "claimed_at")):
        documents.sql(f"UPDATE documents.{table} SET {column} = {year} WHERE {key} = ANY (%s)", list(names))  # noqa: S608
    documents.sql(f"UPDATE documents.segment SET began_at = {year} WHERE document = ANY (%s)", list(names))  # noqa: S608


def letter_of(documents: Documents, name: str) -> list[tuple[str, bool]]:
    return documents.sql("SELECT letter, registered FROM documents.claim WHERE document = %s", name)


def put_claim(documents: Documents, name: str, letter: str) -> None:
    documents.sql("INSERT INTO documents.claim (document, letter) VALUES (%s, %s)", name, letter)


def put_old(documents: Documents, count: int, *, age: str = "1 year") -> list[str]:
    """So many uploads of which no byte came, begun that long ago."""
    rows = documents.sql(
        "INSERT INTO documents.document (name, owner_body, media_type, size_bytes, sha256, format, changed_at) "
        "SELECT 'documents/' || gen_random_uuid(), 'bodies/interior', 'text/plain', 1, sha256('x'), 1, "
        "clock_timestamp() - %s::interval FROM generate_series(1, %s) RETURNING name",
        age,
        count,
    )
    return [name for (name,) in rows]


async def test_a_claim_whose_letter_never_came_is_released_and_another_stands(
    documents: Documents, sender: Member
) -> None:
    orphan, kept, young = [(await sender.upload(PDF)).name for _ in range(3)]
    registered, never = await documents.state_letter(), new_letter()
    for name, letter in ((orphan, never), (kept, registered), (young, never)):
        put_claim(documents, name, letter)
    grow_old(documents, orphan, kept)

    async def settled() -> bool:
        return letter_of(documents, orphan) == [] and letter_of(documents, kept) == [(registered, True)]

    await eventually("one claim is released, the other kept", settled)
    assert letter_of(documents, young) == [(never, False)]
    # Released, it may be claimed again; its own period begins anew.
    assert (await sender.get(orphan)).name == orphan


async def test_what_nobody_claims_is_swept_with_its_objects(documents: Documents, sender: Member) -> None:
    large, half = several_segments(1), new_document()
    ready, rejected = (await sender.upload(PDF)).name, (await sender.upload(DAMAGED)).name
    await refusal(sender.upload(large, name=half, until=len(large) - 1))
    claimed, young = (await sender.upload(PDF)).name, (await sender.upload(PDF)).name
    put_claim(documents, claimed, await documents.state_letter())
    swept, kept = [ready, rejected, half], [claimed, young]
    assert all(documents.objects(name) for name in swept + kept)
    grow_old(documents, *swept, claimed)

    async def gone() -> bool:
        rows = documents.sql("SELECT FROM documents.document WHERE name = ANY (%s)", swept)
        return rows == [] and not any(documents.objects(name) for name in swept)

    await eventually("it is swept", gone)
    for name in swept:
        assert await refusal(sender.get(name)) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
    for name in kept:
        assert await sender.download(name) == PDF
    # The id may come again, for something else.
    assert (await sender.upload(PDF + b"\n", name=ready)).sha256 == sha256(PDF + b"\n")


async def test_an_attempt_that_was_never_acknowledged_is_swept(documents: Documents, sender: Member) -> None:
    name = (await sender.upload(PDF)).name
    ((attempt,),) = documents.sql(
        "INSERT INTO documents.segment (document, number, size_bytes) VALUES (%s, 1, 10) RETURNING attempt", name
    )
    # The PUT happened, and its answer never came.
    documents.s3.client().put_object(documents.s3.bucket, f"{name}/1/{attempt}", io.BytesIO(b"0123456789"), 10)
    assert len(documents.objects(name)) == 2
    put_claim(documents, name, await documents.state_letter())
    grow_old(documents, name)

    async def gone() -> bool:
        rows = documents.sql("SELECT FROM documents.segment WHERE attempt = %s", attempt)
        return rows == [] and len(documents.objects(name)) == 1

    await eventually("it is swept", gone)
    assert await sender.download(name) == PDF


async def test_what_is_being_swept_exists_for_nobody(documents: Documents, sender: Member) -> None:
    name = (await sender.upload(PDF)).name
    put_claim(documents, name, new_letter())  # so that the sweep leaves it as we put it
    documents.sql("UPDATE documents.document SET state = 'SWEEPING' WHERE name = %s", name)
    assert await refusal(sender.get(name)) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
    assert await refusal(sender.upload(PDF, name=name)) == ("ALREADY_EXISTS", "DOCUMENT_ID_REUSED")


async def test_one_round_sweeps_all_that_is_due(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> None:
    database = postgres.another_database()
    settings = {"sweep_interval_seconds": 3600.0}
    async with run_documents(tmp_path, people, directory, database, s3_server, **settings) as running:
        running.stop()
        due, young, claimed = (
            put_old(running, 350, age="70 minutes"),
            put_old(running, 1, age="50 minutes"),
            put_old(running, 250),
        )
        for name in claimed:
            put_claim(running, name, new_letter())
        grow_old(running, *claimed)
        await running.start()
        await eventually("it is swept", lambda: count(running, due) == 0)
        assert (count(running, young), count(running, claimed)) == (1, 250)
        assert running.sql("SELECT count(*) FROM documents.claim") == [(0,)]


async def test_what_cannot_be_deleted_does_not_keep_the_rest(
    tmp_path: Path, people: People, directory: tuple[Directory, str], postgres: Postgres, s3_server: S3Server
) -> None:
    database = postgres.another_database()
    async with run_documents(tmp_path, people, directory, database, s3_server) as running:
        running.stop()
        due, locked = put_old(running, 10), put_old(running, 110, age="2 years")
        for name in locked:
            lock_a_segment(running, name)
        await running.start()
        await eventually("it is swept", lambda: count(running, due) == 0)
        assert count(running, locked) == 110


def count(documents: Documents, names: list[str]) -> int:
    """How many of these documents there are."""
    return int(documents.sql("SELECT count(*) FROM documents.document WHERE name = ANY (%s)", names)[0][0])


def lock_a_segment(documents: Documents, name: str) -> None:
    """So that the store refuses to delete it."""
    ((attempt,),) = documents.sql(
        "INSERT INTO documents.segment (document, number, size_bytes) VALUES (%s, 1, 1) RETURNING attempt", name
    )
    lock = Retention(COMPLIANCE, datetime.now(UTC) + timedelta(days=1))
    client, key = documents.s3.client(), f"{name}/1/{attempt}"
    written = client.put_object(documents.s3.bucket, key, io.BytesIO(b"x"), 1, retention=lock)
    documents.sql(
        "UPDATE documents.segment SET sha256 = sha256('x'), version = %s WHERE attempt = %s",
        written.version_id,
        attempt,
    )
