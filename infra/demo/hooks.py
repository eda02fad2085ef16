"""A webhook receiver for each body; every hook is verified as Standard Webhooks 1.0.0 says, by its public library."""

import asyncio
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Hook:
    """A verified hook. `delivery` is empty where the letter as a whole is meant."""

    body: str
    event_type: str
    letter: str
    delivery: str


class Receivers:
    """One HTTP receiver on a free loopback port for each body (by id), all in one thread. Use it as a context."""

    def __init__(self, bodies: Iterable[str]) -> None:
        self._bodies = tuple(bodies)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhook receivers", daemon=True)
        self._runners: list[web.AppRunner] = []
        self._changed = threading.Condition()
        self._verifiers: dict[str, Webhook] = {}
        self._hooks: list[Hook] = []
        self.urls: dict[str, str] = {}
        self.unverified: list[str] = []

    def __enter__(self) -> "Receivers":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def trust(self, body: str, secret: str) -> None:
        """From now on hooks to this body are verified with `secret` (`whsec_…`)."""
        self._verifiers[body] = Webhook(secret)

    def hooks(self) -> list[Hook]:
        """Every verified hook so far."""
        with self._changed:
            return list(self._hooks)

    def wait_for(self, body: str, delivery: str, *, timeout_seconds: float) -> bool:
        """Waits until a verified hook told the body of the delivery; False if none came in time."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            return self._changed.wait_for(
                lambda: any(hook.body == body and hook.delivery == delivery for hook in self._hooks),
                deadline - time.monotonic(),
            )

    async def _listen(self) -> None:
        for body in self._bodies:
            application = web.Application()
            application.router.add_post("/hooks", self._handler(body))
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            self._runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.urls[body] = f"http://{host}:{port}/hooks"

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def _handler(self, body: str) -> Any:
        async def receive(request: web.Request) -> web.Response:
            verifier = self._verifiers.get(body)
            if verifier is None:  # the hub was quicker than its answer with the secret: it comes again
                return web.Response(status=503)
            data = await request.read()
            try:
                verifier.verify(data, {name.lower(): value for name, value in request.headers.items()})
            except WebhookVerificationError as error:
                self.unverified.append(f"{body}: {error}")
                return web.Response(status=400)
            told = json.loads(data)
            hook = Hook(body, told["type"], told["data"]["letter"], told["data"].get("delivery", ""))
            with self._changed:
                self._hooks.append(hook)
                self._changed.notify_all()
            return web.Response(status=204)

        return receive
