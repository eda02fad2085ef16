"""Statements written with the ledger's SQL functions alone: what the database refuses, it refuses of any program."""

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

REGISTERED = "http://uri.etsi.org/19522/Event/SubmissionAcceptance"
AVAILABLE = "urn:dabir:event:available"
CLOSED = "urn:dabir:event:closed"
HANDOVER = "http://uri.etsi.org/19522/Event/ContentHandover"

SENDER, RECIPIENT = "bodies/interior", "bodies/bank"


def new_letter() -> str:
    return f"letters/{uuid.uuid4()}"


_APPEND = """
SELECT ledger.append(%(id)s, %(events)s, %(subject)s, %(txn)s, %(sender_body)s, %(recipient_body)s, %(stated_at)s,
    %(salt)s, %(jws)s, %(chains)s::text[], %(years)s::integer[], %(counts)s::bigint[], %(heads)s::bytea[])
"""


@dataclass
class Raw:
    """One statement's arguments for ledger.append; a test changes what it wants refused."""

    subject: str
    chains: list[str]
    years: list[int | None]
    counts: list[int]
    heads: list[bytes | None]
    stated_at: datetime
    events: list[str] = field(default_factory=lambda: [CLOSED])
    sender_body: str = SENDER
    recipient_body: str | None = None
    jws: str = field(default_factory=lambda: secrets.token_urlsafe(200))
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def append(self, connection: psycopg.Connection[Any]) -> int:
        """Returns the place in the subject's chain."""
        row = connection.execute(
            _APPEND, {**vars(self), "id": uuid.uuid4(), "txn": self.subject.partition("/deliveries/")[0]}
        ).fetchone()
        assert row is not None
        return int(row[0])


def lock(
    connection: psycopg.Connection[Any], chains: list[str], *, year: int = 1405, events: list[str] | None = None
) -> Raw:
    """Lock chains, read the clock, and prepare a right statement about the first of them."""
    rows = connection.execute("SELECT name, year, count, head, last_at FROM ledger.lock(%s)", (chains,)).fetchall()
    clock = connection.execute("SELECT ledger.clock()").fetchone()
    assert clock is not None
    ends = {row[0]: row[1:] for row in rows}
    return Raw(
        subject=chains[0],
        chains=chains,
        years=[year if name.startswith("books/") else None for name in chains],
        counts=[ends[name][1] for name in chains],
        heads=[ends[name][2] for name in chains],
        stated_at=max([clock[0], *(end[3] for end in ends.values() if end[3])]),
        events=events or [CLOSED],
    )
