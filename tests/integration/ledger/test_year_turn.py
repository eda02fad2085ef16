"""1 Farvardin 1406 (2027-03-20T20:30:00Z) with two replicas, by replacing the clock in a test's own database."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from dabir.common.v1.statement_pb2 import StatementEvent
from dabir.formats import names
from dabir.formats.events import Event
from dabir.formats.signer import FileSigner
from dabir.formats.statement import parse_statement
from infra.local.pki import Pair
from services.runtime.ledger import Ledger, LedgerError, Series
from tests.conftest import Postgres
from tests.integration.ledger import audit
from tests.integration.ledger.writer import FACTS, HUB, SENDERS, number_fields, register, series

TURN = datetime(2027, 3, 20, 20, 30, tzinfo=UTC)
LETTERS_OF_EACH = 60
OUT = series(SENDERS[0], "out")


@pytest.fixture
def ledger(intake_seal: Pair) -> Ledger:
    return Ledger(hub=HUB, source="intake", signer=FileSigner(intake_seal.key, intake_seal.certificate))


def set_clock(postgres: Postgres, body: str) -> None:
    with psycopg.connect(postgres.owner_url) as connection:
        connection.execute(
            f"CREATE OR REPLACE FUNCTION ledger.clock() RETURNS timestamptz LANGUAGE sql VOLATILE SECURITY DEFINER "
            f"SET search_path = pg_catalog, pg_temp AS $$ {body} $$".encode()
        )


def stop_clock(postgres: Postgres, instant: datetime) -> None:
    set_clock(postgres, f"SELECT '{instant.isoformat()}'::timestamptz")


async def test_the_year_turns_under_two_replicas(fresh_postgres: Postgres, ledger: Ledger) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
        connection.execute("CREATE SEQUENCE ledger.tick; ALTER SEQUENCE ledger.tick OWNER TO ledger")
    # Each reading is a millisecond later; a registration reads twice, so the turn falls in the middle of them all.
    before = timedelta(milliseconds=2 * LETTERS_OF_EACH)
    set_clock(
        fresh_postgres,
        f"SELECT '{(TURN - before).isoformat()}'::timestamptz + nextval('ledger.tick') * interval '1 millisecond'",
    )

    async def replica() -> None:
        url = fresh_postgres.database_url("intake")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for _ in range(LETTERS_OF_EACH):
                await register(connection, ledger, SENDERS[0])

    await asyncio.gather(replica(), replica())
    book = audit.read(fresh_postgres.owner_url, ledger.signer.certificate)[OUT.name]
    years = [year for year, _ in sorted(book)]
    assert years.count(1405) > LETTERS_OF_EACH / 2
    assert years.count(1406) > LETTERS_OF_EACH / 2
    assert len(years) == 2 * LETTERS_OF_EACH
    for (year, _), (_, payload) in book.items():
        registered_at = next(iter(payload.events.values())).registered_at.ToDatetime(UTC)
        assert (registered_at >= TURN) == (year == 1406), "number and registered_at are of one clock reading"


async def register_at(postgres: Postgres, ledger: Ledger, instant: datetime) -> tuple[str, int, datetime]:
    """Book, sequence and registered_at of a letter registered when the clock shows `instant`."""
    stop_clock(postgres, instant)
    url = postgres.database_url("intake")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        stated = await register(connection, ledger, SENDERS[0])
    event = next(iter(parse_statement(stated.jws).events.values()))
    return event.number.book, event.number.sequence, event.registered_at.ToDatetime(UTC)


async def test_a_clock_that_steps_back_neither_backdates_nor_reopens_a_year(
    fresh_postgres: Postgres, ledger: Ledger
) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
    second = timedelta(seconds=1)
    last, first = TURN - timedelta(microseconds=1), TURN + second
    assert await register_at(fresh_postgres, ledger, last) == (f"{OUT.name}/1405", 1, last)
    assert await register_at(fresh_postgres, ledger, first) == (f"{OUT.name}/1406", 1, first)
    assert await register_at(fresh_postgres, ledger, TURN - 3600 * second) == (f"{OUT.name}/1406", 2, first)
    assert await register_at(fresh_postgres, ledger, TURN + 2 * second) == (f"{OUT.name}/1406", 3, TURN + 2 * second)
    audit.read(fresh_postgres.owner_url, ledger.signer.certificate)


async def test_all_of_a_transaction_bears_one_reading_though_the_clock_stepped_back(
    fresh_postgres: Postgres, ledger: Ledger
) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
    stop_clock(fresh_postgres, TURN)
    url = fresh_postgres.database_url("intake")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        before, sent = (await register(connection, ledger, SENDERS[0])).subject, names.letter(str(uuid.uuid4()))
        stop_clock(fresh_postgres, TURN - timedelta(hours=1))
        async with connection.transaction():
            chains = await ledger.open(connection, [before, sent])
            assert chains.now == TURN
            for letter in (sent, before):
                await chains.append(
                    event=Event.CLOSED,
                    subject=letter,
                    txn=letter,
                    chains=[letter],
                    fields=StatementEvent(),
                    sender_body=names.body_of(SENDERS[0]),
                    recipient_body=None,
                )


async def test_the_year_is_of_the_offices_calendar_and_zone(fresh_postgres: Postgres, ledger: Ledger) -> None:
    stop_clock(fresh_postgres, datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    wanted = {
        Series("books/a-1/o-1/out", "GREGORIAN", "Europe/London"): "books/a-1/o-1/out/2026",
        Series("books/a-2/o-1/out", "GREGORIAN", "Asia/Tehran"): "books/a-2/o-1/out/2027",
        Series("books/a-3/o-1/out", "JALALI", "Asia/Tehran"): "books/a-3/o-1/out/1405",
    }
    url = fresh_postgres.database_url("intake")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection, connection.transaction():
        chains = await ledger.open(connection, list(wanted))
        assert {one: number_fields(chains, one).number.book for one in wanted} == wanted


async def test_a_calendar_that_would_lead_a_book_back_is_refused(fresh_postgres: Postgres, ledger: Ledger) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(FACTS)
    await register_at(fresh_postgres, ledger, TURN)
    url = fresh_postgres.database_url("intake")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        with pytest.raises(LedgerError, match="already counts in 1406; by its calendar it is 1405"):
            async with connection.transaction():
                await ledger.open(connection, [Series(OUT.name, "JALALI", "America/New_York")])
