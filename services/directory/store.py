"""Directory's SQL. What changes a certificate states it in the same transaction."""

from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row, kwargs_row

from dabir.common.v1.statement_pb2 import StatementEvent, StatementParty
from dabir.formats.statement import Event
from services.directory.domain import Body, BodyNotFound, Certificate, CertificateUnknown, Office
from services.runtime.database import Pool
from services.runtime.ledger import Ledger, OpenChains

CERTIFICATES_MAX = 1000
"""How many GetCertificates answers with at most."""

_BODY: LiteralString = "SELECT name, display_name_fa, display_name_en, time_zone, calendar FROM directory.body "
_OFFICE: LiteralString = "SELECT name, display_name_fa, display_name_en, number_pattern FROM directory.office "
_CERTIFICATE: LiteralString = """SELECT sha256, owner, purpose, position, roles, der, issuers, root,
    not_before, not_after, added_at, revoked_at, revocation_reason FROM directory.certificate """


async def body(pool: Pool, name: str) -> Body:
    """Raises BodyNotFound."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Body)) as cursor:
        await cursor.execute(_BODY + "WHERE name = %s", (name,))
        found = await cursor.fetchone()
    if found is None:
        raise BodyNotFound(body=name)
    return found


async def bodies(pool: Pool, after: str, limit: int) -> list[Body]:
    """By name, those after `after`."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Body)) as cursor:
        await cursor.execute(_BODY + "WHERE name > %s ORDER BY name LIMIT %s", (after, limit))
        return await cursor.fetchall()


async def offices(pool: Pool, body_name: str, after: str, limit: int) -> list[Office]:
    """By name, those after `after`, of a body, or of all with ""."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Office)) as cursor:
        await cursor.execute(
            _OFFICE + "WHERE name > %(after)s AND (%(body)s = '' OR body = %(body)s) ORDER BY name LIMIT %(limit)s",
            {"after": after, "body": body_name, "limit": limit},
        )
        return await cursor.fetchall()


async def offices_with_bodies(pool: Pool, names: list[str]) -> dict[str, tuple[Office, Body]]:
    """Those of `names` that exist, by name."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """SELECT office.name, office.display_name_fa, office.display_name_en, office.number_pattern,
                      body.name, body.display_name_fa, body.display_name_en, body.time_zone, body.calendar
               FROM directory.office JOIN directory.body ON body.name = office.body WHERE office.name = ANY(%s)""",
            (names,),
        )
        rows = await cursor.fetchall()
    return {row[0]: (Office(*row[:4]), Body(*row[4:])) for row in rows}


async def create_body(pool: Pool, wanted: Body) -> Body:
    """The body as it is stored: `wanted`, or what had the name before."""
    async with pool.connection() as connection:
        await connection.execute(
            """INSERT INTO directory.body (name, display_name_fa, display_name_en, time_zone, calendar)
               VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
            (wanted.name, wanted.display_name_fa, wanted.display_name_en, wanted.time_zone, wanted.calendar),
        )
    return await body(pool, wanted.name)


async def create_office(pool: Pool, wanted: Office) -> Office:
    """The office as it is stored: `wanted`, or what had the name before. Raises BodyNotFound."""
    await body(pool, wanted.body)  # bodies are never deleted
    async with pool.connection() as connection:
        await connection.execute(
            """INSERT INTO directory.office (name, display_name_fa, display_name_en, number_pattern, body)
               VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
            (wanted.name, wanted.display_name_fa, wanted.display_name_en, wanted.number_pattern, wanted.body),
        )
        async with connection.cursor(row_factory=class_row(Office)) as cursor:
            await cursor.execute(_OFFICE + "WHERE name = %s", (wanted.name,))
            (stored,) = await cursor.fetchall()
    return stored


async def certificate(pool: Pool, sha256: bytes) -> Certificate | None:
    """What is listed under a digest."""
    async with pool.connection() as connection:
        return await _certificate(connection, sha256)


async def certificates(pool: Pool, owner: str) -> list[Certificate]:
    """An owner's, in the order they were added, at most CERTIFICATES_MAX. Raises BodyNotFound."""
    async with pool.connection() as connection, connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(_CERTIFICATE + "WHERE owner = %s ORDER BY ordinal LIMIT %s", (owner, CERTIFICATES_MAX))
        found = await cursor.fetchall()
    if not found and owner.startswith("bodies/"):
        await body(pool, owner)
    return found


async def add_certificate(pool: Pool, ledger: Ledger, wanted: Certificate) -> Certificate:
    """The certificate as it is stored: `wanted`, stated in its body's chain, or what was listed before.

    Raises BodyNotFound.
    """
    if wanted.owner.startswith("bodies/"):
        await body(pool, wanted.owner)  # bodies are never deleted
    async with pool.connection() as connection, connection.transaction():
        chains = None
        if wanted.owner.startswith("bodies/"):
            # Whoever adds to this body waits here; what it added is then seen below.
            chains = await ledger.open(connection, [wanted.owner])
        if await _insert(connection, wanted, chains) and chains is not None:
            await _state(chains, Event.CERTIFICATE_ADDED, wanted)
        stored = await _certificate(connection, wanted.sha256)
    if stored is None:
        raise CertificateUnknown(sha256=wanted.sha256.hex())
    return stored


async def _insert(connection: AsyncConnection, wanted: Certificate, chains: OpenChains | None) -> bool:
    """Whether it was not yet there."""
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
            chains.now if chains else None,
        ),
    )
    return cursor.rowcount == 1


async def revoke_certificate(pool: Pool, ledger: Ledger, sha256: bytes, reason: str) -> Certificate:
    """The certificate as it is stored, revoked now or before. Raises CertificateUnknown."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM directory.certificate WHERE sha256 = %s FOR UPDATE", (sha256,))
        found = await _certificate(connection, sha256)
        if found is None:
            raise CertificateUnknown(sha256=sha256.hex())
        if found.revoked_at is not None:
            return found
        chains = await ledger.open(connection, [found.owner]) if found.owner.startswith("bodies/") else None
        await connection.execute(
            """UPDATE directory.certificate
               SET revoked_at = coalesce(%s, clock_timestamp()), revocation_reason = %s WHERE sha256 = %s""",
            (chains.now if chains else None, reason, sha256),
        )
        if chains is not None:
            await _state(chains, Event.CERTIFICATE_REVOKED, found, reason)
        revoked = await _certificate(connection, sha256)
    return revoked or found


async def _state(chains: OpenChains, event: Event, about: Certificate, reason: str = "") -> None:
    party = StatementParty(body=about.owner, certificate_sha256=about.sha256)
    await chains.append(
        event=event,
        subject=about.owner,
        txn=about.owner,
        chains=[about.owner],
        fields=StatementEvent(parties=[party], reason=reason),
        sender_body=about.owner,
        recipient_body=None,
    )


async def _certificate(connection: AsyncConnection, sha256: bytes) -> Certificate | None:
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(_CERTIFICATE + "WHERE sha256 = %s", (sha256,))
        return await cursor.fetchone()


def _read(**row: Any) -> Certificate:
    return Certificate(**row | {"roles": tuple(row["roles"]), "issuers": tuple(row["issuers"])})


_row = kwargs_row(_read)
