"""A client's endpoint at the hub, asked for again and again."""

from pathlib import Path

import psycopg
import pytest

from dabir.client import Client, RefusedError
from dabir.notifications.v1.notifications_pb2 import (
    ENDPOINT_STATE_ACTIVE,
    DeleteEndpointRequest,
    Endpoint,
    ListEndpointsRequest,
)
from infra.local.members import members, profile_folder
from infra.local.stack import Stack

URL = "http://127.0.0.1:9/told"


def endpoints(client: Client) -> list[Endpoint]:
    listed = client.hub.call(client.hub.notifications.ListEndpoints, ListEndpointsRequest())
    return [endpoint for endpoint in listed.endpoints if endpoint.url == URL]


def disable(stack: Stack, name: str) -> None:
    query = "UPDATE notifications.endpoint SET disabled_at = now(), disabled_reason = 'HTTP_410' WHERE id = %s"
    with psycopg.connect(stack.database_url("dabir")) as connection:
        assert connection.execute(query, (name.rpartition("/")[2],)).rowcount == 1


def test_an_endpoint_is_made_once_and_again_when_it_was_deleted(stack: Stack) -> None:
    member = next(member for member in members() if member.id == "enforcement")
    path: Path = profile_folder(stack, member) / "profile.toml"
    with Client.from_profile(path) as client:
        secret = client.webhook_secret(URL)
        assert secret.startswith("whsec_")
    with Client.from_profile(path) as client:  # another process, later
        assert client.webhook_secret(URL) == secret
        (made,) = endpoints(client)
        client.hub.call(client.hub.notifications.DeleteEndpoint, DeleteEndpointRequest(name=made.name))
        assert client.webhook_secret(URL) != secret
        (again,) = endpoints(client)
        assert again.name != made.name
    with Client.from_profile(path) as client:  # by the deleted one's id to the one that came after it
        client.webhook_secret(URL)
        assert endpoints(client) == [again]
        disable(stack, again.name)  # it answered 410 Gone once
        client.webhook_secret(URL)
        assert [one.state for one in endpoints(client)] == [ENDPOINT_STATE_ACTIVE]
        client.hub.call(client.hub.notifications.DeleteEndpoint, DeleteEndpointRequest(name=again.name))
        with pytest.raises(RefusedError) as refused:
            client.webhook_secret("ftp://127.0.0.1/")
        assert refused.value.reason == "URL_NOT_ALLOWED"
