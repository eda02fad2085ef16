"""SQL of notifications. Each function is part of one transaction on the connection given.

Locks are taken in this order: notification, attempt, endpoint; chains of the ledger last.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from services.notifications.domain import Endpoint, Notification, Standing

Connection = psycopg.AsyncConnection[Any]

_ENDPOINT = "id, body, url, event_types, secret, created_at, failing_since, ended_at"
_NOTIFICATION = "n.id, n.body, n.event_type, n.letter, n.delivery, n.sender_body, n.occurred_at"


@dataclass(frozen=True)
class DownLink:
    """A body whose endpoints are failing."""

    body: str
    since: datetime
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True)
class Claimed:
    """A try that is ours for a while."""

    notification: Notification
    tries: int
    """This one included."""


# Endpoints.


async def lock_body(connection: Connection, body: str) -> None:
    """Endpoints of a body are made one after the other, so that their number is right."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", (body,))


async def find_endpoint(connection: Connection, endpoint: UUID) -> Endpoint | None:
    """An endpoint by its id, whosever it is: only to judge whether an id is free, and for the webhooks themselves."""
    query = f"SELECT {_ENDPOINT} FROM notifications.endpoint WHERE id = %s"  # noqa: S608 - our own column names
    found = await _endpoints(connection, query, (endpoint,))
    return found[0] if found else None


async def count_endpoints(connection: Connection, caller_body: str) -> int:
    query = "SELECT count(*) FROM notifications.endpoint WHERE body = %s AND ended_at IS NULL"
    row = await (await connection.execute(query, (caller_body,))).fetchone()
    return int(row[0]) if row else 0


async def insert_endpoint(
    connection: Connection, caller_body: str, endpoint: UUID, url: str, event_types: Collection[str], secret: bytes
) -> Endpoint:
    """A new endpoint, as stored; the one that has the id if there is one meanwhile."""
    await connection.execute(
        """
        INSERT INTO notifications.endpoint (id, body, url, event_types, secret)
        VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (endpoint, caller_body, url, sorted(event_types), secret),
    )
    stored = await find_endpoint(connection, endpoint)
    assert stored is not None  # noqa: S101 - it was made here or was there, and none is ever deleted
    return stored


async def list_endpoints(connection: Connection, caller_body: str, *, after: UUID | None, limit: int) -> list[Endpoint]:
    """Those that have not ended, by id."""
    query = f"""
        SELECT {_ENDPOINT} FROM notifications.endpoint
        WHERE body = %s AND ended_at IS NULL AND (%s::uuid IS NULL OR id > %s) ORDER BY id LIMIT %s
        """  # noqa: S608 - our own column names
    return await _endpoints(connection, query, (caller_body, after, after, limit))


async def end_endpoint(connection: Connection, caller_body: str, endpoint: UUID, *, claim_seconds: float) -> bool:
    """Ends an endpoint of the caller's; False if it has none by this id. Repeating it changes nothing.

    What waits is ended when what may be under way now is over: its next try finds the endpoint ended.
    """
    await connection.execute(
        """
        UPDATE notifications.attempt SET next_at = least(next_at, clock_timestamp() + %s * interval '1 second')
        WHERE endpoint = %s AND outcome IS NULL
            AND endpoint IN (SELECT id FROM notifications.endpoint WHERE body = %s AND ended_at IS NULL)
        """,
        (claim_seconds, endpoint, caller_body),
    )
    query = """
        UPDATE notifications.endpoint SET ended_at = coalesce(ended_at, clock_timestamp()) WHERE id = %s AND body = %s
        """
    return (await connection.execute(query, (endpoint, caller_body))).rowcount == 1


# Notifications.


async def insert_notification(connection: Connection, new: Notification) -> int | None:
    """Stores it with an attempt for each endpoint that wants it, and returns how many; None if the id is taken."""
    query = """
        SELECT id FROM notifications.endpoint
        WHERE body = %s AND ended_at IS NULL AND (event_types = '{}' OR %s = ANY (event_types))
        """
    endpoints = [row[0] for row in await (await connection.execute(query, (new.body, new.event_type))).fetchall()]
    cursor = await connection.execute(
        """
        INSERT INTO notifications.notification
            (id, body, event_type, letter, delivery, sender_body, occurred_at, endpoint_count)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (
            new.id, new.body, new.event_type, new.letter, new.delivery, new.sender_body, new.occurred_at, len(endpoints)
        ),
    )  # fmt: skip
    if cursor.rowcount == 0:
        return None
    await connection.execute(
        "INSERT INTO notifications.attempt (notification, endpoint) SELECT %s, unnest(%s::uuid[])", (new.id, endpoints)
    )
    return len(endpoints)


async def find_notification(connection: Connection, notification: UUID) -> tuple[Notification, int]:
    """A stored notification and how many endpoints it went to."""
    query = f"SELECT n.endpoint_count, {_NOTIFICATION} FROM notifications.notification AS n WHERE n.id = %s"  # noqa: S608 - constants
    row = await (await connection.execute(query, (notification,))).fetchone()
    assert row is not None  # noqa: S101 - its id was just found taken, and none is ever deleted
    return _notification(row[1:]), row[0]


async def down_links(connection: Connection, limit: int) -> list[DownLink]:
    """Bodies with an endpoint that fails, by name."""
    query = """
        SELECT e.body, min(e.failing_since) AS since, count(DISTINCT n.id) AS waiting, min(n.occurred_at) AS oldest
        FROM notifications.endpoint AS e
            LEFT JOIN notifications.attempt AS a ON a.endpoint = e.id AND a.outcome IS NULL
            LEFT JOIN notifications.notification AS n ON n.id = a.notification
        WHERE e.failing_since IS NOT NULL AND e.ended_at IS NULL
        GROUP BY e.body ORDER BY e.body LIMIT %s
        """
    async with connection.cursor(row_factory=class_row(DownLink)) as cursor:
        await cursor.execute(query, (limit,))
        return await cursor.fetchall()


# Tries.


async def due_endpoints(connection: Connection) -> list[Endpoint]:
    """Endpoints, ended ones too, for which something is due."""
    query = f"""
        SELECT {_ENDPOINT} FROM notifications.endpoint AS e WHERE EXISTS (
            SELECT FROM notifications.attempt AS a
            WHERE a.endpoint = e.id AND a.outcome IS NULL AND a.next_at <= clock_timestamp())
        """  # noqa: S608 - our own column names
    return await _endpoints(connection, query, ())


async def claim(connection: Connection, endpoint: UUID, limit: int, claim_seconds: float) -> list[Claimed]:
    """Takes what is longest due for one endpoint, passing over what another process is taking."""
    query = f"""
        WITH due AS (
            SELECT notification, endpoint FROM notifications.attempt
            WHERE endpoint = %s AND outcome IS NULL AND next_at <= clock_timestamp()
            ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE notifications.attempt AS a
            SET tries = a.tries + 1, next_at = clock_timestamp() + %s * interval '1 second'
            FROM due WHERE a.notification = due.notification AND a.endpoint = due.endpoint
            RETURNING a.notification, a.tries
        )
        SELECT taken.tries, {_NOTIFICATION} FROM taken JOIN notifications.notification AS n ON n.id = taken.notification
        """  # noqa: S608 - our own column names
    rows = await (await connection.execute(query, (endpoint, limit, claim_seconds))).fetchall()
    return [Claimed(_notification(row[1:]), row[0]) for row in rows]


async def lock_notification(connection: Connection, notification: UUID) -> None:
    """Outcomes of one notification's endpoints are recorded one after the other."""
    await connection.execute("SELECT FROM notifications.notification WHERE id = %s FOR UPDATE", (notification,))


async def end_attempt(connection: Connection, notification: UUID, endpoint: UUID, outcome: str, result: str) -> None:
    await connection.execute(
        """
        UPDATE notifications.attempt SET outcome = %s, last_result = %s, ended_at = clock_timestamp()
        WHERE notification = %s AND endpoint = %s AND outcome IS NULL
        """,
        (outcome, result, notification, endpoint),
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


async def endpoint_answers(connection: Connection, endpoint: UUID) -> None:
    query = "UPDATE notifications.endpoint SET failing_since = NULL WHERE id = %s AND failing_since IS NOT NULL"
    await connection.execute(query, (endpoint,))


async def endpoint_fails(connection: Connection, endpoint: UUID, *, gone: bool) -> None:
    """Since when; `gone`: it said that it wants no more, and has ended."""
    query = """
        UPDATE notifications.endpoint SET failing_since = coalesce(failing_since, clock_timestamp()),
            ended_at = CASE WHEN %s THEN coalesce(ended_at, clock_timestamp()) ELSE ended_at END
        WHERE id = %s AND (failing_since IS NULL OR %s)
        """
    await connection.execute(query, (gone, endpoint, gone))


async def standing(connection: Connection, notification: UUID) -> Standing:
    query = """
        SELECT n.outcome, coalesce(bool_or(a.outcome = 'DELIVERED'), false), count(*) FILTER (WHERE a.outcome IS NULL)
        FROM notifications.notification AS n JOIN notifications.attempt AS a ON a.notification = n.id
        WHERE n.id = %s GROUP BY n.id
        """
    row = await (await connection.execute(query, (notification,))).fetchone()
    assert row is not None  # noqa: S101 - whoever asks has just tried one of its attempts
    return Standing(*row)


async def decide(connection: Connection, notification: UUID, outcome: str, statement: UUID | None) -> None:
    await connection.execute(
        "UPDATE notifications.notification SET outcome = %s, statement = %s WHERE id = %s AND outcome IS NULL",
        (outcome, statement, notification),
    )


async def _endpoints(connection: Connection, query: str, wanted: tuple[object, ...]) -> list[Endpoint]:
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(query, wanted)
        return await cursor.fetchall()


def _notification(row: tuple[Any, ...]) -> Notification:
    fields = ("id", "body", "event_type", "letter", "delivery", "sender_body", "occurred_at")
    return Notification(**dict(zip(fields, row, strict=True)))
