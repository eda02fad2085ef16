"""What came to our body, and what the ledger shows it: as the hub lists it, statements checked."""

from collections.abc import Iterator

from dabir.client.directory import pages
from dabir.client.errors import VerificationError
from dabir.client.hub import Hub
from dabir.client.trust import Proven, Trust
from dabir.evidence.v1.evidence_pb2 import ListStatementsRequest
from dabir.intake.v1 import letter_pb2, recipient_service_pb2


def envelopes(
    hub: Hub, office: str = "", state: letter_pb2.DeliveryState.ValueType = letter_pb2.DELIVERY_STATE_UNSPECIFIED
) -> Iterator[letter_pb2.Envelope]:
    """What came to our body, newest first."""
    request = recipient_service_pb2.ListDeliveriesRequest(office=office, state=state)
    yield from pages(hub, hub.recipient.ListDeliveries, request, "deliveries")


def delivery(hub: Hub, name: str) -> letter_pb2.Delivery:
    """One delivery of ours. Raises RefusedError (NOT_FOUND)."""
    return hub.call(hub.recipient.GetDelivery, recipient_service_pb2.GetDeliveryRequest(name=name)).delivery


def read_statements(hub: Hub, trust: Trust, parent: str = "") -> list[Proven]:
    """The statements about a letter, delivery or body, or all of our body's, by position.

    Raises VerificationError, also where a position comes again or goes back.

    One that the hub stated a moment ago may not be listed yet.
    """
    request = ListStatementsRequest(parent=parent, page_size=500)
    found: list[Proven] = []
    for given in pages(hub, hub.evidence.ListStatements, request, "statements"):
        proven, last = trust.statement(given), found[-1].position if found else 0
        if proven.position <= last:
            said = f"{proven.name} is listed at position {proven.position}, after {last}; keep it, report it"
            raise VerificationError("OUT_OF_ORDER", said)
        found.append(proven)
    return found
