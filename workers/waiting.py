"""How a workflow waits: for a condition until an instant, beside others, and heedless of cancellation."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Protocol, TypeVar

from temporalio import workflow


class Noting(Protocol):
    """A workflow that notes a cancellation."""

    def note_cancellation(self) -> None: ...


Self = TypeVar("Self", bound=Noting)
Start = TypeVar("Start")
Result = TypeVar("Result")
Story = Callable[[Self, Start], Awaitable[Result]]


def ignoring_cancellation(story: Story[Self, Start, Result]) -> Story[Self, Start, Result]:
    """Neither a letter nor a link is ended by an operator: a cancellation is caught, noted and ignored."""

    @wraps(story)
    async def run(self: Self, start: Start) -> Result:
        task = asyncio.ensure_future(story(self, start))
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done():
                    raise
                self.note_cancellation()

    return run


async def until(condition: Callable[[], bool], at: datetime, summary: str) -> bool:
    """Wait for a condition; False when the instant came first. `summary` names the timer for an operator."""
    if condition():
        return True
    left = at - workflow.now()
    if left <= timedelta():
        return False
    try:
        await workflow.wait_condition(condition, timeout=left, timeout_summary=summary)
    except TimeoutError:
        return False
    return True


class Beside:
    """Coroutines beside a story: a defect in one of them is the story's, raised by `check`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.defect: BaseException | None = None

    def begin(self, story: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(story)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel_all_but(self, kept: Collection[asyncio.Task[None]]) -> None:
        for task in self._tasks.difference(kept):
            task.cancel()

    async def finished(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Returns when these ended. Raises the defect."""
        await workflow.wait_condition(lambda: self.defect is not None or all(task.done() for task in tasks))
        self.check()

    def check(self) -> None:
        """Raises the defect."""
        if self.defect is not None:
            raise self.defect

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defect = error
