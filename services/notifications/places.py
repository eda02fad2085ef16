"""How many tries may be under way: by endpoint, by body, by channel, and over all that fail."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from services.notifications.domain.endpoint import Endpoint

Keep = Callable[[asyncio.Future[Any]], None]
"""`Places.keep` of the endpoint at hand."""


class Places:
    """The tries that one process has under way.

    An endpoint has `per_endpoint` places, one while it is failing; all of a body's together have an eighth of their
    channel's; and all failing ones together have half of them, so that however many are dead, the others find room. So
    it is with the threads of look-ups, too: one that goes on after its try has ended keeps the place, as a failing one
    whatever else its endpoint does. But half of a channel's places are never theirs, however many began at once.
    """

    def __init__(self, per_endpoint: int) -> None:
        self._per_endpoint = per_endpoint
        self._held: dict[UUID, set[asyncio.Future[Any]]] = defaultdict(set)
        self._channel: dict[UUID, str] = {}
        self._body: dict[UUID, str] = {}
        self._failing: set[UUID] = set()

    def free(self, endpoint: Endpoint, at_once: int) -> int:
        """How many more may begin at this endpoint, whose channel has `at_once` places. At most 0: none."""
        of_channel = [one for one, channel in self._channel.items() if channel == endpoint.channel]
        of_body = [one for one in of_channel if self._body[one] == endpoint.body]
        half, left = max(1, at_once // 2), sum(len(self._left_behind(one)) for one in of_channel)
        taken = self._count(of_channel) - left + min(left, half)
        free = min(at_once - taken, max(1, at_once // 8) - self._count(of_body))
        if endpoint.failing_since is None:
            self._failing.discard(endpoint.id)
        else:
            self._failing.add(endpoint.id)
        if not self._fails(endpoint.id):
            return min(self._per_endpoint - self._count([endpoint.id]), free)
        failing = self._count([one for one in of_channel if self._fails(one)])
        return min(1 - self._count([endpoint.id]), half - failing, free)

    def take(self, endpoint: Endpoint, holder: asyncio.Future[Any]) -> None:
        """A try has begun; its place is free again when it ends."""
        self._held[endpoint.id].add(holder)
        self._channel[endpoint.id], self._body[endpoint.id] = endpoint.channel, endpoint.body
        holder.add_done_callback(lambda ended: self._leave(endpoint.id, ended))

    def keep(self, endpoint: Endpoint, lookup: asyncio.Future[Any]) -> None:
        """A try that fails leaves a look-up behind: a place of the failing ones, until it ends."""
        self.take(endpoint, lookup)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What is under way, without what tries have left behind."""
        return [holder for holders in self._held.values() for holder in holders if isinstance(holder, asyncio.Task)]

    def _left_behind(self, endpoint: UUID) -> list[asyncio.Future[Any]]:
        return [holder for holder in self._held.get(endpoint, ()) if not isinstance(holder, asyncio.Task)]

    def _fails(self, endpoint: UUID) -> bool:
        return endpoint in self._failing or bool(self._left_behind(endpoint))

    def _leave(self, endpoint: UUID, holder: asyncio.Future[Any]) -> None:
        self._held[endpoint].discard(holder)
        if not self._held[endpoint]:
            del self._held[endpoint], self._channel[endpoint], self._body[endpoint]
            self._failing.discard(endpoint)

    def _count(self, endpoints: list[UUID]) -> int:
        return sum(len(self._held.get(endpoint, ())) for endpoint in endpoints)
