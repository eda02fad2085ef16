"""An operator's order that could never be stated is refused before it is accepted."""

import pytest
from temporalio.exceptions import ApplicationError

from dabir.workflow.v1.letter_pb2 import RetryNow
from workers.orders import check_retry_now


@pytest.mark.parametrize(
    ("operator", "reason", "why"),
    [
        ("operators/night-shift", "it is mended\n", "CONTROL_CHARACTER"),
        ("operators/night\u202eshift", "it is mended", "BIDI_CHARACTER"),
    ],
)
def test_what_intake_would_refuse_to_state_is_refused(operator: str, reason: str, why: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        check_retry_now(RetryNow(operator=operator, reason=reason), [])
    assert refused.value.type == why
