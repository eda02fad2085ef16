"""Notify: who may, and what is refused."""

import uuid
from typing import Any

import pytest

from dabir.notifications.v1.notifications_pb2_grpc import NotificationInternalServiceStub
from tests.contract.harness import DEADLINE_SECONDS, refusal
from tests.contract.notifications.harness import Running, notification

LETTER = f"letters/{uuid.uuid4()}"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event_type": "delivery.eaten"}, "EVENT_TYPE_UNKNOWN"),
        ({"letter": "letters/7"}, "NOTIFICATION_INVALID"),
        ({"delivery": f"letters/{uuid.uuid4()}/deliveries/1"}, "NOTIFICATION_INVALID"),
        ({"delivery": f"{LETTER}/deliveries/501"}, "NOTIFICATION_INVALID"),
        ({"sender_body": "bodies/Ministry"}, "NOTIFICATION_INVALID"),
        ({"notification_id": "7"}, "REQUEST_INVALID"),
        ({"body": "bank"}, "REQUEST_INVALID"),
        ({"occurred_at": None}, "REQUEST_INVALID"),
    ],
)
async def test_what_makes_no_sense_is_refused(service: Running, fields: dict[str, Any], reason: str) -> None:
    refused = await refusal(service.notify(f"{LETTER}/deliveries/1", **fields))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert service.hub.rows(b"SELECT FROM notifications.notification") == []


async def test_an_id_stands_for_one_notification(service: Running) -> None:
    told = str(uuid.uuid4())
    await service.notify(f"{LETTER}/deliveries/1", notification_id=told)
    for fields in ({"event_type": "delivery.late"}, {"body": "bodies/interior"}, {"sender_body": ""}):
        refused = await refusal(service.notify(f"{LETTER}/deliveries/1", notification_id=told, **fields))
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "NOTIFICATION_ID_REUSED")
    assert service.hub.rows(b"SELECT event_type FROM notifications.notification") == [("delivery.available",)]


async def test_only_workers_notify(service: Running) -> None:
    stub = await service.stub("bank", NotificationInternalServiceStub)
    refused = await refusal(stub.Notify(notification(f"{LETTER}/deliveries/1"), timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
