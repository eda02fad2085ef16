"""How a letter's workflow waits: for a condition until an instant, and heedless of cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Protocol, TypeVar

from temporalio import workflow


class Letter(Protocol):
    """A workflow that notes a cancellation."""

    def note_cancellation(self) -> None: ...


Self = TypeVar("Self", bound=Letter)
Start = TypeVar("Start")
Result = TypeVar("Result")
Story = Callable[[Self, Start], Awaitable[Result]]


def ignoring_cancellation(story: Story[Self, Start, Result]) -> Story[Self, Start, Result]:
    """A letter is not ended by an operator: a cancellation is caught, noted and ignored."""

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
