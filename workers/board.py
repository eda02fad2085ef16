"""What every workflow does for operators: shows where it stands, and states their orders."""

from collections.abc import Mapping
from typing import Any, Protocol

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from dabir.intake.v1.internal_service_pb2 import RecordOperatorActionRequest
    from dabir.workflow.v1.letter_pb2 import OperatorActionResult
    from workers.activities import Activities
    from workers.notices import derived_id
    from workers.step import Steps


class Order(Protocol):
    """An update's message."""

    @property
    def operator(self) -> str: ...
    @property
    def reason(self) -> str: ...


def put_up(attributes: Mapping[SearchAttributeKey[Any], Any], details: str) -> None:
    """Show these, as far as they changed; None: the attribute has no value."""
    held = workflow.info().typed_search_attributes
    changes = [
        key.value_unset() if value is None else key.value_set(value)
        for key, value in attributes.items()
        if held.get(key) != value
    ]
    workflow.upsert_search_attributes(changes)
    workflow.set_current_details(details)


def update_id() -> str:
    """Of the update whose handler asks."""
    update = workflow.current_update_info()
    assert update is not None  # noqa: S101 - only called from update handlers
    return update.id


async def state(steps: Steps, action: str, subject: str, order: Order, *, effect: str) -> OperatorActionResult:
    """State an operator's order in the ledger, on the chain of `subject`, once for each `effect` and update."""
    request = RecordOperatorActionRequest(
        request_id=derived_id(effect, action, update_id()),
        subject=subject,
        operator=order.operator,
        action=action,
        reason=order.reason,
    )
    return await steps.insist(Activities.record_operator_action, request, f"state {action}", subject)
