"""Stating an event in the transaction of the fact: open the chains, sign, append.

    async with connection.transaction():
        open_chains = await ledger.open(connection, [letter, Series("books/b/o/out", "JALALI", "Asia/Tehran")])
        ...  # decide, and write the fact, by open_chains.now
        statement = await open_chains.append(event=..., subject=letter, ...)

Every chain of a transaction is opened in one call, after its other locks, and nothing is locked afterwards. A statement
may leave the process only after COMMIT returned or it was read back (`read`): until then it does not exist.
"""

import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import uuid_utils
from psycopg.pq import TransactionStatus

from dabir.common.v1.receipt_pb2 import BookNumber
from dabir.common.v1.statement_pb2 import Statement, StatementEvent, StatementLink, StatementPayload
from dabir.formats.calendar import Calendar, year_of
from dabir.formats.names import split_statement
from dabir.formats.signer import Signer
from dabir.formats.statement import POLICY, Event, digest, sign_statement
from services.runtime.database import Connection

_APPEND = (
    "SELECT ledger.append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::integer[], %s::bigint[], %s::bytea[], "
    "%s::smallint, %s::text[])"
)


class LedgerError(RuntimeError):
    """The ledger was used wrongly: a defect of the caller, never of a member's input."""


@dataclass(frozen=True)
class Series:
    """A book over all its years: what is locked to take a number."""

    name: str
    """`books/{body}/{office}/{out|in|out-confidential}`"""
    calendar: Calendar
    """Whose year the numbers are counted in."""
    time_zone: str
    """IANA name of the zone in which the year turns, e.g. `Asia/Tehran`."""


@dataclass(frozen=True)
class _End:
    """The end of a chain, as the next statement will find it."""

    link_name: str
    """The chain's name as links say it: a book's with its year."""
    year: int | None
    count: int
    """What `ledger.append` compares; of a book, in the year it last counted in."""
    next_sequence: int
    head: bytes | None


class Ledger:
    """States events in the name of one service, with its own seal. One per process."""

    def __init__(self, *, hub: str, source: str, signer: Signer) -> None:
        self.hub = hub
        self.source = source
        self.signer = signer

    async def open(self, connection: Connection, chains: Collection[str | Series]) -> "OpenChains":
        """Lock chains (`letters/…`, `letters/…/deliveries/…`, `bodies/…`) and series until the transaction ends.

        Raises psycopg.errors.LockNotAvailable when another holds one for longer than `lock_timeout`.
        """
        if connection.info.transaction_status is not TransactionStatus.INTRANS and connection.autocommit:
            raise LedgerError("chains are opened inside a transaction: without one they would be free again at once")
        series = {chain.name: chain for chain in chains if isinstance(chain, Series)}
        names = sorted({chain.name if isinstance(chain, Series) else chain for chain in chains})
        locked = await (await connection.execute("SELECT * FROM ledger.lock(%s)", (names,))).fetchall()
        # A statement of its own: in the locking one the clock would be read before the wait.
        row = await (await connection.execute("SELECT ledger.clock()")).fetchone()
        assert row is not None  # noqa: S101 - a function without a FROM returns exactly one row
        now = max([row[0], *(last_at for *_, last_at in locked if last_at is not None)])
        ends = {name: _end(name, series.get(name), now, year, count, head) for name, year, count, head, _ in locked}
        return OpenChains(self, connection, now, ends)


class OpenChains:
    """Chains locked by one transaction, and the one clock reading it goes by."""

    def __init__(self, ledger: Ledger, connection: Connection, now: datetime, ends: dict[str, _End]) -> None:
        self.now = now
        """UTC, microseconds; never before the last statement of any of these chains."""
        self._ledger = ledger
        self._connection = connection
        self._ends = ends

    def number(self, series_name: str) -> BookNumber:
        """The number that the next statement in this series takes."""
        end = self._end(series_name)
        if end.year is None:
            raise LedgerError(f"{series_name} was not opened as a Series")
        return BookNumber(book=end.link_name, sequence=end.next_sequence)

    def head(self, chain: str) -> tuple[int, bytes | None]:
        """Sequence (of a book: in this year) and digest of a chain's last statement; (0, None) before the first."""
        end = self._end(chain)
        return end.next_sequence - 1, end.head

    async def append(
        self,
        *,
        event: Event | Sequence[Event],
        subject: str,
        txn: str,
        chains: Sequence[str],
        fields: StatementEvent,
        sender_body: str | None,
        recipient_body: str | None,
        toe: datetime | None = None,
        assurance: str = "mtls",
        previous_of_new_chain: Mapping[str, bytes] | None = None,
        classification: int | None = None,
    ) -> Statement:
        """State an event: sign it and write it as the next of each of `chains`.

        `chains`, in the order of its links: the subject, then, if it takes a number, the series of the book.
        `fields`: what the event carries, without policy, source, assurance and links, which are set here; of several
        events the first carries it. `toe`: when it took effect, `now` when not given. `previous_of_new_chain`: for a
        delivery's first statement, the digest of its letter's SubmissionAcceptance. `classification`: of a letter, with
        its first statement; its later ones take it over, whoever states them. The statement's `position` is 0.
        Raises FormatError when the event may not carry `fields`, psycopg.errors.InsufficientPrivilege when this service
        may not state it.
        """
        events = [event] if isinstance(event, Event) else list(event)
        ends = [self._end(chain) for chain in chains]
        said = StatementEvent()
        said.CopyFrom(fields)
        said.policy, said.source, said.assurance = POLICY, self._ledger.source, assurance
        for chain, end in zip(chains, ends, strict=True):
            previous = end.head if end.head is not None else (previous_of_new_chain or {}).get(chain)
            said.links.append(StatementLink(chain=end.link_name, sequence=end.next_sequence, previous=previous or b""))
        jti = uuid_utils.uuid7()
        payload = StatementPayload(
            iss=self._ledger.hub,
            iat=int(self.now.timestamp()),
            toe=int((toe or self.now).timestamp()),
            jti=str(jti),
            sub=subject,
            txn=txn,
            events={uri.value: said if uri is events[0] else StatementEvent() for uri in events},
        )
        jws, salt = sign_statement(payload, self._ledger.signer), secrets.token_bytes(32)
        row = [uuid.UUID(str(jti)), [uri.value for uri in events], subject, txn, sender_body, recipient_body]
        expected = [list(chains), [end.year for end in ends], [end.count for end in ends], [end.head for end in ends]]
        await self._connection.execute(
            _APPEND, (*row, self.now, salt, jws, *expected, classification, list(self._ends))
        )
        for chain, end in zip(chains, ends, strict=True):
            taken = end.next_sequence
            self._ends[chain] = _End(end.link_name, end.year, taken, taken + 1, digest(jws))
        return Statement(name=f"statements/{jti}", subject=subject, event=events[0].value, jws=jws, salt=salt)

    def _end(self, chain: str) -> _End:
        try:
            return self._ends[chain]
        except KeyError:
            raise LedgerError(f"{chain} was not opened; open every chain of a transaction in one call") from None


def statement_id(statement: Statement) -> uuid.UUID:
    """The jti of a statement."""
    return uuid.UUID(split_statement(statement.name))


async def read(connection: Connection, jti: str) -> Statement | None:
    """A committed statement by its jti, or None: whether a COMMIT of unknown outcome went through."""
    columns, stated = "position, subject, event, jws, salt", uuid.UUID(jti)
    cursor = await connection.execute(f"SELECT {columns} FROM ledger.read(%s)", (stated,))  # noqa: S608 - a constant
    row = await cursor.fetchone()
    if row is None:
        return None
    position, subject, event, jws, salt = row
    name = f"statements/{stated}"
    return Statement(name=name, position=position or 0, subject=subject, event=event, jws=jws, salt=salt)


async def head(connection: Connection, chain: str) -> tuple[int, bytes] | None:
    """Sequence and digest of a chain's last committed statement (a book by its series), or None when it has none."""
    row = await (await connection.execute("SELECT count, head FROM ledger.head(%s)", (chain,))).fetchone()
    return None if row is None else (row[0], row[1])


def _end(name: str, series: Series | None, now: datetime, year: int | None, count: int, head: bytes | None) -> _End:
    if series is None:
        if name.startswith("books/"):
            raise LedgerError(f"{name} is a book's series: open it as a Series, whose calendar says the year")
        return _End(name, None, count, count + 1, head)
    this_year = year_of(now, series.calendar, series.time_zone)
    if year is not None and this_year < year:
        raise LedgerError(f"{name} already counts in {year}; by its calendar it is {this_year}: the setting is wrong")
    # At the year's turn the count begins again and the head stays, so that the years are one chain.
    next_sequence = count + 1 if this_year == year else 1
    return _End(f"{name}/{this_year}", this_year, count, next_sequence, head)
