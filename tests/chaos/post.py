"""The systems of the bodies that take part: who sends, who receives and where they are told, and what is written."""

import functools
import itertools
import uuid
from collections.abc import Sequence
from pathlib import Path

from dabir.client import Client
from dabir.client.journal import LetterEntry
from dabir.intake.v1.sender_service_pb2 import SubmitLetterRequest, SubmitLetterResponse
from dabir.notifications.v1.notifications_pb2 import CreateEndpointRequest
from infra.demo.hooks import Receivers
from infra.local.members import Member, members, profile_folder
from infra.local.stack import Stack
from tests.chaos.letters import BODIES, Kind
from tests.unit.documents.files import pdf

LARGE_BYTES = 9 << 20
"""More than a segment (8 MiB): such a document's upload can stop half way."""


class Post:
    """A client for each body, connected once and used until the end, as a member's system is. Use it as a context."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self.members: dict[str, Member] = {member.id: member for member in members()}
        self.profiles = {body: profile_folder(stack, self.members[body]) for body in BODIES}
        self.clients = {body: Client.from_profile(folder / "profile.toml") for body, folder in self.profiles.items()}
        self.hooks = Receivers(BODIES)
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Post":
        self.hooks.__enter__()
        for body in BODIES:
            hub = self.clients[body].hub
            request = CreateEndpointRequest(endpoint_id=str(uuid.uuid4()), url=self.hooks.urls[body])
            self.hooks.trust(body, hub.call(hub.notifications.CreateEndpoint, request).secret)
        return self

    def __exit__(self, *_: object) -> None:
        self.hooks.__exit__()
        for client in self.clients.values():
            client.close()

    def write(
        self,
        sender: str,
        recipients: Sequence[str],
        kind: Kind = Kind.LETTER,
        *,
        large: bool = False,
        answers: str = "",
    ) -> LetterEntry:
        """A signed letter in the sender's journal.

        A page, and with `large` an annex of more than one segment; `answers`: the delivery that it is a reply to.
        """
        number = next(self._numbers)
        files = [self._file(f"letter-{number}.pdf", b"")]
        if large:
            files.append(self._file(f"annex-{number}.pdf", number.to_bytes(8, "big") * (LARGE_BYTES // 8)))
        letter = kind.manifest(number, [self.members[body].office for body in recipients])
        client = self.clients[sender]
        return client.reply(answers, letter, files) if answers else client.compose(letter, files)

    def submit_again(self, sender: str, entry: LetterEntry) -> SubmitLetterResponse:
        """Sends a registered letter's very bytes once more; the hub's answer."""
        hub = self.clients[sender].hub
        request = SubmitLetterRequest(manifest=entry.manifest, signatures=entry.signatures, documents=entry.documents)
        # gRPC does not repeat it: a connection may still be on its way back from what was killed.
        return hub.call(functools.partial(hub.sender.SubmitLetter, wait_for_ready=True), request)

    def _file(self, name: str, attachment: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(pdf(attachment=attachment))
        return file
