"""Definitions ever offered: rows of `intake.definition`."""

from collections.abc import Collection

from services.intake.domain.definition import Definition
from services.runtime.database import Connection


async def keep(connection: Connection, offered: Collection[Definition]) -> list[tuple[str, bytes]]:
    """Keep what is offered for the first time; names and files of all that were ever offered."""
    await connection.cursor().executemany(
        "INSERT INTO intake.definition (name, sha256, file) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [(one.name, one.sha256, one.file) for one in sorted(offered, key=lambda one: one.name)],
    )
    cursor = await connection.execute("SELECT name, file FROM intake.definition ORDER BY name")
    return [(row[0], bytes(row[1])) for row in await cursor.fetchall()]


async def find(connection: Connection, name: str) -> bytes | None:
    """The file of a definition that was ever offered."""
    row = await (await connection.execute("SELECT file FROM intake.definition WHERE name = %s", (name,))).fetchone()
    return None if row is None else bytes(row[0])
