"""Stopping a transaction inside PostgreSQL, without a word in the service's code: a trigger waits for the test.

A deferred trigger waits within COMMIT: when it may go on, the COMMIT goes through, whoever is still there to hear it.
An immediate one waits within the last statement before COMMIT: a dead client's transaction is then rolled back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import psycopg

from tests.waiting import eventually

_LOCK = 0x0DAB18
Where = Literal["before_commit", "in_commit"]
What = Literal["letter", "receipt", "mailbox", "end", "recall", "reading"]
HOLDS = f"""
CREATE TABLE public.test_hold (place text NOT NULL);
GRANT SELECT ON public.test_hold TO PUBLIC;
CREATE FUNCTION public.test_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.test_hold WHERE place = TG_NAME) THEN
        PERFORM pg_advisory_xact_lock({_LOCK});
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER letter_before_commit AFTER INSERT ON intake.delivery
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER letter_in_commit AFTER INSERT ON intake.delivery DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE TRIGGER receipt_before_commit AFTER INSERT ON intake.receipt
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER receipt_in_commit AFTER INSERT ON intake.receipt DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE TRIGGER mailbox_before_commit AFTER UPDATE OF available_at ON intake.delivery
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER mailbox_in_commit AFTER UPDATE ON intake.delivery DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.available_at IS NULL) EXECUTE FUNCTION public.test_wait();
CREATE TRIGGER end_before_commit AFTER UPDATE OF ended_by ON intake.delivery
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER end_in_commit AFTER UPDATE ON intake.delivery DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.ended_by IS NULL AND NEW.ended_by IS NOT NULL) EXECUTE FUNCTION public.test_wait();
CREATE TRIGGER recall_before_commit AFTER INSERT ON intake.recall
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER recall_in_commit AFTER INSERT ON intake.recall DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE TRIGGER reading_before_commit AFTER INSERT ON intake.reading
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
CREATE CONSTRAINT TRIGGER reading_in_commit AFTER INSERT ON intake.reading DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.test_wait();
"""  # noqa: S608 - a constant


class Held:
    """The test's own connection, which holds the lock."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @asynccontextmanager
    async def at(self, what: What | tuple[What, ...], where: Where) -> AsyncIterator[None]:
        """Within the block such a transaction waits; at its end it goes on, and the block ends when it is over."""
        self._connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        for one in (what,) if isinstance(what, str) else what:
            self._connection.execute("INSERT INTO public.test_hold VALUES (%s)", (f"{one}_{where}",))
        try:
            yield
        finally:
            self._connection.execute("DELETE FROM public.test_hold")
            waiting = self._waiting()
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
            await eventually("those that waited go on", lambda: not self._in_transaction(waiting))

    async def reached(self, count: int = 1) -> None:
        """Return when so many transactions wait."""
        await eventually(f"{count} wait", lambda: len(self._waiting()) >= count)

    def _waiting(self) -> list[int]:
        rows = self._connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", (_LOCK,)
        )
        return [row[0] for row in rows.fetchall()]

    def _in_transaction(self, pids: list[int]) -> bool:
        rows = self._connection.execute(
            "SELECT FROM pg_stat_activity WHERE pid = ANY (%s) AND xact_start IS NOT NULL", (pids,)
        )
        return bool(rows.fetchall())
