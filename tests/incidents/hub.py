"""The stack that incidents are made on, the systems of its bodies, and what is done to both."""

import itertools
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket

import psycopg

from dabir.client import RECIPIENT_KIND_TO, Client, Manifest, Recipient
from dabir.common.v1.manifest_pb2 import PRIORITY_IMMEDIATE, PRIORITY_NORMAL
from dabir.formats import names
from dabir.intake.v1.letter_pb2 import SentDelivery
from infra.local import control, postgres
from infra.local.members import members, profile_folder
from infra.local.stack import Stack
from tests.chaos.faults import kill, wait_until_back
from tests.unit.documents.files import pdf
from tests.waiting import until

ADMINISTRATIVE = "definitions/administrative/1"
FREEZE_ORDER = "definitions/incident-freeze-order/1"
NOTICE = "definitions/incident-notice/1"
SYSTEMS = 5


class Hub:
    """Use it as a context. `stack` is at its incidents' mercy: each leaves it whole."""

    def __init__(self, stack: Stack, release: Path, folder: Path) -> None:
        self.stack, self._release, self._folder = stack, release, folder
        self._members = {member.id: member for member in members()}
        self._clients: dict[str, Client] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def profile(self, body: str) -> str:
        """The path of its profile."""
        return str(profile_folder(self.stack, self._members[body]) / "profile.toml")

    def client(self, body: str) -> Client:
        """The body's system, connected once."""
        if body not in self._clients:
            self._clients[body] = Client.from_profile(Path(self.profile(body)))
        return self._clients[body]

    def send(self, sender: str, recipients: Sequence[str], definition: str = ADMINISTRATIVE) -> str:
        """Registers a letter of one page, which waits for every recipient's acceptance; its name."""
        return self._send(self.client(sender), recipients, definition)

    def send_many(self, sender: str, recipients: Sequence[str], count: int) -> list[str]:
        """Registers so many by several systems of the body at once; a whole number for each of them."""

        def send_share(_: int) -> list[str]:
            with Client.from_profile(Path(self.profile(sender))) as client:  # one is not for several threads
                return [self._send(client, recipients, ADMINISTRATIVE) for _ in range(count // SYSTEMS)]

        with ThreadPoolExecutor(SYSTEMS) as systems:
            return [letter for sent in systems.map(send_share, range(SYSTEMS)) for letter in sent]

    def _send(self, client: Client, recipients: Sequence[str], definition: str) -> str:
        number = next(self._numbers)
        file = self._folder / f"letter-{number}.pdf"
        file.write_bytes(pdf())
        letter = Manifest(
            definition=definition,
            subject=f"نامهٔ {number}",
            priority=PRIORITY_IMMEDIATE if definition == FREEZE_ORDER else PRIORITY_NORMAL,
        )
        for body in recipients:
            office = self._members[body].office if body in self._members else f"bodies/{body}/offices/main"
            letter.recipients.append(Recipient(office=office, kind=RECIPIENT_KIND_TO, acceptance_needed=True))
        client.send(entry := client.compose(letter, [file]))
        return entry.letter

    def number(self, sender: str, letter: str) -> str:
        """Its registry number."""
        return self.client(sender).letter(letter).registry_number.text

    def standing(self, sender: str, letter: str) -> SentDelivery:
        """Where its one delivery stands, as its sender sees it."""
        (delivery,) = self.client(sender).sent_deliveries(letter)
        return delivery

    def accept(self, body: str, letter: str, number: int = 1) -> None:
        """Its recipient signs for it, as soon as it is in the mailbox."""
        delivery = names.delivery(letter, number)
        client = self.client(body)
        until(f"{delivery} is in the mailbox", lambda: delivery in {one.delivery for one in client.envelopes()})
        client.accept(delivery)

    def sql(self, statement: str, *values: object) -> int:
        """Changes rows behind the services' backs; how many."""
        with psycopg.connect(self.stack.database_url(postgres.OWNER)) as connection:
            return connection.execute(statement.encode(), values).rowcount

    @contextmanager
    def workers_held(self) -> Iterator[None]:
        """No worker runs meanwhile; then one starts."""
        held = self._release / "held"
        held.touch()
        self.restart("workers", wait=False)
        try:
            yield
        finally:
            held.unlink()

    @contextmanager
    def changed_release(self) -> Iterator[None]:
        """Workers of a release whose story is another one run; then the former release is back in its place."""
        changed = self._release / "changed"
        changed.touch()
        try:
            self.restart("workers")
            yield
        finally:
            changed.unlink()

    def restart(self, process: str, *, wait: bool = True) -> None:
        """Ends a process as a roll-out does; the supervisor starts it again."""
        pid = self.pid(process)
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        if wait:
            self.came_back(process, pid)
        else:
            until(f"{process} ended", lambda: self.pid(process) != pid)

    def pid(self, process: str) -> int | None:
        """Of a process of the stack, if it runs."""
        found: int | None = control.status(self.stack.directory)[process]["pid"]
        return found

    def came_back(self, process: str, pid: int) -> None:
        """Returns when it is another process than that one, and everything is up."""
        wait_until_back(self.stack, {process: pid})

    def whole(self) -> None:
        """Returns when every process is up."""
        wait_until_back(self.stack, {})

    @contextmanager
    def outage(self, part: str, port: str) -> Iterator[None]:
        """Kills a part and takes its port, so that it cannot come back: what a stranger's server does."""
        kill(self.stack, part)
        with closing(_take(self.stack.port(port))) as listener:
            turning_away = threading.Thread(target=_turn_away, args=(listener,))
            turning_away.start()
            try:
                yield
            finally:
                listener.shutdown(SHUT_RDWR)
                turning_away.join()
        self.whole()


def _take(port: int) -> socket:
    """A listener on the port, as soon as it is free."""
    taken: list[socket] = []

    def take() -> bool:
        with suppress(OSError):
            taken.append(create_server(("127.0.0.1", port)))
        return bool(taken)

    until(f"port {port} is ours", take)
    return taken[0]


def _turn_away(listener: socket) -> None:
    """Ends every connection at once, until the listener is shut down."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.close()
