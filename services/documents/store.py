"""SQL of documents. Every function that reads members' rows takes the body that asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from services.documents.domain import errors
from services.documents.domain.periods import Periods
from services.documents.domain.upload import FORMAT, Content, Document, Segment, State
from services.documents.inspection.finding import Finding
from services.runtime.database import Connection

_DOCUMENT = """
SELECT name, owner_body, media_type, size_bytes, sha256, state, rejection_reason, rejection_message, pages,
    created_at, retain_until
FROM documents.document WHERE state <> 'SWEEPING' AND
"""
# What belongs to a letter needs that letter's clearance, whoever asks.
_CLEARED = " AND NOT EXISTS (SELECT FROM documents.claim WHERE document = name AND classification > %s)"


def _document(row: Sequence[Any] | None) -> Document | None:
    if row is None:
        return None
    name, owner, media_type, size_bytes, sha256, state, *rest = row
    return Document(name, owner, Content(media_type, size_bytes, sha256), State(state), *rest)


# Uploading.


async def begin_upload(connection: Connection, caller_body: str, name: str, content: Content) -> Document:
    """The document of this id, made now if there is none; whose it is and what it holds is for the caller to compare.

    Raises DocumentIdReused while one of this id is being swept.
    """
    await connection.execute(
        "INSERT INTO documents.document (name, owner_body, media_type, size_bytes, sha256, format) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (name, caller_body, content.media_type, content.size_bytes, content.sha256, FORMAT),
    )
    found = _document(await (await connection.execute(_DOCUMENT + "name = %s", (name,))).fetchone())
    if found is None:
        raise errors.DocumentIdReused(document=name)
    return found


async def find_own(connection: Connection, caller_body: str, clearance: int, name: str) -> Document | None:
    """A document that `caller_body` uploaded."""
    query = _DOCUMENT + "name = %s AND owner_body = %s" + _CLEARED
    return _document(await (await connection.execute(query, (name, caller_body, clearance))).fetchone())


async def find_granted(
    connection: Connection, caller_body: str, clearance: int, name: str, sha256: bytes
) -> Document | None:
    """A document of any body with this digest, for `caller_body`, which shows a verified acceptance that lists it."""
    assert caller_body  # noqa: S101 - an acceptance was verified to be this body's
    query = _DOCUMENT + "name = %s AND sha256 = %s" + _CLEARED
    return _document(await (await connection.execute(query, (name, sha256, clearance))).fetchone())


async def find_any(connection: Connection, name: str) -> Document | None:
    """A document, for our own work on it; never for what a member is told."""
    return _document(await (await connection.execute(_DOCUMENT + "name = %s", (name,))).fetchone())


async def begin_segment(connection: Connection, document: str, number: int, size_bytes: int) -> int:
    """Notes that a segment will be stored; returns the attempt, which makes its key. Raises UploadOvertaken.

    The document's row is locked, so of two streams that hold the same place one is refused here or in store_segment.
    """
    async with connection.transaction():
        cursor = await connection.execute(
            "UPDATE documents.document SET changed_at = clock_timestamp() WHERE name = %s AND state = 'UPLOADING'",
            (document,),
        )
        if cursor.rowcount != 1 or await count_stored(connection, document) != number - 1:
            raise errors.UploadOvertaken(document=document)
        inserted = await connection.execute(
            "INSERT INTO documents.segment (document, number, size_bytes) VALUES (%s, %s, %s) RETURNING attempt",
            (document, number, size_bytes),
        )
        row = await inserted.fetchone()
        assert row is not None  # noqa: S101 - INSERT without a condition returns its row
        return int(row[0])


async def store_segment(connection: Connection, segment: Segment) -> None:
    """Notes that S3 acknowledged it: from here on it is safe. Raises UploadOvertaken when another stream was faster."""
    try:
        cursor = await connection.execute(
            "UPDATE documents.segment SET sha256 = %s, version = %s "
            "WHERE document = %s AND number = %s AND attempt = %s AND version IS NULL",
            (segment.sha256, segment.version, segment.document, segment.number, segment.attempt),
        )
    except psycopg.errors.UniqueViolation:
        raise errors.UploadOvertaken(document=segment.document) from None
    if cursor.rowcount != 1:  # swept meanwhile
        raise errors.UploadOvertaken(document=segment.document)


async def count_stored(connection: Connection, document: str) -> int:
    """How many segments are safe: always the first ones."""
    cursor = await connection.execute(
        "SELECT count(*) FROM documents.segment WHERE document = %s AND version IS NOT NULL", (document,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def stored_segments(connection: Connection, document: str) -> list[Segment]:
    """The segments that hold the bytes, in order."""
    async with connection.cursor(row_factory=class_row(Segment)) as cursor:
        await cursor.execute(
            "SELECT document, number, attempt, size_bytes, sha256, version FROM documents.segment "
            "WHERE document = %s AND version IS NOT NULL ORDER BY number",
            (document,),
        )
        return await cursor.fetchall()


async def finish_upload(connection: Connection, document: str) -> bool:
    """UPLOADING → INSPECTING if every byte is safe; whether it is in or past INSPECTING afterwards."""
    await connection.execute(
        "UPDATE documents.document AS d SET state = 'INSPECTING', changed_at = clock_timestamp() "
        "WHERE name = %s AND state = 'UPLOADING' AND size_bytes = "
        "(SELECT sum(size_bytes) FROM documents.segment WHERE document = d.name AND version IS NOT NULL)",
        (document,),
    )
    found = await find_any(connection, document)
    return found is not None and found.state is not State.UPLOADING


async def record_finding(connection: Connection, document: str, finding: Finding) -> None:
    """INSPECTING → READY or REJECTED; the first finding stands."""
    state = State.READY if finding.rejection is None else State.REJECTED
    await connection.execute(
        "UPDATE documents.document SET state = %s, rejection_reason = %s, rejection_message = %s, pages = %s, "
        "changed_at = clock_timestamp() WHERE name = %s AND state = 'INSPECTING'",
        (state, finding.rejection or "", finding.message, finding.pages, document),
    )


async def uninspected(connection: Connection, older_than_seconds: float, limit: int) -> list[tuple[str, str]]:
    """Documents that have been INSPECTING for at least this long, oldest first, each with its owner."""
    cursor = await connection.execute(
        "SELECT name, owner_body FROM documents.document WHERE state = 'INSPECTING' "
        "AND changed_at <= clock_timestamp() - %s * interval '1 second' ORDER BY changed_at LIMIT %s",
        (older_than_seconds, limit),
    )
    return await cursor.fetchall()


# Claims and retention.


async def lock_for_claim(connection: Connection, names: Sequence[str]) -> dict[str, tuple[Document, str | None]]:
    """Locks documents, in order of name, until the transaction ends; each with the letter that claims it, if any."""
    ordered = sorted(names)
    cursor = await connection.execute(_DOCUMENT + "name = ANY (%s) ORDER BY name FOR UPDATE", (ordered,))
    documents = [_document(row) for row in await cursor.fetchall()]
    # A statement of its own: it must see what was claimed while the locks were waited for.
    cursor = await connection.execute(
        "SELECT document, letter FROM documents.claim WHERE document = ANY (%s)", (ordered,)
    )
    claims = dict(await cursor.fetchall())
    return {d.name: (d, claims.get(d.name)) for d in documents if d is not None}


async def claim(connection: Connection, letter: str, classification: int, names: Sequence[str]) -> None:
    """Writes the claims, or that they were repeated; their documents are locked by lock_for_claim.

    The highest classification stands: a repetition that says less must not open what the letter registered.
    """
    # Changes the documents too: a sweep that chose one just before finds it changed, and looks at it anew.
    await connection.execute(
        "UPDATE documents.document SET changed_at = clock_timestamp() WHERE name = ANY (%s)", (list(names),)
    )
    await connection.execute(
        "INSERT INTO documents.claim AS claim (document, letter, classification) "
        "SELECT name, %s, %s FROM unnest(%s::text[]) AS name ORDER BY name "
        "ON CONFLICT (document) DO UPDATE SET claimed_at = clock_timestamp(), "
        "classification = greatest(claim.classification, excluded.classification)",
        (letter, classification, list(names)),
    )


async def find_claimed(connection: Connection, letter: str, document: str) -> Document:
    """A document that `letter` claims. Raises ClaimNotHeld."""
    query = _DOCUMENT + "name = (SELECT document FROM documents.claim WHERE document = %s AND letter = %s)"  # noqa: S608 - constants
    found = _document(await (await connection.execute(query, (document, letter))).fetchone())
    if found is None:
        raise errors.ClaimNotHeld(document=document, letter=letter)
    return found


async def note_retention(connection: Connection, document: str, retain_until: datetime) -> None:
    """Keeps what was read back; the later instant stands."""
    await connection.execute(
        "UPDATE documents.document SET retain_until = greatest(retain_until, %s), changed_at = clock_timestamp() "
        "WHERE name = %s",
        (retain_until, document),
    )


# Handover.


async def lock_handover(
    connection: Connection, caller_body: str, delivery: str, acceptance_sha256: bytes
) -> UUID | None:
    """The handover of a delivery to `caller_body`, made if there is none, locked; its statement's jti, if stated.

    Raises AcceptanceNotYours where the delivery was handed over to another body.
    """
    await connection.execute(
        "INSERT INTO documents.handover (delivery, acceptance_sha256, recipient_body) VALUES (%s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (delivery, acceptance_sha256, caller_body),
    )
    cursor = await connection.execute(
        "SELECT statement FROM documents.handover WHERE delivery = %s AND recipient_body = %s FOR UPDATE",
        (delivery, caller_body),
    )
    row = await cursor.fetchone()
    if row is None:
        raise errors.AcceptanceNotYours(caller=caller_body)
    statement: UUID | None = row[0]
    return statement


async def confirm(connection: Connection, delivery: str, document: str) -> set[str]:
    """Notes that a document came whole; all that are confirmed of this delivery. Its handover is locked."""
    await connection.execute(
        "INSERT INTO documents.confirmation (delivery, document) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (delivery, document),
    )
    cursor = await connection.execute("SELECT document FROM documents.confirmation WHERE delivery = %s", (delivery,))
    return {row[0] for row in await cursor.fetchall()}


async def note_handover(connection: Connection, delivery: str, statement: UUID) -> None:
    """Keeps which statement says that the delivery was handed over."""
    await connection.execute(
        "UPDATE documents.handover SET statement = %s WHERE delivery = %s AND statement IS NULL", (statement, delivery)
    )


# The sweep.


async def stale_claims(connection: Connection, periods: Periods, limit: int) -> list[tuple[str, str]]:
    """Claims (document, letter) whose letter was not seen registered in time; locked until the transaction ends.

    Their documents too; what ClaimDocuments holds is passed over, never waited for.
    """
    cursor = await connection.execute(
        "SELECT c.document, c.letter FROM documents.claim AS c JOIN documents.document AS d ON d.name = c.document "
        "WHERE NOT c.registered AND c.claimed_at <= clock_timestamp() - %s * interval '1 second' "
        "ORDER BY c.document LIMIT %s FOR UPDATE SKIP LOCKED",
        (periods.claim_seconds, limit),
    )
    return await cursor.fetchall()


async def settle_claim(connection: Connection, document: str, *, registered: bool) -> None:
    """Keeps a claim for good, or releases it."""
    if registered:
        await connection.execute("UPDATE documents.claim SET registered = true WHERE document = %s", (document,))
        return
    await connection.execute("DELETE FROM documents.claim WHERE document = %s", (document,))
    # Its period begins anew: the sender may send the letter after all.
    await connection.execute(
        "UPDATE documents.document SET changed_at = clock_timestamp() WHERE name = %s", (document,)
    )


async def begin_sweep(connection: Connection, periods: Periods, limit: int) -> list[str]:
    """Marks what is to be deleted: from here on it exists for nobody. Gives also what an earlier sweep left marked.

    At most `limit` of those that are READY and of those that are not: each is found by an index, however many are due.
    What was marked goes behind what is due, or what cannot be deleted would keep the rest.
    """
    cursor = await connection.execute(
        """
        WITH unfinished AS (
            SELECT name FROM documents.document AS d
            WHERE state <> 'READY'
                AND (state = 'SWEEPING'
                    OR state = 'UPLOADING' AND changed_at <= clock_timestamp() - %(upload)s * interval '1 second'
                    OR state = 'UPLOADING' AND changed_at <= clock_timestamp() - %(empty_upload)s * interval '1 second'
                        AND NOT EXISTS (SELECT FROM documents.segment WHERE document = d.name)
                    OR state = 'REJECTED' AND changed_at <= clock_timestamp() - %(rejected)s * interval '1 second')
                AND NOT EXISTS (SELECT FROM documents.claim WHERE document = d.name)
            ORDER BY changed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ), unclaimed AS (
            SELECT name FROM documents.document AS d
            WHERE state = 'READY' AND retain_until IS NULL
                AND changed_at <= clock_timestamp() - %(unclaimed)s * interval '1 second'
                AND NOT EXISTS (SELECT FROM documents.claim WHERE document = d.name)
            ORDER BY changed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        )
        UPDATE documents.document AS d SET state = 'SWEEPING', changed_at = clock_timestamp()
        FROM (SELECT name FROM unfinished UNION ALL SELECT name FROM unclaimed) AS due
        WHERE d.name = due.name RETURNING d.name
        """,
        {
            "upload": periods.upload_seconds,
            "empty_upload": periods.empty_upload_seconds,
            "rejected": periods.rejected_seconds,
            "unclaimed": periods.unclaimed_seconds,
            "limit": limit,
        },
    )
    return [row[0] for row in await cursor.fetchall()]


async def attempts_of(connection: Connection, document: str) -> list[tuple[int, int, str | None]]:
    """Every attempt (number, attempt, version where it was stored) to store a segment of a document."""
    cursor = await connection.execute(
        "SELECT number, attempt, version FROM documents.segment WHERE document = %s", (document,)
    )
    return await cursor.fetchall()


async def end_sweep(connection: Connection, document: str) -> None:
    """Forgets a document whose objects are deleted."""
    await connection.execute("DELETE FROM documents.document WHERE name = %s AND state = 'SWEEPING'", (document,))


async def abandoned_attempts(connection: Connection, periods: Periods, limit: int) -> list[tuple[str, int, int]]:
    """Attempts (document, number, attempt) that were never stored and are too old to be under way."""
    cursor = await connection.execute(
        "SELECT document, number, attempt FROM documents.segment WHERE version IS NULL "
        "AND began_at <= clock_timestamp() - %s * interval '1 second' ORDER BY began_at LIMIT %s",
        (periods.attempt_seconds, limit),
    )
    return await cursor.fetchall()


async def forget_attempt(connection: Connection, document: str, number: int, attempt: int) -> None:
    """Forgets an abandoned attempt whose objects are deleted."""
    await connection.execute(
        "DELETE FROM documents.segment WHERE document = %s AND number = %s AND attempt = %s AND version IS NULL",
        (document, number, attempt),
    )
