"""What a failed call of Temporal's or of a service means."""

import grpc
import grpc.aio
import pytest
from temporalio.service import RPCError, RPCStatusCode

from workers.failures import is_defect, is_refusal


def of_temporal(code: RPCStatusCode) -> RPCError:
    return RPCError("said by Temporal", code, b"")


def of_a_service(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


@pytest.mark.parametrize("code", [RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT])
def test_a_temporal_that_lost_its_set_up_refuses_nothing(code: RPCStatusCode) -> None:
    """Its file was lost: at first our namespace is missing, then "has no mapping defined for search attribute"."""
    assert not is_refusal(of_temporal(code))


def test_what_temporal_never_takes_does_not_hold_up_others_for_ever() -> None:
    assert is_defect(of_temporal(RPCStatusCode.INVALID_ARGUMENT))
    assert not is_defect(of_temporal(RPCStatusCode.NOT_FOUND))


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT])
def test_a_service_that_says_no_has_answered(code: grpc.StatusCode) -> None:
    assert is_refusal(of_a_service(code))
    assert not is_defect(of_a_service(code))
