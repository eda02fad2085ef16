"""SQL of evidence: positions, lists and cursors. Each function is one transaction's work on the connection given."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dabir.common.v1.statement_pb2 import Statement
from dabir.evidence.v1.evidence_pb2 import FollowedStatement
from services.runtime.database import Connection


@dataclass(frozen=True)
class Cursor:
    """Where a follower stands, and whether the lease asked about is in force."""

    position: int
    held: bool


async def has_unnumbered(connection: Connection) -> bool:
    """Whether a committed statement waits for its position. Takes no lock, so idle polling writes nothing."""
    cursor = await connection.execute("SELECT EXISTS (SELECT FROM ledger.statement WHERE position IS NULL)")
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def count_unnumbered(connection: Connection) -> int:
    """How many committed statements wait for their position."""
    row = await (await connection.execute("SELECT count(*) FROM ledger.statement WHERE position IS NULL")).fetchone()
    return 0 if row is None else int(row[0])


async def number_statements(connection: Connection, limit: int) -> int:
    """Give the next positions to at most `limit` committed statements, in the order of `ordinal`; returns how many.

    A chain's statements are committed in the order of their ordinals, so whatever is seen here is followed by nothing
    that should have come before it in its chain.
    """
    async with connection.transaction():
        row = await (await connection.execute("SELECT position FROM ledger.numbering FOR UPDATE")).fetchone()
        assert row is not None  # noqa: S101 - the schema makes this one row
        # A further statement, and so a further snapshot: in the same one, a sequencer that waited for the lock would
        # not see what the one before it numbered, and would number it again.
        cursor = await connection.execute(
            """
            WITH waiting AS (
                SELECT id, row_number() OVER (ORDER BY ordinal) AS place
                FROM ledger.statement WHERE position IS NULL ORDER BY ordinal LIMIT %(limit)s
            )
            UPDATE ledger.statement AS statement SET position = %(last)s + waiting.place
            FROM waiting WHERE statement.id = waiting.id
            """,
            {"limit": limit, "last": row[0]},
        )
        if cursor.rowcount:
            await connection.execute("UPDATE ledger.numbering SET position = position + %s", (cursor.rowcount,))
        return cursor.rowcount


_LIST_OF_TXN = """
SELECT id, position, subject, event, jws, salt FROM ledger.statement
WHERE position > %(after)s AND txn = %(txn)s AND %(caller_body)s IN (sender_body, recipient_body)
    AND classification <= %(clearance)s AND (subject = %(parent)s OR txn = %(parent)s)
ORDER BY position LIMIT %(limit)s
"""
# For each classification that the caller may see two walks along an index of the body's own, each no longer than the
# page. Rows are compared whole: by equality the planner takes the index of positions, and reads the whole ledger for a
# body, or a classification, that is rare.
_LIST_OF_BODY = """
SELECT id, position, subject, event, jws, salt FROM (
    SELECT found.position FROM generate_series(1, %(clearance)s) AS class (n) CROSS JOIN LATERAL (
        (SELECT position FROM ledger.statement
            WHERE position IS NOT NULL
                AND (sender_body, classification, position) > (%(caller_body)s, class.n, %(after)s)
                AND (sender_body, classification, position) <= (%(caller_body)s, class.n, %(last)s)
            ORDER BY sender_body, classification, position LIMIT %(limit)s)
        UNION ALL
        (SELECT position FROM ledger.statement
            WHERE position IS NOT NULL
                AND (recipient_body, classification, position) > (%(caller_body)s, class.n, %(after)s)
                AND (recipient_body, classification, position) <= (%(caller_body)s, class.n, %(last)s)
                AND sender_body IS DISTINCT FROM %(caller_body)s
            ORDER BY recipient_body, classification, position LIMIT %(limit)s)
    ) AS found ORDER BY found.position LIMIT %(limit)s
) AS page JOIN ledger.statement USING (position) ORDER BY position
"""
_LAST = 2**63 - 1
# Of a page's statements those before which no more than `bytes` stand: the bodies of the rest are not read at all. The
# size of a long one is known without reading it, of an ASCII text it is its length.
_WITHIN = """
SELECT id, position, subject, event, jws, salt FROM (
    SELECT *, sum(octet_length(jws)) OVER (ORDER BY position) - octet_length(jws) AS bytes_before FROM ({}) AS page
) AS measured WHERE bytes_before <= %(bytes)s ORDER BY position
"""
LIST_OF_TXN, LIST_OF_BODY = _WITHIN.format(_LIST_OF_TXN), _WITHIN.format(_LIST_OF_BODY)


async def list_statements(
    connection: Connection,
    caller_body: str,
    clearance: int,
    *,
    parent: str,
    txn: str,
    after: int,
    limit: int,
    room_bytes: int,
) -> list[Statement]:
    """Numbered statements after a position that `caller_body` is a party of and has the clearance for, by position.

    `parent` empty: all of them. Else those of `txn` (the letter or body `parent` belongs to) whose subject is `parent`,
    or all of them when `parent` is `txn`. At most `limit`, and none after the one that goes beyond `room_bytes`.
    """
    query = LIST_OF_TXN if parent else LIST_OF_BODY
    wanted = {"caller_body": caller_body, "clearance": clearance, "parent": parent, "txn": txn}
    wanted |= {"after": after, "last": _LAST, "limit": limit, "bytes": room_bytes}
    rows = await (await connection.execute(query, wanted)).fetchall()
    return [
        Statement(name=f"statements/{jti}", position=position, subject=subject, event=event, jws=jws, salt=salt)
        for jti, position, subject, event, jws, salt in rows
    ]


async def parties_after(connection: Connection, position: int, limit: int) -> list[tuple[int, str, str]]:
    """Of the next numbered statements: position, sender body and recipient body; a body is "" where there is none."""
    cursor = await connection.execute(
        "SELECT position, coalesce(sender_body, ''), coalesce(recipient_body, '') FROM ledger.statement "
        "WHERE position > %s ORDER BY position LIMIT %s",
        (position, limit),
    )
    return await cursor.fetchall()


async def lease(connection: Connection, follower: str, holder: str, token: UUID, lease_seconds: float) -> Cursor:
    """Give `holder` the follower's cursor under a new token, unless another holder's lease runs."""
    await connection.execute("INSERT INTO evidence.cursor (follower) VALUES (%s) ON CONFLICT DO NOTHING", (follower,))
    cursor = await connection.execute(
        """
        UPDATE evidence.cursor SET lease = %(token)s, holder = %(holder)s,
            lease_until = clock_timestamp() + %(seconds)s * interval '1 second'
        WHERE follower = %(follower)s
            AND (lease_until IS NULL OR lease_until <= clock_timestamp() OR holder = %(holder)s)
        RETURNING position
        """,
        {"token": token, "holder": holder, "seconds": lease_seconds, "follower": follower},
    )
    row = await cursor.fetchone()
    if row is not None:
        return Cursor(row[0], held=True)
    return await find_cursor(connection, follower, token)


async def find_cursor(connection: Connection, follower: str, token: UUID) -> Cursor:
    """Where a follower stands (0 before its first Follow), and whether `token` is the lease in force."""
    cursor = await connection.execute(
        "SELECT position, coalesce(lease = %s AND lease_until > clock_timestamp(), false) FROM evidence.cursor "
        "WHERE follower = %s",
        (token, follower),
    )
    row = await cursor.fetchone()
    return Cursor(0, held=False) if row is None else Cursor(row[0], held=row[1])


async def advance(
    connection: Connection, follower: str, token: UUID, *, start: int, end: int, refused: Sequence[tuple[int, str]]
) -> bool:
    """Move the cursor from `start` to `end` if it stands there under a lease in force, recording what was refused."""
    cursor = await connection.execute(
        "UPDATE evidence.cursor SET position = %s WHERE follower = %s AND lease = %s "
        "AND lease_until > clock_timestamp() AND position = %s",
        (end, follower, token, start),
    )
    if cursor.rowcount == 0:
        return False
    await connection.cursor().executemany(
        "INSERT INTO evidence.refusal (follower, position, reason) VALUES (%s, %s, %s)",
        [(follower, position, reason) for position, reason in refused],
    )
    return True


async def after_cursor(connection: Connection, position: int, limit: int) -> list[FollowedStatement]:
    """The numbered statements after a position, without content."""
    cursor = await connection.execute(
        "SELECT position, id, subject, txn, event, sequence FROM ledger.statement "
        "WHERE position > %s ORDER BY position LIMIT %s",
        (position, limit),
    )
    return [
        FollowedStatement(
            position=position, name=f"statements/{jti}", subject=subject, txn=txn, event=event, sequence=sequence
        )
        for position, jti, subject, txn, event, sequence in await cursor.fetchall()
    ]


async def last_position(connection: Connection) -> int:
    """The highest position given; 0 before the first."""
    row = await (await connection.execute("SELECT position FROM ledger.numbering")).fetchone()
    return 0 if row is None else int(row[0])


async def cursors(connection: Connection) -> list[tuple[str, int, int]]:
    """Of each follower: its name, its cursor, and how many statements it refused."""
    cursor = await connection.execute(
        "SELECT follower, position, (SELECT count(*) FROM evidence.refusal AS r WHERE r.follower = c.follower) "
        "FROM evidence.cursor AS c"
    )
    return [(follower, position, refusals) for follower, position, refusals in await cursor.fetchall()]
