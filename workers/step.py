"""How a workflow calls a service: quickly where all is well, visibly and for as long as it takes in an outage.

A *refusal* is an answer and takes the story's other branch: it is raised as `Refused`, or, where the story has none,
the step parks (`insist`) until an operator asks for `RetryNow`. Anything else is an outage.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from google.protobuf.message import Message

    from workers.activities import Activities

# A local activity costs a tenth of an ordinary one, but holds the workflow task: it gets two quick attempts.
QUICK_TIMEOUT = timedelta(seconds=5)
QUICK_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=2)
LONG_TIMEOUT = timedelta(seconds=60)
LONG_HEARTBEAT = timedelta(seconds=10)
LONG_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Call = Callable[[Activities, Request], Awaitable[Response]]


class Refused(Exception):
    """A service understood the request and said no. `reason` is UPPER_SNAKE."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Trouble(StrEnum):
    """Why a step waits."""

    RETRYING = "RETRYING"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"


@dataclass
class Waiting:
    """A step that waits: in an outage for the service, after a refusal for an operator."""

    summary: str
    about: str
    """A delivery, letter or body by name; "" for the run."""
    trouble: Trouble
    reason: str
    since: datetime
    retry_now: bool = False


class Steps:
    """The steps of one workflow, those that wait among them. `changed` is called when that set changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.waiting: list[Waiting] = []
        self._changed = changed

    async def step(self, call: Call[Request, Response], request: Request, summary: str, about: str = "") -> Response:
        """Call a service. Raises Refused. `about`: a delivery, letter or body by name; "" for the run."""
        try:
            return await workflow.execute_local_activity_method(
                call, request, start_to_close_timeout=QUICK_TIMEOUT, retry_policy=QUICK_RETRY, summary=summary
            )
        except FailureError as error:  # a local activity's failure comes as it is, another's inside an ActivityError
            _raise_if_refused(error)
        with self._wait(summary, about, Trouble.RETRYING, "") as waiting:
            while True:
                pending = workflow.start_activity_method(
                    call,
                    request,
                    start_to_close_timeout=LONG_TIMEOUT,
                    heartbeat_timeout=LONG_HEARTBEAT,
                    retry_policy=LONG_RETRY,
                    summary=summary,
                )
                await workflow.wait_condition(lambda handle=pending: handle.done() or waiting.retry_now)  # type: ignore[misc]
                if pending.done():
                    try:
                        return await pending
                    except ActivityError as error:
                        _raise_if_refused(error)
                        raise
                # Asked by an operator: the back-off ends with this one, and the next begins at once.
                waiting.retry_now = False
                pending.cancel()
                with suppress(ActivityError):
                    await pending

    async def insist(self, call: Call[Request, Response], request: Request, summary: str, about: str = "") -> Response:
        """Call a service that has to say yes: when it refuses, wait for an operator and try again."""
        while True:
            try:
                return await self.step(call, request, summary, about)
            except Refused as refused:
                await self.park(summary, refused.reason, about)

    async def park(self, summary: str, reason: str, about: str = "") -> None:
        """Wait until an operator asks for another try."""
        with self._wait(summary, about, Trouble.NEEDS_ATTENTION, reason) as waiting:
            await workflow.wait_condition(lambda: waiting.retry_now)

    def waiting_about(self, about: str) -> list[Waiting]:
        """The steps that wait about a delivery, letter or body by name; "" stands for every one."""
        return [waiting for waiting in self.waiting if not about or waiting.about == about]

    @contextmanager
    def _wait(self, summary: str, about: str, trouble: Trouble, reason: str) -> Iterator[Waiting]:
        waiting = Waiting(summary, about, trouble, reason, workflow.now())
        self.waiting.append(waiting)
        self._changed()
        try:
            yield waiting
        finally:
            self.waiting.remove(waiting)
            self._changed()


def _raise_if_refused(error: FailureError) -> None:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.non_retryable:
        raise Refused(cause.type or "REFUSED") from None
