"""Tries: what is due, whose they are for a while, and how they end."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.notification import Notification
from services.notifications.domain.quiet import HELD
from services.notifications.store import endpoints, notifications
from services.runtime.database import Connection


@dataclass(frozen=True)
class Claimed:
    """A try that is ours for a while."""

    notification: Notification
    tries: int
    """This one included."""


async def due_endpoints(connection: Connection) -> list[Endpoint]:
    """Endpoints, ended ones too, for which something is due; not those that asked for a pause."""
    query = f"""
        SELECT {endpoints.COLUMNS} FROM notifications.endpoint AS e
        WHERE EXISTS (
                SELECT FROM notifications.attempt AS a
                WHERE a.endpoint = e.id AND a.outcome IS NULL AND a.next_at <= clock_timestamp())
            AND (e.not_before IS NULL OR e.not_before <= clock_timestamp() OR e.ended_at IS NOT NULL)
        """  # noqa: S608 - our own column names
    return await endpoints.select(connection, query, ())


async def hold(connection: Connection, endpoint: UUID, until: datetime) -> None:
    """What is due for one endpoint and may wait, waits until then."""
    await connection.execute(
        """
        WITH held AS (
            SELECT a.notification, a.endpoint FROM notifications.attempt AS a
                JOIN notifications.notification AS n ON n.id = a.notification
            WHERE a.endpoint = %s AND a.outcome IS NULL AND a.next_at <= clock_timestamp() AND n.priority = ANY (%s)
            FOR UPDATE OF a SKIP LOCKED
        )
        UPDATE notifications.attempt AS a SET next_at = %s
        FROM held WHERE a.notification = held.notification AND a.endpoint = held.endpoint
        """,
        (endpoint, list(HELD), until),
    )


async def claim(
    connection: Connection,
    endpoint: UUID,
    limit: int,
    claim_seconds: float,
    *,
    at_rate: bool,
    quiet: bool = False,
) -> list[Claimed]:
    """Takes what is longest due for one endpoint, passing over what another process is taking.

    In `quiet` hours nothing that may wait, though it came since `hold`. Nothing, while its link is paused; nor, for who
    did not ask the link (`at_rate`), while there is a rate.
    """
    query = f"""
        WITH due AS (
            SELECT notification, endpoint FROM notifications.attempt
            WHERE endpoint = %s AND outcome IS NULL AND next_at <= clock_timestamp()
                AND NOT EXISTS (
                    SELECT FROM notifications.link AS l JOIN notifications.endpoint AS e ON e.body = l.body
                    WHERE e.id = attempt.endpoint
                        AND (l.paused_at IS NOT NULL OR (l.rate_per_minute IS NOT NULL AND NOT %s)))
                AND NOT EXISTS (
                    SELECT FROM notifications.notification AS n
                    WHERE n.id = attempt.notification AND n.priority = ANY (%s))
            ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE notifications.attempt AS a
            SET tries = a.tries + 1, next_at = clock_timestamp() + %s * interval '1 second'
            FROM due WHERE a.notification = due.notification AND a.endpoint = due.endpoint
            RETURNING a.notification, a.tries
        )
        SELECT taken.tries, {notifications.COLUMNS}
        FROM taken JOIN notifications.notification AS n ON n.id = taken.notification
        """  # noqa: S608 - our own column names
    rows = await (
        await connection.execute(query, (endpoint, at_rate, list(HELD) if quiet else [], limit, claim_seconds))
    ).fetchall()
    return [Claimed(notifications.of_row(row[1:]), row[0]) for row in rows]


async def arrive(connection: Connection, notification: UUID, endpoint: UUID, result: str) -> None:
    """Whoever tried, and whatever was recorded meanwhile: what arrived has arrived."""
    await connection.execute(
        """
        UPDATE notifications.attempt SET outcome = 'DELIVERED', last_result = %s, ended_at = clock_timestamp()
        WHERE notification = %s AND endpoint = %s AND outcome IS DISTINCT FROM 'DELIVERED'
        """,
        (result, notification, endpoint),
    )


async def fail(connection: Connection, notification: UUID, endpoint: UUID, tries: int, result: str) -> None:
    """The end, unless another process has tried since or it is told from the beginning: then that counts."""
    await connection.execute(
        """
        UPDATE notifications.attempt SET outcome = 'FAILED', last_result = %s, ended_at = clock_timestamp()
        WHERE notification = %s AND endpoint = %s AND outcome IS NULL AND tries = %s
        """,
        (result, notification, endpoint, tries),
    )


async def try_later(
    connection: Connection, notification: UUID, endpoint: UUID, tries: int, seconds: float, result: str
) -> None:
    """Unless another process has tried since: then its outcome counts."""
    await connection.execute(
        """
        UPDATE notifications.attempt SET next_at = clock_timestamp() + %s * interval '1 second', last_result = %s
        WHERE notification = %s AND endpoint = %s AND outcome IS NULL AND tries = %s
        """,
        (seconds, result, notification, endpoint, tries),
    )
