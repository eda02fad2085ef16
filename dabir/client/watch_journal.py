"""How far our body's feed was read, where each chain ends, and the alarms: `journal/watch.sqlite`.

One transaction for each statement that was dealt with: a kill leaves it dealt with or not, and the hub gives again what
is not. So nothing is lost where the disk forgets the last of them.
"""

import contextlib
import dataclasses
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from dabir.client.chains import End
from dabir.client.errors import InputError

LEDGER_CUT = "LEDGER_CUT"
"""The reason of an alarm: the hub's ledger ends before what it gave us."""

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS cursor (
    only INTEGER PRIMARY KEY CHECK (only = 1), position INTEGER NOT NULL, judged INTEGER NOT NULL,
    clearance INTEGER NOT NULL
);
INSERT OR IGNORE INTO cursor VALUES (1, 0, 0, 0);
CREATE TABLE IF NOT EXISTS chain (
    name TEXT PRIMARY KEY, year INTEGER NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, first BLOB NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm (
    reason TEXT NOT NULL, chain TEXT NOT NULL, statement TEXT NOT NULL, sentence TEXT NOT NULL, jws TEXT NOT NULL,
    raised_at TEXT NOT NULL, settled_at TEXT, PRIMARY KEY (reason, chain, statement)
);
"""


@dataclass(frozen=True)
class Alarm:
    """What does not hold. `chain` is empty where it is no chain; `jws`: the statement that showed it, as evidence.

    `raised_at`: ISO 8601, UTC, once it is kept.
    """

    reason: str
    chain: str
    statement: str
    sentence: str
    jws: str
    raised_at: str = ""


class WatchJournal:
    """The file of one profile's journal. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._database = sqlite3.connect(folder / "watch.sqlite", isolation_level=None, timeout=30)
        self._database.executescript(_SCHEMA)
        self._add_positions()

    def __enter__(self) -> "WatchJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _add_positions(self) -> None:
        """To a journal of before positions were kept: no chain was followed further than all were."""
        with self._transaction():
            columns = [row[1] for row in self._database.execute("PRAGMA table_info(chain)")]
            if "position" not in columns:
                self._database.execute("ALTER TABLE chain ADD COLUMN position INTEGER NOT NULL DEFAULT 0")
                self._database.execute("UPDATE chain SET position = (SELECT judged FROM cursor)")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other watchers out. Raises InputError while there is one."""
        lock = os.open(self._folder / "watch.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            said = f"another process watches with the journal {self._folder}; end it, or name another journal"
            raise InputError("WATCHED_ALREADY", said) from None
        finally:
            os.close(lock)

    @property
    def position(self) -> int:
        """Of the last statement dealt with; 0 before the first."""
        return self._cursor("position")

    @property
    def judged(self) -> int:
        """The position up to which every chain that is judged was followed: behind `position` while the feed is read
        again from its beginning.
        """
        return self._cursor("judged")

    @property
    def clearance(self) -> int:
        """What the hub last said that our certificate is cleared for."""
        return self._cursor("clearance")

    def _cursor(self, column: str) -> int:
        return int(self._database.execute(f"SELECT {column} FROM cursor").fetchone()[0])  # noqa: S608 - a constant

    def end(self, chain: str) -> End | None:
        """Where a chain, or a book's series, ends."""
        query = "SELECT year, sequence, digest, first, position FROM chain WHERE name = ?"
        row = self._database.execute(query, (chain,)).fetchone()
        return End(*row) if row is not None else None

    def set_clearance(self, clearance: int) -> None:
        """A certificate that is cleared for more is shown more: the feed is then read again from its beginning, for the
        chains that were not followed. It is the hub that says so: what is remembered of the others is never given up.
        """
        with self._transaction():
            if clearance > self.clearance:
                self._database.execute("UPDATE cursor SET judged = 0")
            self._database.execute("UPDATE cursor SET clearance = ?", (clearance,))

    def dealt_with(self, position: int, ends: Mapping[str, End]) -> None:
        """Keeps that the statement was, and where its chains end from here on."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO chain (name, year, sequence, digest, first, position) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(name, *dataclasses.astuple(end)) for name, end in ends.items()],
            )
            self._database.execute(
                "UPDATE cursor SET position = max(position, ?1), judged = max(judged, ?1)", (position,)
            )

    def add_alarm(self, alarm: Alarm) -> bool:
        """Keeps an alarm; False where it is kept already. On the disk when this returns.

        A ledger that is cut is so at every look: that alarm opens again where it was settled.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (alarm.reason, alarm.chain, alarm.statement, alarm.sentence, alarm.jws, now)
        self._database.execute("PRAGMA synchronous = FULL")
        added = self._database.execute(_ADD_ALARM, (*row, LEDGER_CUT))
        self._database.execute("PRAGMA synchronous = NORMAL")
        return added.rowcount == 1

    def alarms(self) -> list[Alarm]:
        """Those that are not settled, oldest first."""
        return _alarms(self._database.execute(_UNSETTLED))

    def settle(self) -> list[Alarm]:
        """Settles those that are not, and gives them.

        Where the hub's ledger was cut, the position that we stand at is none of its: only the hub says positions, no
        seal does, and one that it made up would shut us out for ever. The feed is then read, and shown, from its
        beginning; what is remembered of every chain stays, and stands against it. Raises InputError while there is a
        watcher then: it would go on from where it is.
        """
        is_cut = any(alarm.reason == LEDGER_CUT for alarm in self.alarms())
        with self.alone() if is_cut else contextlib.nullcontext(), self._transaction():
            found = self.alarms()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            if is_cut:
                self._database.execute("UPDATE cursor SET position = 0, judged = 0")
            self._database.execute("UPDATE alarm SET settled_at = ? WHERE settled_at IS NULL", (now,))
        return found

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


_ADD_ALARM = """
INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, NULL)
ON CONFLICT (reason, chain, statement) DO UPDATE SET settled_at = NULL, raised_at = excluded.raised_at
    WHERE settled_at IS NOT NULL AND reason = ?
"""
_UNSETTLED = (
    "SELECT reason, chain, statement, sentence, jws, raised_at FROM alarm WHERE settled_at IS NULL ORDER BY rowid"
)


def _alarms(rows: Iterable[tuple[str, ...]]) -> list[Alarm]:
    return [Alarm(*row) for row in rows]
