"""runtime.ledger as services use it."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from dabir.common.v1.statement_pb2 import StatementEvent
from dabir.formats.signer import FileSigner
from dabir.formats.statement import EVENT_FIELDS, Event, digest, parse_statement
from dabir.formats.strict_json import FormatError
from infra.local.pki import Pair
from services.runtime import ledger as runtime_ledger
from services.runtime.ledger import Ledger, LedgerError, OpenChains
from tests.conftest import Postgres
from tests.integration.ledger.raw import new_letter
from tests.integration.ledger.writer import FACTS, HUB, RECIPIENTS, SENDERS, consign, register, series

Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
def ledger(intake_seal: Pair) -> Ledger:
    return Ledger(hub=HUB, source="intake", signer=FileSigner(intake_seal.key, intake_seal.certificate))


@pytest.fixture
async def connection(fresh_postgres: Postgres) -> AsyncIterator[Connection]:
    with psycopg.connect(fresh_postgres.owner_url) as owner:
        owner.execute(FACTS)
    url = fresh_postgres.database_url("intake")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as opened:
        yield opened


async def close(chains: OpenChains, letter: str, **changes: Any) -> None:
    wanted: dict[str, Any] = {
        "event": Event.CLOSED,
        "subject": letter,
        "txn": letter,
        "chains": [letter],
        "fields": StatementEvent(),
        "sender_body": "bodies/interior",
        "recipient_body": None,
    }
    await chains.append(**{**wanted, **changes})


def test_the_database_and_the_formats_agree_on_who_states_what(postgres: Postgres) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        rows = owner.execute("SELECT uri, service, takes_number FROM ledger.event").fetchall()
    assert set(rows) == {(event.value, rule.source, bool(rule.book)) for event, rule in EVENT_FIELDS.items()}


async def test_a_committed_statement_is_read_back_and_another_is_not(connection: Connection, ledger: Ledger) -> None:
    stated = await register(connection, ledger, SENDERS[0])
    jti = stated.name.removeprefix("statements/")
    assert await runtime_ledger.read(connection, jti) == stated
    assert await runtime_ledger.read(connection, str(uuid.uuid4())) is None
    assert await runtime_ledger.head(connection, stated.subject) == (1, digest(stated.jws))
    assert await runtime_ledger.head(connection, new_letter()) is None


async def test_several_statements_of_one_transaction_follow_one_another(connection: Connection, ledger: Ledger) -> None:
    registered = await register(connection, ledger, SENDERS[0])
    letter, book = registered.subject, series(RECIPIENTS[0], "in")
    async with connection.transaction():
        chains = await ledger.open(connection, [letter, book])
        assert chains.head(letter) == (1, digest(registered.jws))
        assert chains.head(book.name) == (0, None)
        assert chains.number(book.name).sequence == 1
        await close(chains, letter)
        await close(chains, letter)
        assert chains.head(letter)[0] == 3


async def test_a_deliverys_chain_begins_with_its_letters_acceptance(connection: Connection, ledger: Ledger) -> None:
    registered = await register(connection, ledger, SENDERS[0])
    stated = await consign(connection, ledger, registered)
    for place, one in enumerate(stated, 1):
        links = next(iter(parse_statement(one.jws).events.values())).links
        assert [link.chain for link in links] == [f"{registered.subject}/deliveries/{place}", links[1].chain]
        assert links[0].previous == digest(registered.jws)


async def test_chains_are_opened_in_a_transaction_only(connection: Connection, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="inside a transaction"):
        await ledger.open(connection, [new_letter()])


async def test_a_chain_that_was_not_opened_takes_no_statement(connection: Connection, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="was not opened"):
        async with connection.transaction():
            await close(await ledger.open(connection, [new_letter()]), new_letter())


async def test_a_series_needs_its_calendar(connection: Connection, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="open it as a Series"):
        async with connection.transaction():
            await ledger.open(connection, ["books/interior/registry/out"])


async def test_what_an_event_may_not_carry_is_not_stated(connection: Connection, ledger: Ledger) -> None:
    letter = new_letter()
    with pytest.raises(FormatError, match="must not be given with this event"):
        async with connection.transaction():
            await close(await ledger.open(connection, [letter]), letter, fields=StatementEvent(channel="webhook"))
    assert await runtime_ledger.head(connection, letter) is None


async def test_another_services_event_is_refused_by_the_database(
    fresh_postgres: Postgres, connection: Connection, ledger: Ledger
) -> None:
    """Whatever the program signs: the role it connects as decides."""
    letter = new_letter()
    url = fresh_postgres.database_url("documents")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as documents:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="documents may not state"):
            async with documents.transaction():
                await close(await ledger.open(documents, [letter]), letter)
    assert await runtime_ledger.head(connection, letter) is None
