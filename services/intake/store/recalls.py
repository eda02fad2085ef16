"""Recalls as signed: rows of `intake.recall`."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from services.intake.domain.model import Recall
from services.runtime.database import Connection

_COLUMNS = "letter, sha256, numbers, statement, asked_at"
# Of letters that a body sent or got into a mailbox.
_SEEN = """letter = ANY (%(letters)s) AND EXISTS (
    SELECT FROM intake.delivery AS d WHERE d.letter = intake.recall.letter AND (
        d.sender_body = %(caller_body)s OR (d.recipient_body = %(caller_body)s AND d.available_at IS NOT NULL)))"""


@dataclass(frozen=True)
class SignedRecall:
    """A recall with its bytes."""

    sha256: bytes
    recall: bytes
    signature: bytes
    statement: UUID


async def insert(connection: Connection, row: Recall, recall: bytes, signature: bytes) -> None:
    """A recall just stated, with its bytes."""
    await connection.execute(
        f"INSERT INTO intake.recall ({_COLUMNS}, recall, signature) VALUES (%s, %s, %s, %s, %s, %s, %s)",  # noqa: S608 - constants
        (row.letter, row.sha256, row.numbers, row.statement, row.asked_at, recall, signature),
    )


async def list_seen(connection: Connection, caller_body: str, letters: Collection[str]) -> list[Recall]:
    """The recalls of letters that `caller_body` sent or got, oldest first."""
    query = f"SELECT {_COLUMNS} FROM intake.recall WHERE {_SEEN} ORDER BY asked_at, sha256"  # noqa: S608 - constants
    async with connection.cursor(row_factory=class_row(Recall)) as cursor:
        await cursor.execute(query, {"letters": list(letters), "caller_body": caller_body})
        return await cursor.fetchall()


async def signed(connection: Connection, caller_body: str, letter: str) -> list[SignedRecall]:
    """The recalls of a letter that `caller_body` sent or got, with their bytes, oldest first."""
    query = f"SELECT sha256, recall, signature, statement FROM intake.recall WHERE {_SEEN} ORDER BY asked_at, sha256"  # noqa: S608 - constants
    cursor = await connection.execute(query, {"letters": [letter], "caller_body": caller_body})
    return [SignedRecall(bytes(row[0]), bytes(row[1]), bytes(row[2]), row[3]) for row in await cursor.fetchall()]


# For the hub's own and for whoever decides, in a transaction.


async def of_letter(connection: Connection, letter: str) -> list[Recall]:
    """The recalls of a letter, oldest first."""
    query = f"SELECT {_COLUMNS} FROM intake.recall WHERE letter = %s ORDER BY asked_at, sha256"  # noqa: S608 - constants
    async with connection.cursor(row_factory=class_row(Recall)) as cursor:
        await cursor.execute(query, (letter,))
        return await cursor.fetchall()
