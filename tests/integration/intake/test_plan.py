"""A plan that is read while its delivery is decided: it never claims a sequence whose fact it does not hold."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Member, to
from tests.contract.intake.people import Worker, consign
from tests.waiting import eventually

_LOCK = 0x0DAB19
_HEAD = "SELECT c.year, c.count, c.head FROM ledger.chain c WHERE c.name = p_chain AND c.count > 0"
_SLOW_HEAD = f"""
CREATE OR REPLACE FUNCTION ledger.head(p_chain text) RETURNS TABLE (year integer, count bigint, head bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock_shared({_LOCK});
    RETURN QUERY {_HEAD};
END $$;
"""
_WAITING = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {_LOCK} AND NOT granted"  # noqa: S608 - constants


@pytest.fixture
def ledger_head_waits(line: Line) -> Iterator[psycopg.Connection]:
    """Whoever reads the head of a chain waits while the connection given holds the lock."""
    (as_it_was,) = line.sql("SELECT pg_get_functiondef('ledger.head'::regproc)")[0]
    line.sql(_SLOW_HEAD)
    try:
        with psycopg.connect(line.postgres.owner_url, autocommit=True) as connection:
            yield connection
    finally:
        line.sql(as_it_was)


async def test_a_plan_holds_the_fact_of_its_sequence(
    ledger_head_waits: psycopg.Connection, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send(to("bank/registry"))
    await consign(worker, draft)
    ledger_head_waits.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    request = internal_pb.GetLetterPlanRequest(letter=draft.name, deliveries=[draft.delivery()])
    reading = asyncio.ensure_future(worker.GetLetterPlan(request, timeout=CALL_SECONDS))
    await eventually("the reader waits", lambda: line.sql(_WAITING) == [(1,)])
    await bank.accept(draft.delivery())
    ledger_head_waits.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    (plan,) = (await reading).plan.deliveries
    assert plan.sequence == 1 or plan.state == letters.DELIVERY_STATE_ACCEPTED


async def test_a_plan_holds_the_recall_and_the_end_of_its_letter(
    ledger_head_waits: psycopg.Connection, line: Line, interior: Member, worker: Worker
) -> None:
    draft = await interior.send(to("bank/registry"))
    ledger_head_waits.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    reading = asyncio.ensure_future(
        worker.GetLetterPlan(internal_pb.GetLetterPlanRequest(letter=draft.name), timeout=CALL_SECONDS)
    )
    await eventually("the reader waits", lambda: line.sql(_WAITING) == [(1,)])
    await interior.recall(draft)
    line.sql("UPDATE intake.letter SET state = 'CLOSED', closed_at = now() WHERE name = %s", draft.name)
    ledger_head_waits.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    plan = (await reading).plan
    assert plan.sequence == 2
    assert len(plan.recalls_sha256) == 1
    assert plan.deliveries[0].recall_pending
    assert plan.state == letters.LETTER_STATE_CLOSED
