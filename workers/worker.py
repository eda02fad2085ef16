"""The Temporal worker: which workflows and activities it runs, and how."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workers.activities import Activities
from workers.config import WorkerConfig
from workers.letter import LetterWorkflow
from workers.link import LinkWorkflow

WORKFLOWS = [LetterWorkflow, LinkWorkflow]
# Our own modules hold no state and read no clock (`workflow.now()` is handed to them): loading them anew for every
# letter would cost more than the letter.
WORKFLOW_RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("dabir", "google", "buf", "services", "workers")
)


def letter_worker(config: WorkerConfig, client: Client, activities: Activities) -> Worker:
    """A worker on the task queue of letters and links; `async with` runs it, and drains it at the end."""
    return Worker(
        client,
        task_queue=config.task_queue,
        workflows=WORKFLOWS,
        activities=[
            activities.get_letter_plan,
            activities.set_retention,
            activities.consign_deliveries,
            activities.apply_recall,
            activities.notify,
            activities.pause_link,
            activities.resume_link,
            activities.flag_late,
            activities.close_letter,
            activities.record_operator_action,
        ],
        workflow_runner=WORKFLOW_RUNNER,
        max_cached_workflows=config.workflow_cache,
        graceful_shutdown_timeout=timedelta(seconds=config.stop_grace_seconds),
        # A fixed number of pollers leaves a tail of 5 s on a queue of one partition.
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
