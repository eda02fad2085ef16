"""python -m workers CONFIG.toml"""

import asyncio
import os
import sys
from typing import NoReturn

from services.runtime.channel import open_channel
from services.runtime.logs import log
from services.runtime.metrics import Metrics, endpoint
from services.runtime.process import run, stop_signal
from workers.activities import Activities
from workers.config import WorkerConfig
from workers.connection import connect
from workers.follow import Follower
from workers.links import LinkReconciler
from workers.reconcile import Reconciler
from workers.worker import letter_worker

DRAIN_MARGIN_SECONDS = 5.0
"""Beyond `stop_grace_seconds`: what the worker itself needs to end."""


async def main(config: WorkerConfig) -> None:
    """Works until SIGTERM or SIGINT. What fails ends the process: its supervisor starts it again."""
    stop = asyncio.create_task(stop_signal().wait())
    temporal = await connect(config)
    async with (
        open_channel(config, config.intake_target) as intake,
        open_channel(config, config.documents_target) as documents,
        open_channel(config, config.notifications_target) as notifications,
        open_channel(config, config.evidence_target) as evidence,
    ):
        worker = letter_worker(config, temporal, Activities(intake, documents, notifications))
        tasks = [
            asyncio.create_task(Follower(config, temporal, evidence, intake).run()),
            asyncio.create_task(Reconciler(config, temporal, intake).run()),
            asyncio.create_task(LinkReconciler(config, temporal, notifications).run()),
        ]
        working = asyncio.create_task(worker.run())
        with endpoint(config, Metrics()) as metrics_port:
            log.info("working", task_queue=config.task_queue, metrics_port=metrics_port)
            await asyncio.wait([stop, working, *tasks], return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping")
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            shutdown = asyncio.create_task(worker.shutdown())
            await asyncio.wait([working, shutdown], timeout=config.stop_grace_seconds + DRAIN_MARGIN_SECONDS)
        if not working.done():
            # Shut down among local activities, Temporal's runtime may never finish (temporalio 1.35, once in six with
            # 500 of them). Another worker takes up what this one leaves, as after kill -9.
            log.warning("not_drained")
            leave(0)
        for task in (working, *tasks):
            if not task.cancelled():
                task.result()
    log.info("stopped")


def leave(status: int) -> NoReturn:
    """Ends the process at once: the interpreter's own exit may crash in Temporal's runtime (temporalio 1.35)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    status: int | str | None = 0
    try:
        run(WorkerConfig, main)
    except SystemExit as ended:
        status = ended.code
    leave(status if isinstance(status, int) else 1)
