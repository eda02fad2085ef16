"""Where the hub tells our body that something waits."""

from dabir.client.errors import RefusedError
from dabir.client.hub import Hub
from dabir.client.journal import Journal
from dabir.notifications.v1.notifications_pb2 import CreateEndpointRequest


def webhook_secret(hub: Hub, journal: Journal, url: str) -> str:
    """The secret of our endpoint at `url`, which is made if there is none: its id stands in the journal before."""
    try:
        return _asked(hub, journal, url)
    except RefusedError as error:
        if error.reason != "ENDPOINT_ID_REUSED":
            raise
        journal.drop_endpoint(url)  # the endpoint was deleted, and its id with it
        return _asked(hub, journal, url)


def _asked(hub: Hub, journal: Journal, url: str) -> str:
    request = CreateEndpointRequest(endpoint_id=journal.endpoint_id(url), url=url)
    return hub.call(hub.notifications.CreateEndpoint, request).secret
