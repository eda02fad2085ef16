"""SQL of directory. Each function works on the connection given; transactions are the registry's."""

from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row, kwargs_row

from services.directory.domain import Body, BodyNotFound, Certificate, Office
from services.runtime.database import Connection

CERTIFICATES_MAX = 1000
"""How many GetCertificates answers with at most."""

_BODY: LiteralString = "SELECT name, display_name_fa, display_name_en, time_zone, calendar FROM directory.body "
_OFFICE: LiteralString = "SELECT name, display_name_fa, display_name_en, number_pattern FROM directory.office "
_CERTIFICATE: LiteralString = """SELECT sha256, owner, purpose, position, roles, der, issuers, root,
    not_before, not_after, added_at, revoked_at, revocation_reason FROM directory.certificate """


async def body(connection: Connection, name: str) -> Body:
    """Raises BodyNotFound. Bodies are never deleted: one that is found may be built on without a lock."""
    async with connection.cursor(row_factory=class_row(Body)) as cursor:
        await cursor.execute(_BODY + "WHERE name = %s", (name,))
        found = await cursor.fetchone()
    if found is None:
        raise BodyNotFound(body=name)
    return found


async def bodies(connection: Connection, after: str, limit: int) -> list[Body]:
    """By name, those after `after`."""
    async with connection.cursor(row_factory=class_row(Body)) as cursor:
        await cursor.execute(_BODY + "WHERE name > %s ORDER BY name LIMIT %s", (after, limit))
        return await cursor.fetchall()


async def offices(connection: Connection, body_name: str, after: str, limit: int) -> list[Office]:
    """By name, those after `after`, of a body, or of all with ""."""
    async with connection.cursor(row_factory=class_row(Office)) as cursor:
        await cursor.execute(
            _OFFICE + "WHERE name > %(after)s AND (%(body)s = '' OR body = %(body)s) ORDER BY name LIMIT %(limit)s",
            {"after": after, "body": body_name, "limit": limit},
        )
        return await cursor.fetchall()


async def offices_with_bodies(connection: Connection, names: list[str]) -> dict[str, tuple[Office, Body]]:
    """Those of `names` that exist, by name."""
    cursor = await connection.execute(
        """SELECT office.name, office.display_name_fa, office.display_name_en, office.number_pattern,
                  body.name, body.display_name_fa, body.display_name_en, body.time_zone, body.calendar
           FROM directory.office JOIN directory.body ON body.name = office.body WHERE office.name = ANY(%s)""",
        (names,),
    )
    return {row[0]: (Office(*row[:4]), Body(*row[4:])) for row in await cursor.fetchall()}


async def insert_body(connection: Connection, wanted: Body) -> Body:
    """The body as it is stored: `wanted`, or what had the name before."""
    await connection.execute(
        """INSERT INTO directory.body (name, display_name_fa, display_name_en, time_zone, calendar)
           VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (wanted.name, wanted.display_name_fa, wanted.display_name_en, wanted.time_zone, wanted.calendar),
    )
    return await body(connection, wanted.name)


async def insert_office(connection: Connection, wanted: Office) -> Office:
    """The office as it is stored: `wanted`, or what had the name before. Its body must exist."""
    await connection.execute(
        """INSERT INTO directory.office (name, display_name_fa, display_name_en, number_pattern, body)
           VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (wanted.name, wanted.display_name_fa, wanted.display_name_en, wanted.number_pattern, wanted.body),
    )
    async with connection.cursor(row_factory=class_row(Office)) as cursor:
        await cursor.execute(_OFFICE + "WHERE name = %s", (wanted.name,))
        (stored,) = await cursor.fetchall()
    return stored


async def certificate(connection: Connection, sha256: bytes) -> Certificate | None:
    """What is listed under a digest."""
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(_CERTIFICATE + "WHERE sha256 = %s", (sha256,))
        return await cursor.fetchone()


async def lock_certificate(connection: Connection, sha256: bytes) -> Certificate | None:
    """What is listed under a digest, until the transaction is over."""
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(_CERTIFICATE + "WHERE sha256 = %s FOR UPDATE", (sha256,))
        return await cursor.fetchone()


async def certificates(connection: Connection, owner: str) -> list[Certificate]:
    """An owner's, in the order they were added, at most CERTIFICATES_MAX."""
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(_CERTIFICATE + "WHERE owner = %s ORDER BY ordinal LIMIT %s", (owner, CERTIFICATES_MAX))
        return await cursor.fetchall()


async def insert_certificate(connection: Connection, wanted: Certificate, at: datetime | None) -> bool:
    """Whether it was not yet there. `at`: when it was stated, None where nothing is."""
    cursor = await connection.execute(
        """INSERT INTO directory.certificate
               (sha256, owner, purpose, position, roles, der, issuers, root, not_before, not_after, added_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp())) ON CONFLICT DO NOTHING""",
        (
            wanted.sha256,
            wanted.owner,
            wanted.purpose,
            wanted.position,
            list(wanted.roles),
            wanted.der,
            list(wanted.issuers),
            wanted.root,
            wanted.not_before,
            wanted.not_after,
            at,
        ),
    )
    return cursor.rowcount == 1


async def revoke_certificate(connection: Connection, sha256: bytes, reason: str, at: datetime | None) -> None:
    """`at`: when it was stated, None where nothing is."""
    await connection.execute(
        """UPDATE directory.certificate
           SET revoked_at = coalesce(%s, clock_timestamp()), revocation_reason = %s WHERE sha256 = %s""",
        (at, reason, sha256),
    )


def _read(**row: Any) -> Certificate:
    return Certificate(**row | {"roles": tuple(row["roles"]), "issuers": tuple(row["issuers"])})


_row = kwargs_row(_read)
