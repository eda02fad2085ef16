"""An auditor's reading of a whole ledger: from the signed bytes, and only then from the tables beside them."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import psycopg
from cryptography import x509

from dabir.common.v1.statement_pb2 import StatementPayload
from dabir.formats.signer import certificate_sha256
from dabir.formats.statement import digest, read_statement, verify_statement

Place = tuple[int, int]
"""Year (0 where there is none) and sequence: the order of a chain."""
Chains = Mapping[str, Mapping[Place, tuple[str, StatementPayload]]]


def series_and_place(chain: str, sequence: int) -> tuple[str, Place]:
    """A book's chain goes on over its years; every other chain is its own series."""
    if not chain.startswith("books/"):
        return chain, (0, sequence)
    name, _, year = chain.rpartition("/")
    return name, (int(year), sequence)


def read(owner_url: str, *seals: x509.Certificate) -> Chains:
    """Verify every statement, and every chain: no gap, no fork, no repeat, each link to the one before it.

    `seals`: the certificate of every service that stated something. Returns the chains, each by place, with the compact
    JWS and its payload.
    """
    chains: dict[str, dict[Place, tuple[str, StatementPayload]]] = defaultdict(dict)
    with psycopg.connect(owner_url) as connection:
        # One moment of the ledger: services may be stating while it is read.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for (jws,) in connection.execute("SELECT jws FROM ledger.statement").fetchall():
            payload = _verified(jws, seals)
            for link in next(event for event in payload.events.values() if event.links).links:
                series, place = series_and_place(link.chain, link.sequence)
                assert place not in chains[series], f"{link.chain} {link.sequence} is taken twice"
                chains[series][place] = (jws, payload)
        for series, statements in chains.items():
            _check_chain(series, statements, chains)
        _check_tables(connection, chains)
    return chains


@cache
def _verified(jws: str, seals: tuple[x509.Certificate, ...]) -> StatementPayload:
    """A ledger that is read again and again is verified once: the same bytes by the same seals say the same."""
    by_sha256 = {certificate_sha256(seal): seal for seal in seals}
    return verify_statement(jws, by_sha256[read_statement(jws).certificate_sha256])


def _previous(series: str, payload: StatementPayload) -> bytes:
    links = next(event for event in payload.events.values() if event.links).links
    return next(link.previous for link in links if series_and_place(link.chain, link.sequence)[0] == series)


def _check_chain(series: str, statements: Mapping[Place, tuple[str, StatementPayload]], chains: Chains) -> None:
    before, head, stated_at = (0, 0), b"", 0
    if "/deliveries/" in series:
        letter = series.partition("/deliveries/")[0]
        head = digest(chains[letter][(0, 1)][0])
    for place in sorted(statements):
        jws, payload = statements[place]
        year, sequence = place
        assert sequence == (before[1] + 1 if year == before[0] else 1), f"{series}: {place} follows {before}"
        assert _previous(series, payload) == head, f"{series}: {place} does not link to {before}"
        assert payload.iat >= stated_at, f"{series}: {place} is earlier than {before}"
        before, head, stated_at = place, digest(jws), payload.iat


def _check_tables(connection: psycopg.Connection[Any], chains: Chains) -> None:
    """Ends and links as the tables tell them, which services go by, are those of the signed bytes."""
    rows = connection.execute(
        "SELECT name, coalesce(year, 0), count, head FROM ledger.chain WHERE count > 0"
    ).fetchall()
    ends = {series: (*max(places), digest(places[max(places)][0])) for series, places in chains.items()}
    assert {name: (year, count, head) for name, year, count, head in rows} == ends
    links = connection.execute(
        "SELECT chain, link.sequence, jws FROM ledger.link JOIN ledger.statement ON id = statement"
    ).fetchall()
    told = {(*series_and_place(chain, sequence), jws) for chain, sequence, jws in links}
    assert told == {(series, place, jws) for series, places in chains.items() for place, (jws, _) in places.items()}
