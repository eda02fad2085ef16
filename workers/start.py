"""Starting a letter's workflow: the one place that says with what."""

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from dabir.common.v1 import manifest_pb2
from dabir.formats import names
from dabir.intake.v1.internal_service_pb2 import LetterPlan
from dabir.workflow.v1 import letter_pb2
from workers import show

WORKFLOW = letter_pb2.LetterWorkflow.DESCRIPTOR.name
FACT_STATED = letter_pb2.FactStated.DESCRIPTOR.name

# Smaller goes first; Temporal's range is 1 to 5.
_PRIORITY_KEYS = {manifest_pb2.PRIORITY_IMMEDIATE: 1, manifest_pb2.PRIORITY_URGENT: 2, manifest_pb2.PRIORITY_NORMAL: 3}


def workflow_id(letter: str) -> str:
    """`letters/{uuid}` → `letter/{uuid}`. Raises FormatError for anything else."""
    return f"letter/{names.split_letter(letter)}"


def letter_of(workflow_id: str) -> str:
    """`letter/{uuid}` → `letters/{uuid}`, unchecked."""
    return f"letters/{workflow_id.removeprefix('letter/')}"


async def start(client: Client, task_queue: str, plan: LetterPlan, fact: letter_pb2.FactStated | None = None) -> bool:
    """Have the letter's workflow run, and tell it the fact. Does nothing more if it runs; False if it completed.

    One that was terminated, or failed, starts again; one that completed never does. Raises RPCError, FormatError.
    """
    try:
        await client.start_workflow(
            WORKFLOW,
            letter_pb2.LetterWorkflow(letter=plan.letter),
            id=workflow_id(plan.letter),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=show.fixed_attributes(plan),
            static_summary=show.summary(plan),
            priority=priority(plan),
            start_signal=FACT_STATED if fact is not None else None,
            start_signal_args=[fact] if fact is not None else [],
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def priority(plan: LetterPlan) -> Priority:
    """The letter's urgency first; among equals every sending body gets its share."""
    sender = names.split_body(plan.sender_body)  # at most 63 characters; the key holds 64 bytes
    return Priority(priority_key=_PRIORITY_KEYS.get(plan.priority, 3), fairness_key=sender)
