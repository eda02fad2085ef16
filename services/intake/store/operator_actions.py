"""What operators did: rows of `intake.operator_action`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class Recorded:
    """An action that was stated."""

    request_sha256: bytes
    statement: UUID


async def find(connection: Connection, request_id: UUID) -> Recorded | None:
    """An operator's action by its request id."""
    cursor = await connection.execute(
        "SELECT request_sha256, statement FROM intake.operator_action WHERE request_id = %s", (request_id,)
    )
    row = await cursor.fetchone()
    return None if row is None else Recorded(bytes(row[0]), row[1])


async def insert(connection: Connection, request_id: UUID, request_sha256: bytes, statement: UUID) -> bool:
    """An action just stated; False when its request id stands for another by now."""
    cursor = await connection.execute(
        "INSERT INTO intake.operator_action (request_id, request_sha256, statement) VALUES (%s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (request_id, request_sha256, statement),
    )
    return cursor.rowcount == 1
