"""Where bodies want to be told, and the secrets of it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.notifications.domain.endpoint import Endpoint, Target
from services.notifications.domain.quiet import QuietHours
from services.runtime.database import Connection

COLUMNS = """
    e.id, e.body, e.url, e.email_address, e.email_language, e.event_types, e.clearance, e.secret, e.created_at,
    e.quiet_start, e.quiet_end, e.quiet_zone, e.failing_since, e.disabled_at, e.disabled_reason, e.ended_at,
    ARRAY(
        SELECT r.replaced FROM notifications.secret_rotation AS r
        WHERE r.endpoint = e.id AND r.replaced_until > clock_timestamp() ORDER BY r.created_at DESC
    ) AS replaced_secrets
    """


@dataclass(frozen=True)
class Rotation:
    """A secret issued in another's place."""

    id: UUID
    endpoint: UUID
    secret: bytes
    replaced_until: datetime


async def lock_body(connection: Connection, body: str) -> None:
    """Endpoints of a body are made one after the other, so that their number is right."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", (body,))


async def find(connection: Connection, endpoint: UUID) -> Endpoint | None:
    """An endpoint by its id, whosever it is: only to judge whether an id is free."""
    query = f"SELECT {COLUMNS} FROM notifications.endpoint AS e WHERE e.id = %s"  # noqa: S608 - our own column names
    found = await select(connection, query, (endpoint,))
    return found[0] if found else None


async def lock(connection: Connection, caller_body: str, clearance: int, endpoint: UUID) -> Endpoint | None:
    """An endpoint of the caller's that has not ended and is not above its clearance, until the transaction is over."""
    query = f"""
        SELECT {COLUMNS} FROM notifications.endpoint AS e
        WHERE e.id = %s AND e.body = %s AND e.clearance <= %s AND e.ended_at IS NULL FOR UPDATE
        """  # noqa: S608 - our own column names
    found = await select(connection, query, (endpoint, caller_body, clearance))
    return found[0] if found else None


async def count(connection: Connection, caller_body: str) -> int:
    """Those of a body that have not ended."""
    query = "SELECT count(*) FROM notifications.endpoint WHERE body = %s AND ended_at IS NULL"
    row = await (await connection.execute(query, (caller_body,))).fetchone()
    return int(row[0]) if row else 0


async def made_lately(connection: Connection, caller_body: str) -> tuple[int, float]:
    """How many a body made within a day, ended ones too, and seconds until the first of them is older."""
    query = """
        SELECT count(*), coalesce(extract(epoch FROM min(created_at) + interval '1 day' - clock_timestamp()), 0)::float
        FROM notifications.endpoint WHERE body = %s AND created_at > clock_timestamp() - interval '1 day'
        """
    row = await (await connection.execute(query, (caller_body,))).fetchone()
    return (int(row[0]), float(row[1])) if row else (0, 0.0)


async def insert(
    connection: Connection,
    caller_body: str,
    clearance: int,
    endpoint: UUID,
    target: Target,
    event_types: Collection[str],
    secret: bytes,
) -> Endpoint:
    """A new endpoint, as stored; the one that has the id if there is one meanwhile."""
    await connection.execute(
        """
        INSERT INTO notifications.endpoint
            (id, body, clearance, url, email_address, email_language, event_types, secret)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (
            endpoint, caller_body, clearance, target.url, target.email_address, target.email_language,
            sorted(event_types), secret,
        ),
    )  # fmt: skip
    stored = await find(connection, endpoint)
    assert stored is not None  # noqa: S101 - it was made here or was there, and none is ever deleted
    return stored


async def list_of_body(
    connection: Connection, caller_body: str, clearance: int, *, after: UUID | None, limit: int
) -> list[Endpoint]:
    """Those that have not ended and are not above the caller's clearance, by id."""
    query = f"""
        SELECT {COLUMNS} FROM notifications.endpoint AS e
        WHERE e.body = %s AND e.clearance <= %s AND e.ended_at IS NULL AND (%s::uuid IS NULL OR e.id > %s)
        ORDER BY e.id LIMIT %s
        """  # noqa: S608 - our own column names
    return await select(connection, query, (caller_body, clearance, after, after, limit))


async def end(
    connection: Connection, caller_body: str, clearance: int, endpoint: UUID, *, claim_seconds: float
) -> bool:
    """Ends an endpoint of the caller's; False if it has none by this id that is not above its clearance.

    Repeating it changes nothing.
    """
    mine = "SELECT id FROM notifications.endpoint WHERE body = %s AND clearance <= %s AND ended_at IS NULL"
    await _end_waiting(connection, endpoint, claim_seconds, mine, (caller_body, clearance))
    query = """
        UPDATE notifications.endpoint SET ended_at = coalesce(ended_at, clock_timestamp())
        WHERE id = %s AND body = %s AND clearance <= %s
        """
    return (await connection.execute(query, (endpoint, caller_body, clearance))).rowcount == 1


async def enable(connection: Connection, endpoint: UUID) -> None:
    await connection.execute(
        """
        UPDATE notifications.endpoint
        SET disabled_at = NULL, disabled_reason = NULL, not_before = NULL,
            failing_since = CASE WHEN disabled_at IS NULL THEN failing_since END
        WHERE id = %s
        """,
        (endpoint,),
    )


async def disable(connection: Connection, endpoint: UUID, reason: str, *, claim_seconds: float) -> None:
    """It said that it wants no more. What else waits for it ends."""
    mine = "SELECT id FROM notifications.endpoint WHERE disabled_at IS NULL"
    await _end_waiting(connection, endpoint, claim_seconds, mine, ())
    query = """
        UPDATE notifications.endpoint SET disabled_at = clock_timestamp(), disabled_reason = %s
        WHERE id = %s AND disabled_at IS NULL
        """
    await connection.execute(query, (reason, endpoint))


async def set_quiet_hours(connection: Connection, endpoint: UUID, quiet: QuietHours | None) -> None:
    start, end, zone = (None, None, None) if quiet is None else (quiet.start, quiet.end, quiet.zone)
    query = "UPDATE notifications.endpoint SET quiet_start = %s, quiet_end = %s, quiet_zone = %s WHERE id = %s"
    await connection.execute(query, (start, end, zone, endpoint))


async def answers(connection: Connection, endpoint: UUID) -> None:
    """It is failing no more."""
    query = "UPDATE notifications.endpoint SET failing_since = NULL WHERE id = %s AND failing_since IS NOT NULL"
    await connection.execute(query, (endpoint,))


async def fails(connection: Connection, endpoint: UUID) -> None:
    """It is failing, from now on if it was not."""
    query = (
        "UPDATE notifications.endpoint SET failing_since = clock_timestamp() WHERE id = %s AND failing_since IS NULL"
    )
    await connection.execute(query, (endpoint,))


async def hold_back(connection: Connection, endpoint: UUID, seconds: float) -> None:
    """It asked to be left alone for so long."""
    query = """
        UPDATE notifications.endpoint
        SET not_before = greatest(not_before, clock_timestamp() + %s * interval '1 second') WHERE id = %s
        """
    await connection.execute(query, (seconds, endpoint))


# Secrets.


async def find_rotation(connection: Connection, request_id: UUID) -> Rotation | None:
    query = "SELECT id, endpoint, secret, replaced_until FROM notifications.secret_rotation WHERE id = %s"
    async with connection.cursor(row_factory=class_row(Rotation)) as cursor:
        await cursor.execute(query, (request_id,))
        return await cursor.fetchone()


async def rotate(
    connection: Connection, request_id: UUID, endpoint: UUID, secret: bytes, overlap_seconds: float
) -> Rotation:
    """Puts `secret` in the place of the endpoint's, which is locked; the rotation that has the id if there is one."""
    inserted = await connection.execute(
        """
        INSERT INTO notifications.secret_rotation (id, endpoint, secret, replaced, replaced_until)
        SELECT %s, id, %s, secret, clock_timestamp() + %s * interval '1 second'
        FROM notifications.endpoint WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (request_id, secret, overlap_seconds, endpoint),
    )
    if inserted.rowcount == 1:
        await connection.execute("UPDATE notifications.endpoint SET secret = %s WHERE id = %s", (secret, endpoint))
    stored = await find_rotation(connection, request_id)
    assert stored is not None  # noqa: S101 - it was made here or was there, and none is ever deleted
    return stored


async def select(connection: Connection, query: str, wanted: tuple[object, ...]) -> list[Endpoint]:
    """Endpoints of a query of `COLUMNS`."""
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(query, wanted)
        return await cursor.fetchall()


async def _end_waiting(
    connection: Connection, endpoint: UUID, claim_seconds: float, which: str, wanted: tuple[object, ...]
) -> None:
    """What waits is ended when what may be under way now is over: its next try finds the endpoint ended or disabled.

    What another transaction holds is passed over: two that were told 410 at once would wait for each other.
    """
    query = f"""
        WITH waiting AS (
            SELECT notification, endpoint FROM notifications.attempt
            WHERE endpoint = %s AND outcome IS NULL AND endpoint IN ({which}) FOR UPDATE SKIP LOCKED
        )
        UPDATE notifications.attempt AS a
        SET next_at = least(a.next_at, clock_timestamp() + %s * interval '1 second')
        FROM waiting WHERE a.notification = waiting.notification AND a.endpoint = waiting.endpoint
        """  # noqa: S608 - our own queries
    await connection.execute(query, (endpoint, *wanted, claim_seconds))
