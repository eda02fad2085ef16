"""What bodies are told, and what it came to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from services.notifications.domain.notification import Notification, Standing
from services.runtime.database import Connection

COLUMNS = "n.id, n.body, n.event_type, n.letter, n.delivery, n.sender_body, n.occurred_at, n.priority"
_FIELDS = ("id", "body", "event_type", "letter", "delivery", "sender_body", "occurred_at", "priority")
_STATE = """
    CASE WHEN n.outcome IS NOT NULL THEN n.outcome
         WHEN EXISTS (SELECT FROM notifications.attempt AS a WHERE a.notification = n.id) THEN 'WAITING'
         ELSE 'NOT_TOLD' END
    """


@dataclass(frozen=True)
class Told:
    """A notification as its body sees it."""

    notification: Notification
    created_at: datetime
    state: str
    statement: UUID | None


@dataclass(frozen=True)
class Attempt:
    """One notification at one endpoint."""

    notification: UUID
    endpoint: UUID
    outcome: str | None
    tries: int
    last_result: str | None
    next_at: datetime


@dataclass(frozen=True)
class Replay:
    """A notification told again on request."""

    id: UUID
    notification: UUID
    endpoint_count: int


async def insert(connection: Connection, new: Notification) -> int | None:
    """Stores it with an attempt for each endpoint to tell, and returns how many; None if the id is taken.

    Which clearance it needs the database looks up in the ledger (infra/schema/013): whoever notifies is not asked.
    """
    endpoints = await _wanting(connection, new)
    values = [getattr(new, field) for field in _FIELDS]
    cursor = await connection.execute(
        """
        INSERT INTO notifications.notification
            (id, body, event_type, letter, delivery, sender_body, occurred_at, priority, endpoint_count)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (*values, len(endpoints)),
    )
    if cursor.rowcount == 0:
        return None
    await connection.execute(
        "INSERT INTO notifications.attempt (notification, endpoint) SELECT %s, unnest(%s::uuid[])", (new.id, endpoints)
    )
    return len(endpoints)


async def find(connection: Connection, notification: UUID) -> tuple[Notification, int]:
    """A stored notification and how many endpoints it went to."""
    query = f"SELECT n.endpoint_count, {COLUMNS} FROM notifications.notification AS n WHERE n.id = %s"  # noqa: S608 - constants
    row = await (await connection.execute(query, (notification,))).fetchone()
    assert row is not None  # noqa: S101 - its id was just found taken, and none is ever deleted
    return of_row(row[1:]), row[0]


async def list_of_body(
    connection: Connection,
    caller_body: str,
    clearance: int,
    *,
    state: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Told]:
    """What `caller_body` was told, as far as `clearance` goes, newest first; those of `state` only, if given."""
    query = f"""
        SELECT n.created_at, {_STATE} AS state, n.statement, {COLUMNS} FROM notifications.notification AS n
        WHERE n.body = %s AND n.classification <= %s AND (%s::text IS NULL OR {_STATE} = %s)
            AND (%s::timestamptz IS NULL OR (n.created_at, n.id) < (%s, %s))
        ORDER BY n.created_at DESC, n.id DESC LIMIT %s
        """  # noqa: S608 - constants
    at, last = before or (None, None)
    cursor = await connection.execute(query, (caller_body, clearance, state, state, at, at, last, limit))
    return [Told(of_row(row[3:]), *row[:3]) for row in await cursor.fetchall()]


async def attempts_of(connection: Connection, caller_body: str, notifications: list[UUID]) -> list[Attempt]:
    """Of notifications of the caller's, by endpoint."""
    query = """
        SELECT a.notification, a.endpoint, a.outcome, a.tries, a.last_result, a.next_at
        FROM notifications.attempt AS a JOIN notifications.notification AS n ON n.id = a.notification
        WHERE a.notification = ANY (%s) AND n.body = %s ORDER BY a.endpoint
        """
    async with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        await cursor.execute(query, (notifications, caller_body))
        return await cursor.fetchall()


async def lock(connection: Connection, notification: UUID) -> None:
    """Outcomes of one notification's endpoints are recorded one after the other."""
    await connection.execute("SELECT FROM notifications.notification WHERE id = %s FOR UPDATE", (notification,))


async def lock_of_body(
    connection: Connection, caller_body: str, clearance: int, notification: UUID
) -> Notification | None:
    """A notification of the caller's that it has the clearance for, until the transaction is over."""
    query = f"""
        SELECT {COLUMNS} FROM notifications.notification AS n
        WHERE n.id = %s AND n.body = %s AND n.classification <= %s FOR UPDATE
        """  # noqa: S608 - constants
    row = await (await connection.execute(query, (notification, caller_body, clearance))).fetchone()
    return None if row is None else of_row(row)


async def standing(connection: Connection, notification: UUID) -> Standing:
    """An outcome that could not be stated is none yet: a later arrival is stated."""
    query = """
        SELECT CASE WHEN n.unstated_reason IS NULL THEN n.outcome END,
            coalesce(bool_or(a.outcome = 'DELIVERED'), false), count(*) FILTER (WHERE a.outcome IS NULL)
        FROM notifications.notification AS n JOIN notifications.attempt AS a ON a.notification = n.id
        WHERE n.id = %s GROUP BY n.id
        """
    row = await (await connection.execute(query, (notification,))).fetchone()
    assert row is not None  # noqa: S101 - whoever asks has just tried one of its attempts
    return Standing(*row)


async def decide(
    connection: Connection, notification: UUID, outcome: str, statement: UUID | None, unstated_reason: str | None
) -> None:
    """`unstated_reason`: why the statement is missing that should be there."""
    query = "UPDATE notifications.notification SET outcome = %s, statement = %s, unstated_reason = %s WHERE id = %s"
    await connection.execute(query, (outcome, statement, unstated_reason, notification))


# Replays.


async def find_replay(connection: Connection, request_id: UUID) -> Replay | None:
    query = "SELECT id, notification, endpoint_count FROM notifications.replay WHERE id = %s"
    async with connection.cursor(row_factory=class_row(Replay)) as cursor:
        await cursor.execute(query, (request_id,))
        return await cursor.fetchone()


async def replayable_in(
    connection: Connection, notification: UUID, *, pause_seconds: float, claim_seconds: float
) -> float:
    """In how many seconds it may be replayed: the pause after the last replay, and no try of it under way; else 0."""
    query = """
        SELECT extract(epoch FROM greatest(
            (SELECT max(created_at) + %s * interval '1 second' FROM notifications.replay WHERE notification = %s),
            (SELECT max(next_at) FROM notifications.attempt WHERE notification = %s AND outcome IS NULL AND tries > 0
                AND next_at <= clock_timestamp() + %s * interval '1 second')
        ) - clock_timestamp())::float
        """
    row = await (await connection.execute(query, (pause_seconds, notification, notification, claim_seconds))).fetchone()
    return max(0.0, row[0] or 0.0) if row else 0.0


async def replay(connection: Connection, request_id: UUID, notification: Notification) -> Replay:
    """Has it told to all endpoints that are to be told now; the replay that has the id if there is one.

    What ended begins again; what waits for a later try is tried now and goes on in its schedule. The notification is
    locked. With nobody to tell, nothing is stored.
    """
    wanting = await _wanting(connection, notification)
    made = Replay(request_id, notification.id, len(wanting))
    if not wanting:
        return made
    query = (
        "INSERT INTO notifications.replay (id, notification, endpoint_count) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    )
    inserted = await connection.execute(query, (request_id, notification.id, len(wanting)))
    if inserted.rowcount == 0:
        return await find_replay(connection, request_id) or made
    await connection.execute(
        """
        INSERT INTO notifications.attempt AS a (notification, endpoint) SELECT %s, unnest(%s::uuid[])
        ON CONFLICT (notification, endpoint)
        DO UPDATE SET tries = CASE WHEN a.outcome IS NULL THEN a.tries ELSE 0 END,
            next_at = clock_timestamp(), outcome = NULL, ended_at = NULL
        """,
        (notification.id, wanting),
    )
    return made


async def _wanting(connection: Connection, notification: Notification) -> list[UUID]:
    """Endpoints to tell: those that want it and have the clearance for its letter."""
    query = """
        SELECT e.id FROM notifications.endpoint AS e
        WHERE e.body = %s AND e.ended_at IS NULL AND e.disabled_at IS NULL
            AND (e.event_types = '{}' OR %s = ANY (e.event_types))
            AND e.clearance >= (SELECT ledger.classification_of(%s))
        """
    wanted = (notification.body, notification.event_type, notification.letter)
    return [row[0] for row in await (await connection.execute(query, wanted)).fetchall()]


def of_row(row: tuple[Any, ...]) -> Notification:
    """A notification of `COLUMNS`."""
    return Notification(**dict(zip(_FIELDS, row, strict=True)))
