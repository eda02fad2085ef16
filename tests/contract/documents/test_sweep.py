"""What the sweep does with what no letter needs, and leaves of what one does. Time is passed by setting rows back."""

import io

from tests.contract.documents.harness import Documents
from tests.contract.documents.member import Member, new_document, new_letter, refusal, several_segments, sha256
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
