"""A body's webhook receiver: a real HTTP server that notes what comes and answers as the test says."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Arrived:
    """One webhook, its signature checked by the specification's own library."""

    id: str
    said: dict[str, Any]
    body: bytes


@dataclass
class Receiver:
    """`answer` decides what the n-th webhook (from 1) gets: a status, or a response; it may take its time."""

    port: int = 0
    secret: str = ""
    arrived: list[Arrived] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    verify: bool = True
    """Against `secret`; a test that does not, does it itself, with `requests`."""
    tls: ssl.SSLContext | None = None
    under_way: int = 0
    most_under_way: int = 0
    answer: Callable[[int], Any] = lambda _count: 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.hosts.append(request.headers["host"])
        headers = {name.lower(): request.headers[name] for name in request.headers}
        self.requests.append((headers, body))
        if not self.verify:
            return web.Response()
        said = Webhook(self.secret).verify(body, headers)
        assert said == json.loads(body)
        self.arrived.append(Arrived(request.headers["webhook-id"], said, body))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = self.answer(len(self.arrived))
            if asyncio.iscoroutine(answer):
                answer = await answer
        finally:
            self.under_way -= 1
        return answer if isinstance(answer, web.Response) else web.Response(status=answer)


@asynccontextmanager
async def receiving(**how: Any) -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback."""
    receiver = Receiver(**how)
    app = web.Application()
    app.router.add_post("/hook", receiver.hook)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", receiver.port, ssl_context=receiver.tls)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
