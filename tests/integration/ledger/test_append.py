"""What the database itself refuses, whatever program asks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import errors, sql

from infra.local.postgres import ROLES
from tests.conftest import Postgres
from tests.integration.ledger import raw
from tests.integration.ledger.raw import lock, new_letter

BOOK = "books/interior/registry/out"
Connection = psycopg.Connection[Any]


@pytest.fixture
def intake(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.database_url("intake")) as connection:
        yield connection


@pytest.fixture
def owner(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.owner_url) as connection:
        yield connection


def head(connection: Connection, chain: str) -> tuple[int, bytes] | None:
    row = connection.execute("SELECT count, head FROM ledger.head(%s)", (chain,)).fetchone()
    return None if row is None else (row[0], row[1])


def test_a_chain_grows_by_one_and_is_known_only_after_its_first_statement(intake: Connection) -> None:
    letter = new_letter()
    lock(intake, [letter])
    intake.commit()
    assert head(intake, letter) is None
    for place in (1, 2, 3):
        assert lock(intake, [letter]).append(intake) == place
    intake.commit()
    assert (head(intake, letter) or (0,))[0] == 3


def test_what_is_rolled_back_was_never_stated(intake: Connection) -> None:
    letter = new_letter()
    lock(intake, [letter, BOOK], events=[raw.REGISTERED]).append(intake)
    intake.rollback()
    assert head(intake, letter) is None


def test_a_stale_head_or_count_is_refused(intake: Connection) -> None:
    letter = new_letter()
    first = lock(intake, [letter])
    first.append(intake)
    intake.commit()
    ends: list[tuple[int, bytes | None]] = [
        (0, None),
        (1, None),
        (1, b"x" * 32),
        (2, (head(intake, letter) or (0, b""))[1]),
    ]
    for count, last in ends:
        stale = lock(intake, [letter])
        stale.counts, stale.heads = [count], [last]
        with pytest.raises(errors.SerializationFailure, match="does not end as stated"):
            stale.append(intake)
        intake.rollback()


def test_a_chain_that_was_never_locked_is_refused(intake: Connection) -> None:
    statement = lock(intake, [new_letter()])
    statement.subject = new_letter()
    statement.chains = [statement.subject]
    with pytest.raises(errors.SerializationFailure, match="does not end as stated"):
        statement.append(intake)


@pytest.mark.parametrize(
    ("role", "event"),
    [
        ("documents", raw.CLOSED),
        ("intake", raw.HANDOVER),
        ("directory", raw.AVAILABLE),
        ("notifications", raw.HANDOVER),
    ],
)
def test_a_service_may_not_state_anothers_event(postgres: Postgres, role: str, event: str) -> None:
    with psycopg.connect(postgres.database_url(role)) as connection:
        statement = lock(connection, [new_letter()], events=[event])
        with pytest.raises(errors.InsufficientPrivilege, match=f"{role} may not state"):
            statement.append(connection)


def test_an_allowed_event_does_not_carry_another_one_through(intake: Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="intake may not state"):
        lock(intake, [new_letter()], events=[raw.CLOSED, raw.HANDOVER]).append(intake)


def test_a_statement_without_an_event_is_refused(intake: Connection) -> None:
    statement = lock(intake, [new_letter()])
    statement.events = []
    with pytest.raises(errors.InsufficientPrivilege):
        statement.append(intake)


def test_only_what_takes_a_number_joins_a_book(intake: Connection) -> None:
    for chains, event in (([new_letter(), BOOK], raw.CLOSED), ([new_letter()], raw.REGISTERED)):
        with pytest.raises(errors.InvalidParameterValue, match="a book if and only if it takes a number"):
            lock(intake, chains, events=[event]).append(intake)
        intake.rollback()


def test_a_statement_joins_its_subjects_chain(intake: Connection) -> None:
    statement = lock(intake, [new_letter()])
    statement.subject = new_letter()
    with pytest.raises(errors.InvalidParameterValue, match="joins its subject's chain"):
        statement.append(intake)


def test_a_time_ahead_of_the_clock_or_before_the_chains_last_is_refused(intake: Connection) -> None:
    letter = new_letter()
    lock(intake, [letter]).append(intake)
    ahead = lock(intake, [letter])
    ahead.stated_at += timedelta(minutes=1)
    with pytest.raises(errors.InvalidParameterValue, match="after the ledger's clock"):
        ahead.append(intake)
    intake.rollback()
    lock(intake, [letter]).append(intake)
    behind = lock(intake, [letter])
    behind.stated_at -= timedelta(minutes=1)
    with pytest.raises(errors.SerializationFailure, match="does not end as stated"):
        behind.append(intake)


def test_a_book_begins_again_with_the_year_and_never_goes_back(intake: Connection, owner: Connection) -> None:
    book = "books/interior/registry/in"
    ends = []
    for year in (1405, 1405, 1406, 1407):
        letter = new_letter()
        lock(intake, [letter, book], year=year, events=[raw.AVAILABLE]).append(intake)
        ends.append((head(intake, book) or (0,))[0])
    assert ends == [1, 2, 1, 1]
    with pytest.raises(errors.SerializationFailure, match="does not end as stated"):
        lock(intake, [new_letter(), book], year=1406, events=[raw.AVAILABLE]).append(intake)
    intake.rollback()


@pytest.mark.parametrize("name", ["letters/x", "bodies/", "books/a/b/out", "books/bank/main/out/1405", "x' OR 1=1"])
def test_a_chain_of_another_kind_of_name_is_refused(intake: Connection, name: str) -> None:
    with pytest.raises(errors.CheckViolation):
        lock(intake, [name])


def test_chains_are_locked_only_at_read_committed(intake: Connection) -> None:
    intake.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(errors.RaiseException, match="READ COMMITTED"):
        lock(intake, [new_letter()])


TABLES = [sql.Identifier("ledger", table) for table in ("statement", "link", "chain", "event", "numbering")]


@pytest.mark.parametrize("role", ROLES)
def test_no_service_may_change_or_delete(postgres: Postgres, role: str) -> None:
    with psycopg.connect(postgres.database_url(role), autocommit=True) as connection:
        changes: list[LiteralString | sql.Composed] = [
            "UPDATE ledger.statement SET jws = 'x'",
            "UPDATE ledger.statement SET sender_body = 'bodies/other'",
            "UPDATE ledger.chain SET head = NULL, count = 0, last_at = NULL",
            "UPDATE ledger.link SET sequence = sequence + 1",
            "INSERT INTO ledger.link SELECT 'letters/x', 1, id FROM ledger.statement",
            "UPDATE ledger.event SET service = 'documents'",
            *(sql.SQL("DELETE FROM {}").format(table) for table in TABLES),
            *(sql.SQL("TRUNCATE {}").format(table) for table in TABLES),
        ]
        for change in changes:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(change)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "evidence"])
def test_a_stating_service_reads_only_through_the_functions(postgres: Postgres, role: str) -> None:
    with psycopg.connect(postgres.database_url(role), autocommit=True) as connection:
        for table in TABLES:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT * FROM {}").format(table))
        assert connection.execute("SELECT * FROM ledger.head('bodies/nobody')").fetchall() == []


def test_evidence_may_not_state(postgres: Postgres) -> None:
    with psycopg.connect(postgres.database_url("evidence")) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            lock(connection, [new_letter()])


def test_the_public_may_do_nothing(postgres: Postgres, owner: Connection) -> None:
    owner.execute("DROP ROLE IF EXISTS stranger")
    owner.execute("CREATE ROLE stranger; GRANT USAGE ON SCHEMA ledger TO stranger; SET LOCAL ROLE stranger")
    for call in ("ledger.clock()", "ledger.head('bodies/x')", "ledger.lock(ARRAY['bodies/xx'])"):
        with pytest.raises(errors.InsufficientPrivilege), owner.transaction():
            owner.execute(f"SELECT {call}")
    owner.rollback()


def test_a_position_is_given_once_even_by_the_owner(intake: Connection, owner: Connection) -> None:
    letter = new_letter()
    lock(intake, [letter]).append(intake)
    intake.commit()
    give = "UPDATE ledger.statement SET position = %s WHERE subject = %s"
    owner.execute(give, (2**40, letter))
    for change, arguments in (
        (give, (2**40 + 1, letter)),
        (give, (None, letter)),
        ("DELETE FROM ledger.statement WHERE subject = %s", (letter,)),
        ("TRUNCATE ledger.statement CASCADE", ()),
        ("DELETE FROM ledger.link WHERE chain = %s", (letter,)),
        ("DELETE FROM ledger.chain WHERE name = %s", (letter,)),
    ):
        with pytest.raises(errors.IntegrityError, match="append only"), owner.transaction():
            owner.execute(change, arguments)
    owner.rollback()
