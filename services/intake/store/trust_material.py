"""Certificates and CRLs that signatures were checked with: rows of `intake.trust_material`."""

from collections.abc import Mapping
from typing import Any

import psycopg

Connection = psycopg.AsyncConnection[Any]


async def keep(connection: Connection, material: Mapping[bytes, bytes]) -> None:
    """Keep certificates and CRLs, DER by SHA-256. A transaction of its own: nothing is locked under a chain's lock."""
    await connection.cursor().executemany(
        "INSERT INTO intake.trust_material (sha256, der) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        # In one order, so that two letters with the same chain cannot wait for each other.
        sorted(material.items()),
    )
