"""Letters: rows of `intake.letter`."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.intake.domain.errors import LetterNotFound
from services.intake.domain.model import Letter
from services.runtime.database import Connection

_COLUMNS = ", ".join(field.name for field in dataclasses.fields(Letter))
# What a body sent or got: relations may name it. A delivery that was never available was not got.
_SENT_OR_GOT = """
SELECT l.name FROM intake.letter AS l
WHERE l.name = ANY (%(names)s) AND l.classification <= %(clearance)s AND (
    l.sender_body = %(caller_body)s OR EXISTS (
        SELECT FROM intake.delivery AS d
        WHERE d.letter = l.name AND d.recipient_body = %(caller_body)s AND d.available_at IS NOT NULL))
"""


async def request_sha256(connection: Connection, name: str) -> bytes | None:
    """The digest of the request that registered this id, whoever sent it; None where the id is free."""
    cursor = await connection.execute("SELECT request_sha256 FROM intake.letter WHERE name = %s", (name,))
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def insert(connection: Connection, letter: Letter, manifest: bytes, signatures: Sequence[bytes]) -> None:
    """A letter just stated, with its bytes."""
    values = dataclasses.asdict(letter) | {"manifest": manifest, "signatures": list(signatures)}
    places = ", ".join(f"%({name})s" for name in values)
    await connection.execute(f"INSERT INTO intake.letter ({', '.join(values)}) VALUES ({places})", values)  # noqa: S608 - our own column names


async def find(connection: Connection, caller_body: str, clearance: int, name: str) -> Letter | None:
    """A letter that `caller_body` sent."""
    return await _one(
        connection,
        f"SELECT {_COLUMNS} FROM intake.letter WHERE name = %s AND sender_body = %s AND classification <= %s",  # noqa: S608 - constants
        (name, caller_body, clearance),
    )


async def list_sent(
    connection: Connection,
    caller_body: str,
    clearance: int,
    *,
    office: str,
    state: str,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Letter]:
    """What `caller_body` sent, newest first, after (`registered_at`, name). Empty `office` or `state`: all."""
    query = f"""
        SELECT {_COLUMNS} FROM intake.letter
        WHERE sender_body = %(caller_body)s AND classification <= %(clearance)s
            AND (%(office)s = '' OR sender_office = %(office)s) AND (%(state)s = '' OR state = %(state)s)
            AND (%(at)s::timestamptz IS NULL OR (registered_at, name) < (%(at)s, %(name)s COLLATE "C"))
        ORDER BY registered_at DESC, name DESC LIMIT %(limit)s
        """  # noqa: S608 - constants
    at, name = after or (None, "")
    wanted = {"caller_body": caller_body, "clearance": clearance, "office": office, "state": state, "limit": limit}
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(query, wanted | {"at": at, "name": name})
        return await cursor.fetchall()


@dataclass(frozen=True)
class Content:
    """The signed bytes."""

    manifest: bytes
    signatures: list[bytes]


async def content(connection: Connection, caller_body: str, name: str) -> Content | None:
    """The manifest and signature files of a letter that `caller_body` sent or accepted."""
    cursor = await connection.execute(
        """
        SELECT manifest, signatures FROM intake.letter AS l
        WHERE name = %(name)s AND (sender_body = %(caller_body)s OR EXISTS (
            SELECT FROM intake.delivery AS d WHERE d.letter = l.name AND d.recipient_body = %(caller_body)s
                AND d.return_until IS NOT NULL))
        """,
        {"name": name, "caller_body": caller_body},
    )
    row = await cursor.fetchone()
    return None if row is None else Content(bytes(row[0]), [bytes(file) for file in row[1]])


async def sent_or_got(connection: Connection, caller_body: str, clearance: int, names: Collection[str]) -> set[str]:
    """Those of the letters that `caller_body` sent, or got into a mailbox."""
    wanted = {"names": list(names), "caller_body": caller_body, "clearance": clearance}
    return {row[0] for row in await (await connection.execute(_SENT_OR_GOT, wanted)).fetchall()}


# For the hub's own: no caller's body.


async def get(connection: Connection, name: str) -> Letter:
    """Any letter. Raises LetterNotFound."""
    letter = await _one(connection, f"SELECT {_COLUMNS} FROM intake.letter WHERE name = %s", (name,))  # noqa: S608 - constants
    if letter is None:
        raise LetterNotFound(letter=name)
    return letter


async def close(connection: Connection, name: str, at: datetime, *, unclaimed: bool) -> None:
    """Mark a letter closed, under its chain's lock."""
    await connection.execute(
        "UPDATE intake.letter SET state = 'CLOSED', closed_at = %s, unclaimed = %s WHERE name = %s AND state = 'OPEN'",
        (at, unclaimed, name),
    )


async def list_open(
    connection: Connection, after: tuple[datetime, str] | None, limit: int
) -> list[tuple[str, datetime, bool]]:
    """Names and `registered_at` of open letters, and whether a recall is still to withdraw a delivery; oldest first."""
    at, name = after or (None, "")
    cursor = await connection.execute(
        """
        SELECT name, registered_at, EXISTS (
            SELECT FROM intake.recall AS r JOIN intake.delivery AS d USING (letter)
            WHERE letter = intake.letter.name AND d.number = ANY (r.numbers) AND d.state IN ('CREATED', 'AVAILABLE'))
        FROM intake.letter
        WHERE state = 'OPEN' AND (%(at)s::timestamptz IS NULL OR (registered_at, name) > (%(at)s, %(name)s COLLATE "C"))
        ORDER BY registered_at, name LIMIT %(limit)s
        """,
        {"at": at, "name": name, "limit": limit},
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def clock(connection: Connection) -> datetime:
    """The hub's clock, for readings that decide nothing."""
    row = await (await connection.execute("SELECT ledger.clock()")).fetchone()
    assert row is not None  # noqa: S101 - a function without a FROM returns exactly one row
    at: datetime = row[0]
    return at


async def _one(connection: Connection, query: str, wanted: Sequence[object]) -> Letter | None:
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(query, wanted)
        return await cursor.fetchone()
