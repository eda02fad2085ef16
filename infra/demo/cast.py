"""Who plays: a client for each body of the demo, and the endpoints where the hub tells it."""

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from dabir.client import Client, RefusedError
from dabir.notifications.v1.notifications_pb2 import CreateEndpointRequest, DeleteEndpointRequest
from infra.demo.hooks import Receivers
from infra.local.members import Member, members, profile_folder
from infra.local.stack import Stack, write


class Cast:
    """Clients by body id, each from the profile that the stack wrote. Use it as a context: it closes them."""

    def __init__(self, stack: Stack) -> None:
        self.members: dict[str, Member] = {member.id: member for member in members()}
        self._stack = stack
        self._clients: dict[str, Client] = {}
        self._turns = {body: threading.Lock() for body in self.members}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, body: str) -> Client:
        """The body's client, connected when it is first needed."""
        if body not in self._clients:
            self._clients[body] = Client.from_profile(profile_folder(self._stack, self.members[body]) / "profile.toml")
        return self._clients[body]

    @contextlib.contextmanager
    def using(self, body: str) -> Iterator[Client]:
        """The body's client, for one thread at a time."""
        with self._turns[body]:
            yield self.client(body)

    def office(self, body: str) -> str:
        """`bodies/{body}/offices/main`, also for a body that has not joined."""
        return f"bodies/{body}/offices/main"


class Endpoints:
    """The demo's endpoints at the hub: noted in a file before they are made, so that a killed demo's are ended too."""

    def __init__(self, cast: Cast, receivers: Receivers, folder: Path) -> None:
        self._cast = cast
        self._receivers = receivers
        self._file = folder / "endpoints.json"
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> None:
        self._end_all()
        chosen = {body: str(uuid.uuid4()) for body in self._receivers.urls}
        write(self._file, json.dumps(chosen))
        for body, endpoint_id in chosen.items():
            hub = self._cast.client(body).hub
            request = CreateEndpointRequest(endpoint_id=endpoint_id, url=self._receivers.urls[body])
            self._receivers.trust(body, hub.call(hub.notifications.CreateEndpoint, request).secret)

    def __exit__(self, *_: object) -> None:
        self._end_all()

    def _end_all(self) -> None:
        if not self._file.exists():
            return
        for body, endpoint_id in json.loads(self._file.read_text(encoding="utf-8")).items():
            hub = self._cast.client(body).hub
            request = DeleteEndpointRequest(name=f"bodies/{body}/endpoints/{endpoint_id}")
            try:
                hub.call(hub.notifications.DeleteEndpoint, request)
            except RefusedError as error:
                if error.code != "NOT_FOUND":  # killed before it was made
                    raise
        self._file.unlink()
