"""The channel of webhooks: one signed POST (Standard Webhooks 1.0.0)."""

from datetime import UTC, datetime

from services.notifications.domain import tries, webhook
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result
from services.notifications.places import Keep
from services.runtime.outgoing import Outgoing, OutgoingFailed


class Webhooks:
    """Sends to the url of an endpoint, signed with its secret and with those it replaced lately."""

    def __init__(self, outgoing: Outgoing, at_once: int) -> None:
        self._outgoing, self.at_once = outgoing, at_once

    async def send(self, endpoint: Endpoint, notification: Notification, keep: Keep, /) -> Result:
        body, now = webhook.payload(notification), datetime.now(UTC)
        headers = webhook.headers(notification.id, body, [endpoint.secret, *endpoint.replaced_secrets], now)
        try:
            answer = await self._outgoing.post(endpoint.url or "", body, headers)
        except OutgoingFailed as failure:
            if failure.lookup is not None:
                keep(failure.lookup)
            return Result(failure.reason, final=failure.reason == "URL_INVALID")
        return tries.answered(answer.status, answer.retry_after, datetime.now(UTC))
