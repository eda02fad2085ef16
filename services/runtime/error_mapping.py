"""Errors as they go over the wire: here, once, for every service.

`DabirError` → its code, and as details `ErrorInfo` (reason, domain `dabir`, metadata), `BadRequest` (field violations),
`RetryInfo` where waiting helps, `LocalizedMessage` in Persian for who asks for it (google.rpc, AIP-193). That database
or neighbour are busy or away becomes UNAVAILABLE or RESOURCE_EXHAUSTED. Anything else is a fault of ours: INTERNAL with
the request id and nothing else.
"""

import grpc
import grpc.aio
from google.protobuf import any_pb2, message
from google.rpc import error_details_pb2, status_pb2
from psycopg_pool import PoolTimeout, TooManyRequests

from dabir.formats.strict_json import FormatError
from services.runtime.database import AWAY
from services.runtime.errors import DabirError, FieldViolation, InvalidArgument, ResourceExhausted, Unavailable
from services.runtime.logs import log

DOMAIN = "dabir"
VIOLATIONS_MAX = 25
DETAILS_MAX_BYTES = 4096
MESSAGE_MAX_CHARACTERS = 1000

_OUTAGES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)


class Internal(DabirError):
    """A fault of ours."""

    reason = "INTERNAL"
    template = "The hub made an error. It is recorded; tell its operator the request id {request_id}."
    template_fa = "خطایی در سامانه رخ داد و ثبت شد. شناسهٔ درخواست {request_id} را به راهبر سامانه بدهید."


class DatabaseBusy(ResourceExhausted):
    """No connection became free in time."""

    reason = "DATABASE_BUSY"
    template = "The hub has more to do than it can at this moment. Send the same request again a little later."
    template_fa = "سامانه در این لحظه پرکار است. همین درخواست را اندکی بعد دوباره بفرستید."


class DatabaseUnavailable(Unavailable):
    """The database is away, or did not answer or give a lock in time."""

    reason = "DATABASE_UNAVAILABLE"
    template = "The hub's database does not answer. Send the same request again a little later."
    template_fa = "پایگاه دادهٔ سامانه پاسخ نمی‌دهد. همین درخواست را اندکی بعد دوباره بفرستید."


class NeighbourUnavailable(Unavailable):
    """A service that we had to ask is away or busy."""

    reason = "NEIGHBOUR_UNAVAILABLE"
    template = "Another service of the hub does not answer. Send the same request again a little later."
    template_fa = "یکی از بخش‌های سامانه پاسخ نمی‌دهد. همین درخواست را اندکی بعد دوباره بفرستید."


class BadFormat(InvalidArgument):
    """Signed bytes (manifest, receipt, …) that are not of their form; the reason is the form's own."""

    reason = "BAD_FORMAT"

    def __init__(self, error: FormatError) -> None:
        violations = [FieldViolation(error.path, str(error))] if error.path else []
        super().__init__(str(error), field_violations=violations)
        self.reason = error.reason  # type: ignore[misc]  # the one class whose reason is its instance's


def as_dabir_error(error: Exception, request_id: str) -> DabirError:
    """What the caller is told of `error`; what is a fault of ours is logged here, with its frames."""
    match error:
        case DabirError():
            return error
        case FormatError():
            return BadFormat(error)
        case PoolTimeout() | TooManyRequests():
            return DatabaseBusy(retry_after_seconds=1)
        case _ if isinstance(error, AWAY):
            log.warning("database_unavailable", sqlstate=error.sqlstate, exc_info=error)
            return DatabaseUnavailable(retry_after_seconds=1)
        case grpc.aio.AioRpcError() if error.code() in _OUTAGES:
            log.warning("neighbour_unavailable", code=error.code().name, exc_info=error)
            return NeighbourUnavailable(retry_after_seconds=1)
        case _:
            log.error("internal_error", exc_info=error)
            return Internal(request_id=request_id)


def status_of(error: DabirError, *, persian: bool) -> status_pb2.Status:
    """`error` as google.rpc.Status, details within DETAILS_MAX_BYTES: what does not fit is left out."""
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if error.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(retry)
    if persian and error.message_fa:
        details.append(error_details_pb2.LocalizedMessage(locale="fa", message=error.message_fa))
    status = status_pb2.Status(
        code=grpc.StatusCode[error.code].value[0], message=error.message[:MESSAGE_MAX_CHARACTERS]
    )
    for detail in details:
        _pack(status, detail)
    if error.field_violations:
        _pack(status, _violations(error, DETAILS_MAX_BYTES - _size(status)))
    return status


def _violations(error: DabirError, room_bytes: int) -> error_details_pb2.BadRequest:
    """The first violations that fit into the room, which the type's name and framing share."""
    bad_request, room_bytes = error_details_pb2.BadRequest(), room_bytes - 64
    for violation in error.field_violations[:VIOLATIONS_MAX]:
        entry = bad_request.field_violations.add(field=violation.field, description=violation.description)
        if bad_request.ByteSize() > room_bytes:
            bad_request.field_violations.remove(entry)
            break
    return bad_request


def _pack(status: status_pb2.Status, detail: message.Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    if _size(status) + packed.ByteSize() <= DETAILS_MAX_BYTES:
        status.details.append(packed)


def _size(status: status_pb2.Status) -> int:
    return sum(detail.ByteSize() for detail in status.details)
