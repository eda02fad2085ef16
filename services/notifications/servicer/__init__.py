"""notifications on the wire: proto in, proto out."""

from collections.abc import Callable, Sequence

from dabir.notifications.v1.notifications_pb2_grpc import (
    add_NotificationInternalServiceServicer_to_server,
    add_NotificationServiceServicer_to_server,
)
from services.notifications.config import NotificationsConfig
from services.notifications.servicer.internal import NotificationInternalServicer
from services.notifications.servicer.members import NotificationServicer
from services.runtime.database import Pool
from services.runtime.server import Service


def services(config: NotificationsConfig, pool: Pool, wake: Callable[[], None]) -> Sequence[Service]:
    """What is served. `wake` is called when something may be due."""
    return [
        Service(
            "dabir.notifications.v1.NotificationService",
            add_NotificationServiceServicer_to_server,
            NotificationServicer(config, pool, wake),
        ),
        Service(
            "dabir.notifications.v1.NotificationInternalService",
            add_NotificationInternalServiceServicer_to_server,
            NotificationInternalServicer(config, pool, wake),
        ),
    ]
