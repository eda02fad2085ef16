"""Links of bodies: which are down, paused, or sent to at a rate."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.notifications.domain.link import Link, LinkOrder
from services.runtime.database import Connection


@dataclass(frozen=True)
class DownLink:
    """A body whose endpoints are failing, or whose telling is paused."""

    body: str
    since: datetime
    waiting: int
    oldest: datetime | None
    paused_at: datetime | None


async def down(connection: Connection, *, after: str, limit: int) -> list[DownLink]:
    """By body."""
    query = """
        SELECT e.body, coalesce(min(e.failing_since), l.paused_at) AS since, count(DISTINCT n.id) AS waiting,
            min(n.occurred_at) AS oldest, l.paused_at
        FROM notifications.endpoint AS e
            LEFT JOIN notifications.link AS l ON l.body = e.body
            LEFT JOIN notifications.attempt AS a ON a.endpoint = e.id AND a.outcome IS NULL
            LEFT JOIN notifications.notification AS n ON n.id = a.notification
        WHERE (e.failing_since IS NOT NULL OR l.paused_at IS NOT NULL)
            AND e.ended_at IS NULL AND e.disabled_at IS NULL AND e.body > %s
        GROUP BY e.body, l.paused_at ORDER BY e.body LIMIT %s
        """
    async with connection.cursor(row_factory=class_row(DownLink)) as cursor:
        await cursor.execute(query, (after, limit))
        return await cursor.fetchall()


async def has_endpoint(connection: Connection, body: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM notifications.endpoint WHERE body = %s AND ended_at IS NULL)"
    row = await (await connection.execute(query, (body,))).fetchone()
    return bool(row and row[0])


async def find_order(connection: Connection, request_id: UUID) -> LinkOrder | None:
    query = "SELECT id, body, rate_per_minute FROM notifications.link_order WHERE id = %s"
    async with connection.cursor(row_factory=class_row(LinkOrder)) as cursor:
        await cursor.execute(query, (request_id,))
        return await cursor.fetchone()


async def lock(connection: Connection, body: str) -> Link:
    """A body's link until the transaction is over; made if there is none."""
    await connection.execute("INSERT INTO notifications.link (body) VALUES (%s) ON CONFLICT DO NOTHING", (body,))
    found = await _find(connection, body, "FOR UPDATE")
    assert found is not None  # noqa: S101 - it was made here or was there, and none is ever deleted
    return found


async def lock_rated(connection: Connection, body: str) -> Link | None:
    """The link, if there is a rate and no other process is sending by it just now."""
    return await _find(connection, body, "AND rate_per_minute IS NOT NULL FOR UPDATE SKIP LOCKED")


async def rated_bodies(connection: Connection) -> AbstractSet[str]:
    """Those that are sent to at a rate."""
    rows = await connection.execute("SELECT body FROM notifications.link WHERE rate_per_minute IS NOT NULL")
    return {row[0] for row in await rows.fetchall()}


async def insert_order(connection: Connection, order: LinkOrder) -> bool:
    """False if the id is taken."""
    query = """
        INSERT INTO notifications.link_order (id, body, rate_per_minute) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
        """
    return (await connection.execute(query, (order.id, order.body, order.rate_per_minute))).rowcount == 1


async def pause(connection: Connection, body: str) -> None:
    query = """
        UPDATE notifications.link SET paused_at = clock_timestamp(), rate_per_minute = NULL, counted_to = NULL
        WHERE body = %s
        """
    await connection.execute(query, (body,))


async def resume(
    connection: Connection, body: str, rate_per_minute: int | None, counted_to: datetime | None, claim_seconds: float
) -> None:
    """What waits is due at once, but for what may be under way, and what its recording has locked."""
    query = "UPDATE notifications.link SET paused_at = NULL, rate_per_minute = %s, counted_to = %s WHERE body = %s"
    await connection.execute(query, (rate_per_minute, counted_to, body))
    await connection.execute(
        """
        WITH waiting AS (
            SELECT a.notification, a.endpoint FROM notifications.attempt AS a
                JOIN notifications.endpoint AS e ON e.id = a.endpoint
            WHERE e.body = %s AND a.outcome IS NULL AND a.next_at > clock_timestamp() + %s * interval '1 second'
            FOR UPDATE OF a SKIP LOCKED
        )
        UPDATE notifications.attempt AS a SET next_at = clock_timestamp()
        FROM waiting WHERE a.notification = waiting.notification AND a.endpoint = waiting.endpoint
        """,
        (body, claim_seconds),
    )


async def count(connection: Connection, body: str, counted_to: datetime) -> None:
    """So much of the rate is used up; with nothing due any more the rate ends."""
    await connection.execute(
        """
        UPDATE notifications.link SET
            rate_per_minute = CASE WHEN due.more THEN rate_per_minute END,
            counted_to = CASE WHEN due.more THEN %s::timestamptz END
        FROM (
            SELECT EXISTS (
                SELECT FROM notifications.attempt AS a JOIN notifications.endpoint AS e ON e.id = a.endpoint
                WHERE e.body = %s AND a.outcome IS NULL AND a.next_at <= clock_timestamp()) AS more
        ) AS due
        WHERE body = %s
        """,
        (counted_to, body, body),
    )


async def _find(connection: Connection, body: str, which: str) -> Link | None:
    query = f"""
        SELECT body, paused_at, rate_per_minute, counted_to FROM notifications.link WHERE body = %s {which}
        """  # noqa: S608 - our own words
    async with connection.cursor(row_factory=class_row(Link)) as cursor:
        await cursor.execute(query, (body,))
        return await cursor.fetchone()
