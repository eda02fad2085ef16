"""What was stated under a request's id: rows of `intake.operator_action` and of `intake.reading`."""

from typing import Literal
from uuid import UUID

from services.intake.domain.errors import RequestIdReused
from services.runtime.database import Connection

Table = Literal["operator_action", "reading"]


async def find(connection: Connection, table: Table, request_id: UUID, sha256: bytes) -> UUID | None:
    """The statement of this very request, whoever's. Raises RequestIdReused where the id stands for another."""
    cursor = await connection.execute(
        f"SELECT request_sha256, statement FROM intake.{table} WHERE request_id = %s",  # noqa: S608 - our own names
        (request_id,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    if bytes(row[0]) != sha256:
        raise RequestIdReused(request_id=request_id)
    statement: UUID = row[1]
    return statement


async def insert(connection: Connection, table: Table, request_id: UUID, sha256: bytes, statement: UUID) -> None:
    """A request just stated. Raises RequestIdReused where its id stands for another by now."""
    cursor = await connection.execute(
        f"INSERT INTO intake.{table} (request_id, request_sha256, statement) VALUES (%s, %s, %s) "  # noqa: S608 - our own names
        "ON CONFLICT DO NOTHING",
        (request_id, sha256, statement),
    )
    if cursor.rowcount == 0:
        raise RequestIdReused(request_id=request_id)
