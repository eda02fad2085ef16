"""A recall through the whole stack: what was not accepted is withdrawn, and whoever accepted is asked."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dabir.client import RECIPIENT_KIND_TO, Client, Manifest, Recipient
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_AVAILABLE,
    DELIVERY_STATE_WITHDRAWN,
    LETTER_STATE_CLOSED,
    DeliveryState,
)
from dabir.notifications.v1.notifications_pb2 import (
    CreateEndpointRequest,
    DeleteEndpointRequest,
    ListNotificationsRequest,
)
from infra.local.members import members, profile_folder
from infra.local.stack import Stack
from tests.unit.documents.files import pdf
from tests.waiting import until

SENDER, FIRST, SECOND, THIRD = "interior", "sample-bank", "second-bank", "tax"
NOWHERE = "https://receiver.dabir.invalid/"
"""Nobody is reached there: what a body was told is read from its list of notifications."""


class Letter:
    """A letter in three mailboxes: the first has accepted it, and the third, which has not, keeps it open."""

    def __init__(self, bodies: dict[str, Client], offices: dict[str, str], folder: Path) -> None:
        self.sender, self.first, self.second, self.third = (bodies[body] for body in (SENDER, FIRST, SECOND, THIRD))
        file = folder / "letter.pdf"
        file.write_bytes(pdf())
        manifest = Manifest(
            definition="definitions/demo-notice/1",
            subject="بازخواست",
            recipients=[Recipient(office=offices[body], kind=RECIPIENT_KIND_TO) for body in (FIRST, SECOND, THIRD)],
        )
        self.name = self.sender.send(self.sender.compose(manifest, [file])).letter.name
        until("all have it", lambda: self.states() == [DELIVERY_STATE_AVAILABLE] * 3)
        self.first.accept(self.delivery(1))

    def delivery(self, number: int) -> str:
        return f"{self.name}/deliveries/{number}"

    def states(self) -> list[DeliveryState.ValueType]:
        return [delivery.state for delivery in self.sender.sent_deliveries(self.name)]

    def told(self, client: Client) -> set[str]:
        """Of what a body was told about this letter."""
        found = client.hub.call(client.hub.notifications.ListNotifications, ListNotificationsRequest()).notifications
        return {notification.event_type for notification in found if notification.letter == self.name}


@pytest.fixture
def letter(stack: Stack, tmp_path: Path) -> Iterator[Letter]:
    found = {member.id: member for member in members()}
    with ExitStack() as clients:
        bodies = {
            body: clients.enter_context(Client.from_profile(profile_folder(stack, found[body]) / "profile.toml"))
            for body in (SENDER, FIRST, SECOND, THIRD)
        }
        for client in bodies.values():
            request = CreateEndpointRequest(endpoint_id=str(uuid.uuid4()), url=NOWHERE)
            made = client.hub.call(client.hub.notifications.CreateEndpoint, request).endpoint
            end = DeleteEndpointRequest(name=made.name)
            clients.callback(client.hub.call, client.hub.notifications.DeleteEndpoint, end)
        yield Letter(bodies, {body: found[body].office for body in bodies}, tmp_path)


def test_a_recall_withdraws_asks_and_is_granted(letter: Letter) -> None:
    letter.sender.recall(letter.name, "به اشتباه فرستاده شد", [letter.delivery(1), letter.delivery(2)])
    until("the second is told", lambda: letter.told(letter.second) == {"delivery.available", "delivery.withdrawn"})
    until("the first is asked", lambda: letter.told(letter.first) == {"delivery.available", "delivery.recall_asked"})
    assert letter.states() == [DELIVERY_STATE_ACCEPTED, DELIVERY_STATE_WITHDRAWN, DELIVERY_STATE_AVAILABLE]
    letter.first.answer_recall(letter.delivery(1), grant=True)
    until("the sender is told", lambda: letter.told(letter.sender) == {"delivery.recall_answered"})
    letter.third.accept(letter.delivery(3))
    until("the letter closes", lambda: letter.sender.letter(letter.name).state == LETTER_STATE_CLOSED)
    assert letter.states() == [DELIVERY_STATE_WITHDRAWN, DELIVERY_STATE_WITHDRAWN, DELIVERY_STATE_ACCEPTED]
