"""Messages of what is stored, and the other way round."""

from collections.abc import Iterable
from uuid import UUID

from dabir.common.v1.manifest_pb2 import Classification
from dabir.notifications.v1 import notifications_pb2 as pb
from services.notifications.domain import quiet
from services.notifications.domain.endpoint import EMAIL, ENGLISH, PERSIAN, Endpoint, Target
from services.notifications.domain.notification import DELIVERED, FAILED, NOT_TOLD, WAITING
from services.notifications.domain.quiet import QuietHours
from services.notifications.store.links import DownLink
from services.notifications.store.notifications import Attempt, Told
from services.runtime.instants import optional_timestamp, timestamp

STATES = {
    WAITING: pb.NOTIFICATION_STATE_WAITING,
    DELIVERED: pb.NOTIFICATION_STATE_DELIVERED,
    FAILED: pb.NOTIFICATION_STATE_FAILED,
    NOT_TOLD: pb.NOTIFICATION_STATE_NOT_TOLD,
}
STATE_NAMES = {number: name for name, number in STATES.items()}


def target(request: pb.CreateEndpointRequest) -> Target:
    """Where an endpoint is to be."""
    url = request.url or None
    if not request.HasField("email"):
        return Target(url=url)
    language = ENGLISH if request.email.language == pb.LANGUAGE_ENGLISH else PERSIAN
    return Target(url=url, email_address=request.email.address, email_language=language)


def quiet_hours(request: pb.SetQuietHoursRequest) -> QuietHours | None:
    """Raises QuietHoursInvalid."""
    given = request.quiet_hours
    return quiet.read(given.start, given.end, given.time_zone) if request.HasField("quiet_hours") else None


def endpoint(stored: Endpoint) -> pb.Endpoint:
    message = pb.Endpoint(
        name=stored.name,
        url=stored.url or "",
        event_types=stored.event_types,
        create_time=timestamp(stored.created_at),
        state=_endpoint_state(stored),
        failing_since=optional_timestamp(stored.failing_since),
        disable_time=optional_timestamp(stored.disabled_at),
        disable_reason=stored.disabled_reason or "",
        clearance=Classification.ValueType(stored.clearance),
    )
    if stored.channel == EMAIL:
        language = pb.LANGUAGE_ENGLISH if stored.email_language == ENGLISH else pb.LANGUAGE_PERSIAN
        message.email.CopyFrom(pb.Email(address=stored.email_address or "", language=language))
    if (hours := stored.quiet_hours) is not None:
        start, end = hours.start.isoformat("minutes"), hours.end.isoformat("minutes")
        message.quiet_hours.CopyFrom(pb.QuietHours(start=start, end=end, time_zone=hours.zone))
    return message


def notification(stored: Told, attempts: Iterable[Attempt]) -> pb.Notification:
    told = stored.notification
    return pb.Notification(
        name=told.name,
        event_type=told.event_type,
        letter=told.letter,
        delivery=told.delivery,
        occurred_at=timestamp(told.occurred_at),
        create_time=timestamp(stored.created_at),
        state=STATES[stored.state],
        statement=_statement(stored.statement),
        attempts=[_attempt(told.body, attempt) for attempt in attempts],
    )


def down_link(link: DownLink) -> pb.DownLink:
    return pb.DownLink(
        body=link.body,
        since=timestamp(link.since),
        waiting=link.waiting,
        oldest=optional_timestamp(link.oldest),
        pause_time=optional_timestamp(link.paused_at),
    )


def _attempt(body: str, attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        endpoint=f"{body}/endpoints/{attempt.endpoint}",
        state=STATES[attempt.outcome or WAITING],
        tries=attempt.tries,
        last_result=attempt.last_result or "",
        next_time=timestamp(attempt.next_at) if attempt.outcome is None else None,
    )


def _endpoint_state(stored: Endpoint) -> pb.EndpointState.ValueType:
    if stored.disabled_at is not None:
        return pb.ENDPOINT_STATE_DISABLED
    return pb.ENDPOINT_STATE_ACTIVE if stored.failing_since is None else pb.ENDPOINT_STATE_FAILING


def _statement(statement: UUID | None) -> str:
    return "" if statement is None else f"statements/{statement}"
