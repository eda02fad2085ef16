"""Certificates and CRLs that signatures were checked with: rows of `intake.trust_material`."""

from collections.abc import Mapping

from services.runtime.database import Connection


async def keep(connection: Connection, material: Mapping[bytes, bytes]) -> None:
    """Keep certificates and CRLs, DER by SHA-256. A transaction of its own: nothing is locked under a chain's lock."""
    cursor = await connection.execute(
        "SELECT sha256 FROM intake.trust_material WHERE sha256 = ANY (%s)", (list(material),)
    )
    # Almost always all of them: a list of an authority may be large, and is not sent to the database again.
    kept = {bytes(row[0]) for row in await cursor.fetchall()}
    await connection.cursor().executemany(
        "INSERT INTO intake.trust_material (sha256, der) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        # In one order, so that two letters with the same chain cannot wait for each other.
        sorted((sha256, der) for sha256, der in material.items() if sha256 not in kept),
    )
