"""Deliveries: rows of `intake.delivery`. Whoever decides over one locks it first, several by name."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.intake.domain.model import Delivery, Letter
from services.runtime.database import Connection

_FIELDS = tuple(field.name for field in dataclasses.fields(Delivery))
_COLUMNS = ", ".join(_FIELDS)
# What a recipient may see: its own, once it lies in the mailbox, and only with the clearance.
_SEEN = "recipient_body = %(caller_body)s AND classification <= %(clearance)s AND available_at IS NOT NULL"


async def insert(connection: Connection, deliveries: Collection[Delivery]) -> None:
    """The deliveries of a letter just stated."""
    places = ", ".join("%s" for _ in _FIELDS)
    await connection.cursor().executemany(
        f"INSERT INTO intake.delivery ({_COLUMNS}) VALUES ({places})",  # noqa: S608 - our own column names
        [tuple(getattr(delivery, field) for field in _FIELDS) for delivery in deliveries],
    )


async def find(connection: Connection, caller_body: str, clearance: int, name: str) -> Delivery | None:
    """A delivery that came to `caller_body`."""
    query = f"SELECT {_COLUMNS} FROM intake.delivery WHERE name = %(name)s AND {_SEEN}"  # noqa: S608 - constants
    found = await _all(connection, query, {"name": name, "caller_body": caller_body, "clearance": clearance})
    return found[0] if found else None


async def list_got(
    connection: Connection,
    caller_body: str,
    clearance: int,
    *,
    office: str,
    state: str,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Delivery]:
    """What came to `caller_body`, newest first, after (`available_at`, name). Empty `office` or `state`: all."""
    at, name = after or (None, "")
    query = f"""
        SELECT {_COLUMNS} FROM intake.delivery WHERE {_SEEN}
            AND (%(office)s = '' OR recipient_office = %(office)s) AND (%(state)s = '' OR state = %(state)s)
            AND (%(at)s::timestamptz IS NULL OR (available_at, name) < (%(at)s, %(name)s COLLATE "C"))
        ORDER BY available_at DESC, name DESC LIMIT %(limit)s
        """  # noqa: S608 - constants
    wanted = {"caller_body": caller_body, "clearance": clearance, "office": office, "state": state, "limit": limit}
    return await _all(connection, query, wanted | {"at": at, "name": name})


async def list_sent(
    connection: Connection, caller_body: str, clearance: int, letter: str, *, after: int, limit: int
) -> list[Delivery]:
    """The deliveries of a letter that `caller_body` sent, by number, after a number."""
    return await _all(
        connection,
        f"""
        SELECT {_COLUMNS} FROM intake.delivery
        WHERE letter = %s AND sender_body = %s AND classification <= %s AND number > %s ORDER BY number LIMIT %s
        """,  # noqa: S608 - constants
        (letter, caller_body, clearance, after, limit),
    )


async def of_office(connection: Connection, caller_body: str, office: str, letters: Collection[str]) -> list[Delivery]:
    """The deliveries of these letters to one office of `caller_body`."""
    return await _all(connection, _OF_OFFICE, (list(letters), caller_body, office))


async def lock_of_office(
    connection: Connection, caller_body: str, office: str, letters: Collection[str]
) -> list[Delivery]:
    """As `of_office`, locked in the order of their names."""
    return await _all(connection, f"{_OF_OFFICE} ORDER BY name FOR UPDATE", (list(letters), caller_body, office))


_OF_OFFICE = (
    f"SELECT {_COLUMNS} FROM intake.delivery WHERE letter = ANY (%s) AND recipient_body = %s AND recipient_office = %s"  # noqa: S608 - constants
)


async def letters_of(connection: Connection, caller_body: str, letters: Collection[str]) -> dict[str, Letter]:
    """Letters that came to `caller_body`, by name, for their envelopes."""
    columns = ", ".join(f"l.{field.name}" for field in dataclasses.fields(Letter))
    query = f"""
        SELECT {columns} FROM intake.letter AS l WHERE l.name = ANY (%s) AND EXISTS (
            SELECT FROM intake.delivery AS d WHERE d.letter = l.name AND d.recipient_body = %s)
        """  # noqa: S608 - constants
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(query, (list(letters), caller_body))
        return {letter.name: letter for letter in await cursor.fetchall()}


# For whoever decides, in a transaction.


async def lock(connection: Connection, names: Collection[str]) -> list[Delivery]:
    """Deliveries locked in the order of their names; those that exist."""
    query = f"SELECT {_COLUMNS} FROM intake.delivery WHERE name = ANY (%s) ORDER BY name FOR UPDATE"  # noqa: S608 - constants
    return await _all(connection, query, (list(names),))


async def lock_of_letter(connection: Connection, letter: str) -> list[Delivery]:
    """All deliveries of a letter, locked in the order of their names."""
    query = f"SELECT {_COLUMNS} FROM intake.delivery WHERE letter = %s ORDER BY name FOR UPDATE"  # noqa: S608 - constants
    return await _all(connection, query, (letter,))


async def make_available(
    connection: Connection, name: str, at: datetime, *, book: str, sequence: int, number_text: str
) -> None:
    """CREATED → AVAILABLE, under its IN number."""
    await connection.execute(
        "UPDATE intake.delivery SET state = 'AVAILABLE', available_at = %s, book = %s, sequence = %s, number_text = %s "
        "WHERE name = %s AND state = 'CREATED'",
        (at, book, sequence, number_text, name),
    )


async def decide(
    connection: Connection,
    name: str,
    at: datetime,
    *,
    state: str,
    decision: UUID,
    reason: int | None,
    return_until: datetime | None,
) -> None:
    """AVAILABLE → ACCEPTED or REFUSED, with the statement that says so."""
    await connection.execute(
        "UPDATE intake.delivery SET state = %s, decided_at = %s, decision = %s, reason = %s, return_until = %s "
        "WHERE name = %s AND state = 'AVAILABLE'",
        (state, at, decision, reason, return_until, name),
    )


async def answer(connection: Connection, name: str, at: datetime, statement: UUID, letter: str) -> None:
    """ACCEPTED → ANSWERED, by a letter, with the statement that says so."""
    await connection.execute(
        "UPDATE intake.delivery SET state = 'ANSWERED', answered_at = %(at)s, answer = %(letter)s, ended_at = %(at)s, "
        "ended_by = %(statement)s WHERE name = %(name)s AND state = 'ACCEPTED'",
        {"name": name, "at": at, "statement": statement, "letter": letter},
    )


async def send_back(connection: Connection, name: str, at: datetime, statement: UUID, reason: int) -> None:
    """ACCEPTED → RETURNED, with the statement that says so."""
    await connection.execute(
        "UPDATE intake.delivery SET state = 'RETURNED', ended_at = %s, ended_by = %s, reason = %s "
        "WHERE name = %s AND state = 'ACCEPTED'",
        (at, statement, reason, name),
    )


async def withdraw(connection: Connection, name: str, at: datetime, statement: UUID) -> None:
    """CREATED, AVAILABLE or, by a granted recall, ACCEPTED → WITHDRAWN, with the statement that says so."""
    await connection.execute(
        "UPDATE intake.delivery SET state = 'WITHDRAWN', ended_at = %s, ended_by = %s "
        "WHERE name = %s AND state IN ('CREATED', 'AVAILABLE', 'ACCEPTED')",
        (at, statement, name),
    )


async def answer_recall(connection: Connection, name: str, at: datetime, statement: UUID, verdict: int) -> None:
    """The recipient granted or refused the recall of an accepted delivery, with the statement that says so."""
    await connection.execute(
        "UPDATE intake.delivery SET recall_answer = %s, recall_answered_at = %s, recall_answered_by = %s "
        "WHERE name = %s AND state = 'ACCEPTED' AND recall_answer IS NULL",
        (verdict, at, statement, name),
    )


async def read_first(connection: Connection, name: str, at: datetime, position: str) -> None:
    """A person read it. The first one stands."""
    await connection.execute(
        "UPDATE intake.delivery SET first_read_at = %s, first_read_by = %s WHERE name = %s AND first_read_at IS NULL",
        (at, position, name),
    )


async def flag_late_acceptance(connection: Connection, name: str) -> None:
    """Nothing was signed by the due."""
    await connection.execute("UPDATE intake.delivery SET late_acceptance = true WHERE name = %s", (name,))


async def flag_late_answer(connection: Connection, name: str) -> None:
    """No answer came by the due."""
    await connection.execute("UPDATE intake.delivery SET late_answer = true WHERE name = %s", (name,))


# For the hub's own: no caller's body.


async def of_letter(connection: Connection, letter: str, names: Collection[str] = ()) -> list[Delivery]:
    """The deliveries of a letter, or those named, by number."""
    query = f"""
        SELECT {_COLUMNS} FROM intake.delivery
        WHERE letter = %s AND (%s OR name = ANY (%s)) ORDER BY number
        """  # noqa: S608 - constants
    return await _all(connection, query, (letter, not names, list(names)))


async def sequences(connection: Connection, letter: str, names: Collection[str] = ()) -> dict[str, int]:
    """The sequence of the last statement in each delivery's chain, whoever stated it; absent where there is none.

    Of the deliveries that `of_letter` gives for the same arguments.
    """
    query = """
        SELECT d.name, h.count FROM intake.delivery AS d, LATERAL ledger.head(d.name) AS h
        WHERE d.letter = %s AND (%s OR d.name = ANY (%s))
        """
    cursor = await connection.execute(query, (letter, not names, list(names)))
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def _all(connection: Connection, query: str, wanted: Sequence[object] | Mapping[str, object]) -> list[Delivery]:
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(query, wanted)
        return await cursor.fetchall()
