"""What becomes of a request's bytes."""

from typing import Any

import pytest

from dabir.documents.v1 import documents_pb2
from dabir.intake.v1 import sender_service_pb2
from services.runtime.refusals import RequestInvalid
from services.runtime.validation import parsed

SUBMIT = "/dabir.intake.v1.SenderService/SubmitLetter"
CLAIM = "/dabir.documents.v1.DocumentInternalService/ClaimDocuments"


@pytest.mark.parametrize(
    ("rpc", "request_", "field"),
    [
        (SUBMIT, sender_service_pb2.SubmitLetterRequest(signatures=[b""] * 3000), "signatures"),
        (CLAIM, documents_pb2.ClaimDocumentsRequest(documents=[documents_pb2.DocumentClaim()] * 3000), "documents"),
    ],
)
def test_a_list_without_end_is_refused_before_its_elements_are_judged(rpc: str, request_: Any, field: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        parsed(rpc, type(request_).FromString, request_.SerializeToString())
    assert [violation.field for violation in refused.value.field_violations] == [field]


def test_a_list_within_its_limit_is_judged_by_its_rules() -> None:
    request = sender_service_pb2.SubmitLetterRequest(manifest=b"{}", signatures=[b""], documents=["documents/1"])
    with pytest.raises(RequestInvalid) as refused:
        parsed(SUBMIT, type(request).FromString, request.SerializeToString())
    assert [violation.field for violation in refused.value.field_violations] == ["signatures[0]"]
