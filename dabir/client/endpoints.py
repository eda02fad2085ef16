"""Where the hub tells our body that something waits."""

from dabir.client.errors import RefusedError
from dabir.client.hub import Hub
from dabir.client.journal import Journal
from dabir.notifications.v1.notifications_pb2 import (
    ENDPOINT_STATE_DISABLED,
    CreateEndpointRequest,
    EnableEndpointRequest,
)

_MOST_ENDED = 1000
"""Endpoints deleted one after the other at one URL: a hub that knows every id is asked no further."""


def webhook_secret(hub: Hub, journal: Journal, url: str) -> str:
    """The secret of our endpoint at `url`, which is made if there is none, and sends again if it was disabled.

    Its id stands in the journal before it is used. That of a deleted endpoint is not used again: then its successor's
    is, which is the same to every process of ours.
    """
    ended = ""
    for left in reversed(range(_MOST_ENDED)):
        endpoint_id = journal.endpoint_id(url, ended)
        try:
            made = hub.call(hub.notifications.CreateEndpoint, CreateEndpointRequest(endpoint_id=endpoint_id, url=url))
        except RefusedError as error:
            if error.reason != "ENDPOINT_ID_REUSED" or not left:
                raise
            ended = endpoint_id
            continue
        if made.endpoint.state == ENDPOINT_STATE_DISABLED:
            hub.call(hub.notifications.EnableEndpoint, EnableEndpointRequest(name=made.endpoint.name))
        return made.secret
    raise AssertionError("the last of them returns or raises")
