"""What the plan says must be stated of a letter, and how its deliveries must stand in the end. Pure."""

from collections.abc import Iterable, Sequence

from dabir.client.trust import Proven
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from infra.demo.plan import Letter, Outcome, To
from infra.demo.play import Travelled

_ACCEPTED = {Event.AVAILABLE, Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_HANDOVER}
_EVENTS = {
    Outcome.ACCEPTED: _ACCEPTED,
    Outcome.REFUSED: {Event.AVAILABLE, Event.CONSIGNMENT_REJECTION},
    Outcome.ACCEPTED_LATE: _ACCEPTED | {Event.ACCEPTANCE_REJECTION_EXPIRY},
    Outcome.RETURNED: _ACCEPTED | {Event.RETURNED},
    Outcome.WITHDRAWN: {Event.AVAILABLE, Event.WITHDRAWN},
    Outcome.RECALL_REFUSED: _ACCEPTED | {Event.RECALL_ANSWERED},
}
_STATES = {
    Outcome.ACCEPTED: letter_pb2.DELIVERY_STATE_ACCEPTED,
    Outcome.REFUSED: letter_pb2.DELIVERY_STATE_REFUSED,
    Outcome.ACCEPTED_LATE: letter_pb2.DELIVERY_STATE_ACCEPTED,
    Outcome.RETURNED: letter_pb2.DELIVERY_STATE_RETURNED,
    Outcome.WITHDRAWN: letter_pb2.DELIVERY_STATE_WITHDRAWN,
    Outcome.RECALL_REFUSED: letter_pb2.DELIVERY_STATE_ACCEPTED,
}
_TOLD = {Event.NOTIFICATION_FOR_ACCEPTANCE}
"""Stated when a hook was taken: of the play's course it says nothing, and it may come late."""


def is_answered(planned: Letter, to: To, registered: Iterable[Travelled]) -> bool:
    """Whether a letter of the plan answers the delivery to this recipient."""
    return any((one.planned.answers, one.planned.sender) == (planned.number, to.body) for one in registered)


def is_open(to: To) -> bool:
    """Whether the recipient may read the content."""
    return to.outcome not in (Outcome.REFUSED, Outcome.WITHDRAWN)


def state(to: To, *, answered: bool) -> letter_pb2.DeliveryState.ValueType:
    """How its delivery stands in the end."""
    return letter_pb2.DELIVERY_STATE_ANSWERED if answered else _STATES[to.outcome]


def events(one: Travelled, registered: Sequence[Travelled]) -> set[str]:
    """`subject event` of everything that must be stated of a letter."""
    expected = {f"{one.name} {Event.SUBMISSION_ACCEPTANCE}"}
    if one.planned.closes:
        expected.add(f"{one.name} {Event.CLOSED}")
    if one.planned.is_recalled:
        expected.add(f"{one.name} {Event.RECALL}")
    for place, to in enumerate(one.planned.recipients, start=1):
        of_delivery = _EVENTS[to.outcome] | _TOLD
        if is_answered(one.planned, to, registered):
            of_delivery = of_delivery | {Event.ANSWERED}
        if to.read_by:
            of_delivery = of_delivery | {Event.CONTENT_ACCESS_TRACKING}
        expected |= {f"{one.delivery(place)} {event}" for event in of_delivery}
    return expected


def told(stated: Iterable[Proven]) -> set[str]:
    """`subject event` of statements."""
    return {f"{proven.subject} {proven.event}" for proven in stated}
