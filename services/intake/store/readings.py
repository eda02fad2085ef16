"""That persons read deliveries: rows of `intake.reading`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class Reading:
    """A reading that was stated."""

    request_sha256: bytes
    statement: UUID


async def find(connection: Connection, request_id: UUID) -> Reading | None:
    """A reading by its request id, whoever's: its digest says whether it is the same request."""
    cursor = await connection.execute(
        "SELECT request_sha256, statement FROM intake.reading WHERE request_id = %s", (request_id,)
    )
    row = await cursor.fetchone()
    return None if row is None else Reading(bytes(row[0]), row[1])


async def insert(connection: Connection, request_id: UUID, request_sha256: bytes, statement: UUID) -> bool:
    """A reading just stated; False when its request id stands for another by now."""
    cursor = await connection.execute(
        "INSERT INTO intake.reading (request_id, request_sha256, statement) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (request_id, request_sha256, statement),
    )
    return cursor.rowcount == 1
