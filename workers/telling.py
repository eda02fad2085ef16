"""Notices on their way, beside the story: while notifications are out, clocks run on."""

import asyncio
from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workers.activities import Activities
    from workers.notices import Notice
    from workers.step import Steps
    from workers.waiting import Beside


class Telling:
    """Tells each notice once in a run."""

    def __init__(self, steps: Steps, beside: Beside) -> None:
        self._steps, self._beside = steps, beside
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            name = notice.request.notification_id
            if name not in self._tasks:
                self._tasks[name] = self._beside.begin(self._tell(notice))

    def under_way(self, notices: Iterable[Notice]) -> list[asyncio.Task[None]]:
        """Those of the notices that were begun and are not told yet."""
        tasks = (self._tasks.get(notice.request.notification_id) for notice in notices)
        return [task for task in tasks if task is not None and not task.done()]

    async def _tell(self, notice: Notice) -> None:
        await self._steps.insist(Activities.notify, notice.request, notice.summary, notice.request.delivery)
