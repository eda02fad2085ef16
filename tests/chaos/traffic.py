"""Letters under way: bodies send, sign for and save at the same time, and try again while the hub is away."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from dabir.client import UnavailableError
from dabir.client.journal import LetterEntry
from dabir.client.receiving import Decided
from dabir.client.sending import Sent
from dabir.formats import names
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_AVAILABLE
from tests.chaos.post import LETTER, NOTICE, RECIPIENTS, SENDERS, Post

LETTERS = 5
AGAIN_SECONDS = 0.1
FINISH_SECONDS = 120.0

T = TypeVar("T")


def persist(call: Callable[[], T], over: threading.Event) -> T:
    """The call's answer, however often it takes. Raises what is no outage, and the outage itself once all is over."""
    while True:
        try:
            return call()
        except UnavailableError:
            if over.wait(AGAIN_SECONDS):
                raise


class Moment(Enum):
    """What happens in traffic, at the moment it happens."""

    UPLOADING = "a document's bytes are being sent"
    SUBMITTING = "a letter's documents are up, and it is submitted now"
    ACKNOWLEDGED = "a letter was answered with its number"
    ACCEPTED = "a delivery was signed for"
    SAVING = "a document's bytes are being fetched"


@dataclass
class Travelled:
    """A letter of the traffic: who sent it to whom, what the hub answered, and what the recipients got, by delivery."""

    sender: str
    recipients: tuple[str, ...]
    closes: bool
    """Its story ends when every recipient has signed for it."""
    entry: LetterEntry
    sent: Sent | None = None
    decided: dict[str, Decided] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.entry.letter

    def deliveries(self) -> dict[str, str]:
        """The recipient of each delivery, by the delivery's name."""
        return {names.delivery(self.name, place): body for place, body in enumerate(self.recipients, start=1)}


class Traffic:
    """A few letters on their way, from the start of the block. At its end every thread is gone.

    Who sends what to whom is drawn from `chance`; one letter has an annex of more than one segment, some close.
    """

    def __init__(self, post: Post, chance: random.Random) -> None:
        self._post = post
        kinds = chance.sample((LETTER, LETTER, NOTICE, NOTICE, NOTICE), LETTERS)
        plan = [(kind, tuple(chance.sample(RECIPIENTS, chance.choice((1, 1, 2))))) for kind in kinds]
        self._plan = {sender: plan[place :: len(SENDERS)] for place, sender in enumerate(SENDERS)}
        self._large = (chance.choice(SENDERS), 0)
        self._expected = Counter(body for _, recipients in plan for body in recipients)
        self._letters: dict[str, Travelled] = {}
        self._moments: Counter[Moment] = Counter()
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(len(SENDERS) + len(RECIPIENTS), thread_name_prefix="member")
        self._running: list[Future[None]] = []

    def __enter__(self) -> "Traffic":
        self._running = [self._threads.submit(self._send_all, body) for body in SENDERS]
        self._running += [self._threads.submit(self._receive_all, body) for body in RECIPIENTS]
        for running in self._running:
            running.add_done_callback(lambda _: self._note(None))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown()

    def wait_for(self, moment: Moment, times: int) -> None:
        """Returns when this has happened so often. Fails when a member's system failed before."""

        def happened() -> bool:
            return self._moments[moment] >= times or any(one.done() and one.exception() for one in self._running)

        with self._changed:
            assert self._changed.wait_for(happened, FINISH_SECONDS), f"never so often: {moment.value}"
        for running in self._running:
            if running.done():
                running.result()

    def finish(self) -> list[Travelled]:
        """Returns when every letter was acknowledged, and every delivery of it signed for and saved.

        Raises what a member's system could not deal with.
        """
        deadline = time.monotonic() + FINISH_SECONDS
        for running in self._running:
            running.result(max(0.0, deadline - time.monotonic()))
        return list(self._letters.values())

    def _send_all(self, sender: str) -> None:
        client = self._post.clients[sender]
        for place, (kind, recipients) in enumerate(self._plan[sender]):
            entry = self._post.write(sender, recipients, kind, large=(sender, place) == self._large)
            travelled = Travelled(sender, recipients, kind == NOTICE, entry)
            self._letters[entry.letter] = travelled
            tries = 0

            def send(entry: LetterEntry = entry) -> Sent:
                nonlocal tries
                tries += 1
                return client.send(entry, self._uploading, resumed=tries > 1)

            travelled.sent = persist(send, self._over)
            self._note(Moment.ACKNOWLEDGED)

    def _receive_all(self, recipient: str) -> None:
        client, saved = self._post.clients[recipient], 0
        while saved < self._expected[recipient]:
            for envelope in persist(lambda: list(client.envelopes(state=DELIVERY_STATE_AVAILABLE)), self._over):
                letter = self._letters.get(envelope.letter)
                if letter is not None:
                    self._take_in(recipient, letter, envelope.delivery)
                    saved += 1
            assert not self._over.wait(AGAIN_SECONDS), "the traffic was ended before its letters had arrived"

    def _take_in(self, recipient: str, letter: Travelled, delivery: str) -> None:
        client, folder = self._post.clients[recipient], self._post.folder / delivery.replace("/", "-")
        letter.decided[delivery] = persist(lambda: client.accept(delivery), self._over)
        self._note(Moment.ACCEPTED)
        persist(lambda: client.save(delivery, folder, lambda *_: self._note(Moment.SAVING)), self._over)

    def _uploading(self, _index: int, moved_bytes: int, size_bytes: int) -> None:
        self._note(Moment.SUBMITTING if moved_bytes == size_bytes else Moment.UPLOADING)

    def _note(self, moment: Moment | None) -> None:
        with self._changed:
            if moment is not None:
                self._moments[moment] += 1
            self._changed.notify_all()
