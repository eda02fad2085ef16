"""Receipts as signed: rows of `intake.receipt`."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection


@dataclass(frozen=True)
class Receipt:
    """A receipt that decided something."""

    receipt: bytes
    signature: bytes
    statement: UUID


async def insert(
    connection: Connection,
    delivery: str,
    sha256: bytes,
    receipt: bytes,
    signature: bytes,
    statement: UUID,
    at: datetime,
) -> None:
    """A receipt just stated."""
    await connection.execute(
        "INSERT INTO intake.receipt (delivery, sha256, receipt, signature, statement, received_at) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        (delivery, sha256, receipt, signature, statement, at),
    )


async def exists(connection: Connection, caller_body: str, delivery: str, sha256: bytes) -> bool:
    """Whether this receipt decided something about a delivery to `caller_body` before."""
    cursor = await connection.execute(
        "SELECT FROM intake.receipt AS r JOIN intake.delivery AS d ON d.name = r.delivery "
        "WHERE r.delivery = %s AND r.sha256 = %s AND d.recipient_body = %s",
        (delivery, sha256, caller_body),
    )
    return await cursor.fetchone() is not None


async def list_of(connection: Connection, caller_body: str, clearance: int, delivery: str) -> list[Receipt] | None:
    """The receipts of a delivery that `caller_body` sent or got, oldest first; None when it is not such a one."""
    cursor = await connection.execute(
        """
        SELECT r.receipt, r.signature, r.statement FROM intake.delivery AS d
        LEFT JOIN intake.receipt AS r ON r.delivery = d.name
        WHERE d.name = %(delivery)s AND d.classification <= %(clearance)s AND (
            d.sender_body = %(caller_body)s OR (d.recipient_body = %(caller_body)s AND d.available_at IS NOT NULL))
        ORDER BY r.received_at
        """,
        {"delivery": delivery, "clearance": clearance, "caller_body": caller_body},
    )
    rows = await cursor.fetchall()
    if not rows:
        return None
    return [Receipt(bytes(row[0]), bytes(row[1]), row[2]) for row in rows if row[2] is not None]
