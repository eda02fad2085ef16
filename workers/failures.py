"""What a failed call means: a *refusal*, which is an answer, or an *outage*, which passes."""

import grpc
import grpc.aio
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from services.runtime.channel import reason_of

# Trying again changes nothing. All other codes may pass, a missing right or method included: that is the hub's own
# set-up, and when it is put right everything that waited goes on.
_REFUSALS = frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
_SET_UP_LOST = frozenset({"NOT_FOUND", "INVALID_ARGUMENT"})
_DEFECTS = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})


def code_name(error: grpc.aio.AioRpcError | RPCError) -> str:
    """The gRPC status code's name, of a service of ours or of Temporal."""
    if isinstance(error, RPCError):
        return RPCStatusCode(error.status).name
    return error.code().name


def is_refusal(error: grpc.aio.AioRpcError | RPCError) -> bool:
    """Whether it is an answer. Temporal's NOT_FOUND and INVALID_ARGUMENT are none.

    After its file was lost it has no namespace of ours, and then for a moment one without search attributes.
    """
    code = code_name(error)
    return code in _REFUSALS and not (isinstance(error, RPCError) and code in _SET_UP_LOST)


def is_defect(error: grpc.aio.AioRpcError | RPCError) -> bool:
    """A defect at the other end: may pass, but may also stand for ever."""
    code = code_name(error)
    return code in _DEFECTS or (isinstance(error, RPCError) and code == "INVALID_ARGUMENT")


def reason(error: grpc.aio.AioRpcError | RPCError) -> str:
    """UPPER_SNAKE: the service's own reason where it gave one, else the code."""
    given = reason_of(error) if isinstance(error, grpc.aio.AioRpcError) else ""
    return given or code_name(error)


def application_error(error: grpc.aio.AioRpcError, service: str, method: str) -> ApplicationError:
    """What Temporal keeps of a failed call: codes only; a service's sentence may quote its input."""
    why = reason(error)
    if is_refusal(error):
        sentence = f"Put right what {why} names, then send the update RetryNow. ({service} refused {method}.)"
        return ApplicationError(sentence, type=why, non_retryable=True)
    sentence = f"Wait, or mend {service}: it does not do {method} ({why}). It is tried again; RetryNow tries at once."
    return ApplicationError(sentence, type=why)
