"""Feeds: the open streams of members, and the one reader of the ledger that wakes them.

The reader follows what is numbered and wakes the streams of the bodies concerned; each stream then reads its own next
page. So a slow reader costs one page of memory, and an idle one costs nothing.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, Gauge

from dabir.common.v1.statement_pb2 import Statement
from dabir.evidence.v1.evidence_pb2 import WatchStatementsResponse
from services.evidence import domain, store
from services.evidence.config import EvidenceConfig
from services.runtime import database
from services.runtime.database import Pool
from services.runtime.identity import Caller
from services.runtime.logs import log

_BATCH = 1000


class Feed:
    """All open streams of this process."""

    def __init__(self, pool: Pool, config: EvidenceConfig, registry: CollectorRegistry) -> None:
        self._pool, self._config = pool, config
        self._streams: defaultdict[str, set[Stream]] = defaultdict(set)
        self._is_watched = asyncio.Event()
        self.head = 0
        """What is numbered up to here, streams have been woken for."""
        self.is_ending = False
        self._open = Gauge("dabir_watch_streams", "Open streams of WatchStatements.", registry=registry)
        self._open.set_function(lambda: self._count)

    @property
    def _count(self) -> int:
        return sum(map(len, self._streams.values()))

    @contextmanager
    def stream(self, who: Caller) -> "Iterator[Stream]":
        """A stream of one caller, for as long as the context is open. Raises WatchStreamsOfBody, WatchStreamsFull."""
        of_body, limits = len(self._streams.get(who.body, ())), self._config
        domain.check_streams(
            of_body, self._count, limit_of_body=limits.watch_streams_per_body, limit=limits.watch_streams
        )
        stream = Stream(self, self._pool, self._config, who)
        self._streams[who.body].add(stream)
        self._is_watched.set()
        try:
            yield stream
        finally:
            self._streams[who.body].discard(stream)
            if not self._streams[who.body]:
                del self._streams[who.body]
            if not self._streams:
                self._is_watched.clear()

    async def taken(self, sending: Awaitable[None]) -> None:
        """Wait until a message is sent. Raises ReaderTooSlow."""
        seconds = self._config.watch_reader_seconds
        try:
            async with asyncio.timeout(seconds):
                await sending
        except TimeoutError:
            raise domain.ReaderTooSlow(seconds=f"{seconds:g}") from None

    def end(self) -> None:
        """Have every stream, and every one that comes, end with Stopping."""
        self.is_ending = True
        self._wake(self._streams)

    async def run(self) -> None:
        """Read until cancelled. A database that is away is waited for."""
        while True:
            await self._is_watched.wait()
            try:
                await self._begin()
                while self._streams:
                    if await self._read_on() < _BATCH:
                        await asyncio.sleep(self._config.watch_poll_ms / 1000)
            except database.AWAY as error:
                log.warning("feeds_wait_for_the_database", error=str(error))
                await asyncio.sleep(self._config.sequencer_retry_seconds)

    async def _begin(self) -> None:
        """From the ledger's end. What came since the reader last looked, every stream looks for by itself."""
        async with self._pool.connection() as connection:
            self.head = await store.last_position(connection)
        self._wake(self._streams)

    async def _read_on(self) -> int:
        """Wake whom the next statements concern; returns how many those were."""
        async with self._pool.connection() as connection:
            numbered = await store.parties_after(connection, self.head, _BATCH)
        if numbered:
            self.head = numbered[-1][0]
            self._wake({body for _, *parties in numbered for body in parties} & self._streams.keys())
        return len(numbered)

    def _wake(self, bodies: Iterable[str]) -> None:
        for body in bodies:
            for stream in self._streams[body]:
                stream.news.set()


class Stream:
    """One member's stream."""

    def __init__(self, feed: Feed, pool: Pool, config: EvidenceConfig, who: Caller) -> None:
        self._feed, self._pool, self._config, self._who = feed, pool, config, who
        self.news = asyncio.Event()

    async def messages(self, after: int, head: int) -> AsyncIterator[WatchStatementsResponse]:
        """What to send after a position, for ever; `head`: the last position given, read before. Raises Stopping."""
        position, say_at = after, 0.0
        while True:
            # In this order: what is numbered after the query sets `news` again, and what lies up to `head` it has seen.
            self.news.clear()
            head = max(head, self._feed.head)
            page = await self._page(position)
            for statement in page:
                self._check_running()
                position = statement.position
                yield WatchStatementsResponse(statement=statement, position=position)
            self._check_running()
            if domain.is_cut([len(one.jws) for one in page], self._config.watch_page):
                continue
            position = max(position, head)
            if time.monotonic() >= say_at:
                yield WatchStatementsResponse(position=position)
                say_at = time.monotonic() + self._config.watch_heartbeat_seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(say_at - time.monotonic()):
                    await self.news.wait()

    async def _page(self, after: int) -> list[Statement]:
        async with self._pool.connection() as connection:
            return await store.list_statements(
                connection,
                self._who.body,
                self._who.clearance,
                parent="",
                txn="",
                after=after,
                limit=self._config.watch_page,
                room_bytes=domain.PAGE_MAX_BYTES,
            )

    def _check_running(self) -> None:
        if self._feed.is_ending:
            raise domain.Stopping
