"""The gate: every call, unary or stream, takes the seven steps of `_steps` in their order before its servicer sees it.

Not authenticated *and* invalid is therefore UNAUTHENTICATED. Requests are taken and parsed behind authorisation, not
before: what a stranger sends is not even read. That is why to grpc every RPC is one with a stream of requests: it reads
the message of any other before it asks the gate, without a limit of time. On the wire they are the same.
"""

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from services.runtime import deadline, logs
from services.runtime.access import ACCESS, Access
from services.runtime.authentication import Authentication
from services.runtime.config import ServiceConfig
from services.runtime.error_mapping import as_dabir_error, status_of
from services.runtime.errors import DabirError
from services.runtime.identity import Caller, set_caller
from services.runtime.logs import REQUEST_ID, log
from services.runtime.metrics import Metrics
from services.runtime.refusals import (
    CallsOfBody,
    DeadlineRequired,
    DeadlineTooShort,
    Overloaded,
    RequestLate,
    RequestMissing,
    RequestRepeated,
    RoleMissing,
    StreamIdle,
)
from services.runtime.validation import parsed

_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{8,64}")
_DETAILS = "grpc-status-details-bin"
# To grpc a client that left also sent its last message: its cancellation comes right behind, and is not a refusal.
_LEAVING_SECONDS = 0.05

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass
class Call:
    """One call on its way. `streams`: either way; `many`: its requests are a stream. `code`: how it ends.
    `waiting_since`: since when a stream waits for the client, None while we work. `ended_by`: why the gate itself ended
    it.
    """

    rpc: str
    context: Context
    access: Access
    parse: Callable[[bytes], Message]
    streams: bool
    many: bool = False
    request_id: str = ""
    caller: Caller | None = None
    code: str = "OK"
    waiting_since: float | None = None
    ended_by: DabirError | None = None

    def waits(self) -> None:
        """From here on it is the client's turn."""
        self.waiting_since = time.monotonic()

    def works(self) -> None:
        """From here on it is ours."""
        self.waiting_since = None

    def metadata(self, key: str) -> str:
        """What the client sent under `key`, "" where it sent nothing."""
        return next((str(value) for name, value in self.context.invocation_metadata() or () if name == key), "")


class Gate(grpc.aio.ServerInterceptor):
    """The one interceptor."""

    def __init__(
        self,
        config: ServiceConfig,
        authentication: Authentication,
        metrics: Metrics,
        access: Mapping[str, Access] = ACCESS,
    ) -> None:
        self._config, self._authentication, self._metrics, self._access = config, authentication, metrics, access
        self._running = 0
        self._unlisted_streams = 0
        self._running_of: Counter[str] = Counter()
        self._unheard: dict[asyncio.Task[Any], Call] = {}

    @asynccontextmanager
    async def _steps(self, call: Call, received: Any) -> AsyncIterator[Any]:
        with self._logged(call):
            with self._metrics.observed(call):
                async with self._errors_mapped(call):
                    await self._authenticate(call)
                    with self._admitted(call):
                        self._keep_deadline(call)
                        yield await self._validated(call, received)

    @contextmanager
    def _logged(self, call: Call) -> Iterator[None]:
        given = call.metadata(REQUEST_ID)
        call.request_id = given if _REQUEST_ID_FORM.fullmatch(given) else uuid.uuid4().hex
        call.context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
        logs.begin(call.request_id, rpc=call.rpc)
        began = time.monotonic()
        try:
            yield
        finally:
            tell = log.debug if call.access.handshake_only else log.info
            milliseconds = round((time.monotonic() - began) * 1000, 1)
            # The context may be gone with a vanished client: request id and rpc are given, not looked up.
            who = (call.caller.body or call.caller.service) if call.caller else ""
            ids = {"request_id": call.request_id, "rpc": call.rpc, "caller": who}
            tell("call", code=call.code, milliseconds=milliseconds, **ids)

    @asynccontextmanager
    async def _errors_mapped(self, call: Call) -> AsyncIterator[None]:
        try:
            with self._counted(call):
                yield
        except grpc.aio.AbortError:
            call.code = _aborted_with(call.context)
            raise
        except asyncio.CancelledError:
            call.code = grpc.StatusCode.CANCELLED.name
            if call.ended_by is None:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            await self._abort(call, call.ended_by)
        except Exception as error:
            await self._abort(call, as_dabir_error(error, call.request_id))
        except BaseException:  # GeneratorExit: the client left its stream
            call.code = grpc.StatusCode.CANCELLED.name
            raise

    @contextmanager
    def _counted(self, call: Call) -> Iterator[None]:
        """Among the calls in work. Raises Overloaded.

        Health is not: who restarts what does not answer must not restart what is only busy. Its streams, and those of
        reflection, which any certificate of our CA may open, are few and take no room from members' calls; so are its
        other calls until their message is in (`_unheard_few`).
        """
        unlisted, streams = call.access.handshake_only, call.streams
        self._running += not unlisted
        self._unlisted_streams += unlisted and streams
        try:
            if not unlisted and self._running > self._config.max_concurrent_rpcs:
                raise Overloaded(retry_after_seconds=1)
            if unlisted and streams and self._unlisted_streams > self._config.max_unlisted_streams:
                raise Overloaded(retry_after_seconds=1)
            yield
        finally:
            self._running -= not unlisted
            self._unlisted_streams -= unlisted and streams

    async def _abort(self, call: Call, error: DabirError) -> None:
        call.code = error.code
        status = status_of(error, persian=call.metadata("accept-language").startswith("fa"))
        log.info("refused", reason=error.reason, **{key: value[:200] for key, value in error.metadata.items()})
        trailing = ((_DETAILS, status.SerializeToString()), (REQUEST_ID, call.request_id))
        await call.context.abort(grpc.StatusCode[error.code], status.message, trailing)

    async def _authenticate(self, call: Call) -> None:
        if call.access.handshake_only:
            call.caller = Caller(self._authentication.presented(call.context).sha256)
        else:
            call.caller = await self._authentication.identify(call.context)
        set_caller(call.caller)

    @contextmanager
    def _admitted(self, call: Call) -> Iterator[None]:
        """Authorised, and within its body's share: the rest of the room is for others. Raises RoleMissing, CallsOfBody.

        The hub's own services have no share: letters of all bodies come through them.
        """
        self._authorise(call)
        body, limit = call.caller.body if call.caller else "", self._config.concurrent_rpcs_per_body
        if not body:
            yield
            return
        if self._running_of[body] >= limit:
            raise CallsOfBody(limit=limit, retry_after_seconds=1)
        self._running_of[body] += 1
        try:
            yield
        finally:
            self._running_of[body] -= 1

    def _authorise(self, call: Call) -> None:
        if call.caller is None or not call.access.admits(call.caller):
            needed = sorted([*call.access.roles, *(f"service {name}" for name in call.access.services)])
            raise RoleMissing(rpc=call.rpc, needed=", ".join(needed))

    def _keep_deadline(self, call: Call) -> None:
        remaining: float | None = call.context.time_remaining()
        deadline.set_remaining(remaining)
        if call.access.mutating and remaining is None:
            raise DeadlineRequired(rpc=call.rpc)
        needed = self._config.deadline_min_seconds
        if call.access.mutating and remaining is not None and remaining < needed:
            raise DeadlineTooShort(rpc=call.rpc, needed_seconds=needed)

    async def _validated(self, call: Call, received: AsyncIterator[bytes]) -> Any:
        """A request's message, or the iterator of a stream's."""
        return self._stream(call, received) if call.many else parsed(call.rpc, call.parse, await self._only(call))

    async def _only(self, call: Call) -> bytes:
        """The one message of a call whose requests are no stream; the client's end of the call is behind it."""
        seconds = self._config.stream_idle_seconds
        try:
            with self._unheard_few(call):
                async with asyncio.timeout(seconds):
                    if (message := await call.context.read()) is grpc.aio.EOF:
                        await asyncio.sleep(_LEAVING_SECONDS)
                        raise RequestMissing(rpc=call.rpc)
                    if await call.context.read() is not grpc.aio.EOF:
                        raise RequestRepeated(rpc=call.rpc)
        except TimeoutError as error:
            raise RequestLate(rpc=call.rpc, idle_seconds=seconds) from error
        return bytes(message)

    @contextmanager
    def _unheard_few(self, call: Call) -> Iterator[None]:
        """Health's calls that keep us waiting are few, too: who does so for longest gives way to who comes, for a check
        that is refused could restart us.
        """
        task = asyncio.current_task()
        if task is None or call.streams or not call.access.handshake_only:
            yield
            return
        self._unheard[task] = call
        if len(self._unheard) > self._config.max_unlisted_streams:
            longest = next(iter(self._unheard))
            self._unheard.pop(longest).ended_by = Overloaded(retry_after_seconds=1)
            longest.cancel()
        try:
            yield
        finally:
            self._unheard.pop(task, None)

    async def _stream(self, call: Call, received: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        call.waits()
        async for one in received:
            call.works()
            yield parsed(call.rpc, call.parse, one)
            call.waits()
        call.works()

    @asynccontextmanager
    async def _watched(self, call: Call) -> AsyncIterator[None]:
        """Ends a stream that stands still, or whose caller is no longer who it was."""
        watch = asyncio.create_task(self._watch(call, asyncio.current_task()))
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self, call: Call, served: asyncio.Task[Any] | None) -> None:
        idle_seconds, recheck_seconds = self._config.stream_idle_seconds, self._config.stream_recheck_seconds
        checked_at = time.monotonic()
        while served is not None and call.ended_by is None:
            await asyncio.sleep(min(idle_seconds, recheck_seconds, 4.0) / 4)
            now = time.monotonic()
            if call.waiting_since is not None and now - call.waiting_since > idle_seconds:
                call.ended_by = StreamIdle(idle_seconds=idle_seconds)
            elif now - checked_at > recheck_seconds:
                checked_at = now
                call.ended_by = await self._no_longer(call)
            if call.ended_by is not None:
                served.cancel()

    async def _no_longer(self, call: Call) -> DabirError | None:
        """Why the caller may not go on; None while it may."""
        try:
            await self._authenticate(call)
            self._authorise(call)
        except Exception as error:  # whatever it is, it must not leave the stream unwatched
            return as_dabir_error(error, call.request_id)
        return None

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler: Any = await continuation(handler_call_details)
        if handler is None:  # no such RPC here: grpc answers UNIMPLEMENTED
            return None
        rpc = handler_call_details.method
        access = self._access[rpc]

        def call(context: Context) -> Call:
            many = handler.request_streaming
            return Call(rpc, context, access, handler.request_deserializer, many or handler.response_streaming, many)

        behaviour, serializer = _behaviour(handler), handler.response_serializer
        if handler.response_streaming:
            respond = self._respond_by_stream(call, behaviour)
            return grpc.stream_stream_rpc_method_handler(respond, response_serializer=serializer)
        return grpc.stream_unary_rpc_method_handler(
            self._respond_at_once(call, behaviour), response_serializer=serializer
        )

    def _respond_at_once(self, new_call: Callable[[Context], Call], behaviour: Any) -> Any:
        async def respond(received: Any, context: Context) -> Any:
            call = new_call(context)
            async with self._steps(call, received) as request:
                if not call.many:
                    return await behaviour(request, context)
                async with self._watched(call):
                    return await behaviour(request, context)

        return respond

    def _respond_by_stream(self, new_call: Callable[[Context], Call], behaviour: Any) -> Any:
        async def respond(received: Any, context: Context) -> AsyncIterator[Any]:
            call = new_call(context)
            async with self._steps(call, received) as request, self._watched(call):
                responses = behaviour(request, context)
                if asyncio.iscoroutine(responses):  # grpc's own Health.Watch writes to the context itself
                    await responses
                    return
                async for response in responses:
                    call.waits()
                    yield response
                    call.works()

        return respond


def _aborted_with(context: Context) -> str:
    """The code that a servicer of grpc's own (health) aborted with."""
    number: Any = context.code()  # grpc.aio gives the number, whatever its annotation says
    return next((code.name for code in grpc.StatusCode if number in (code, code.value[0])), "UNKNOWN")


def _behaviour(handler: Any) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
