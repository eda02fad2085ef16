"""Letters under way: bodies send, sign for and save at the same time, and try again while the hub is away."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from dabir.client import RefusedError, UnavailableError
from dabir.client.journal import LetterEntry
from dabir.client.receiving import Decided
from dabir.client.sending import Sent
from dabir.formats import names
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_AVAILABLE
from infra.demo import faulty, plan
from tests.chaos.letters import BODIES, Kind, Planned, draw
from tests.chaos.post import Post

AGAIN_SECONDS = 0.2
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
    REFUSING = "a delivery is refused now"
    ANSWERING = "a reply's document is up, and it is submitted now"


PHASES = (
    (Moment.UPLOADING, Moment.SUBMITTING, Moment.ACKNOWLEDGED),
    (Moment.ACCEPTED, Moment.SAVING),
    (Moment.REFUSING, Moment.ANSWERING),
)
"""The course of a traffic. What dies in one of them is missed: letters still need every process of the hub.

The last two moments are certain to happen once, the others twice, and then with more letters still to be taken in.
"""


def draw_moment(chance: random.Random, phase: tuple[Moment, ...]) -> tuple[Moment, int]:
    """One of the phase's moments, and for which time it happens."""
    return chance.choice(phase), 1 if phase is PHASES[-1] else chance.choice((1, 2))


@dataclass
class Travelled:
    """A letter of the traffic: what the hub answered its sender, and what the recipients got and did, by delivery."""

    kind: Kind
    sender: str
    recipients: tuple[str, ...]
    entry: LetterEntry
    sent: Sent | None = None
    refused: RefusedError | None = None
    """Of one that must not be registered."""
    decided: dict[str, Decided] = field(default_factory=dict)
    replies: dict[str, "Travelled"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.entry.letter

    def deliveries(self) -> dict[str, str]:
        """The recipient of each delivery, by the delivery's name."""
        return {names.delivery(self.name, place): body for place, body in enumerate(self.recipients, start=1)}


class Traffic:
    """A few letters on their way, from the start of the block, and their answers. At its end every thread is gone.

    What is sent is drawn from `chance` (letters.py). Each body's system sends what it has to, and then takes in,
    refuses and answers what comes, until all has come.
    """

    def __init__(self, post: Post, chance: random.Random) -> None:
        self._post = post
        self._plan = draw(chance)
        print(*self._plan, sep="\n")
        self._expected = Counter[str]()
        for planned in self._plan:
            if planned.kind is not Kind.WRONG_DIGEST:
                self._expected.update(planned.recipients)
            if planned.kind is Kind.QUESTION:
                self._expected[planned.sender] += len(planned.recipients)
        self._letters: dict[str, Travelled] = {}
        self._moments: Counter[Moment] = Counter()
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(len(BODIES), thread_name_prefix="member")
        self._running: list[Future[None]] = []

    def __enter__(self) -> "Traffic":
        for body in BODIES:
            running = self._threads.submit(self._live, body)
            self._running.append(running)
            running.add_done_callback(lambda _: self._note(None))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown()

    def wait_for(self, moment: Moment, times: int) -> None:
        """Returns when this has happened so often, letters under way. Fails when a member's system failed before."""

        def happened() -> bool:
            return self._moments[moment] >= times or any(one.done() and one.exception() for one in self._running)

        with self._changed:
            assert self._changed.wait_for(happened, FINISH_SECONDS), f"never so often: {moment.value}"
        for running in self._running:
            if running.done():
                running.result()
        assert not all(running.done() for running in self._running), f"too late, for time {times}: {moment.value}"
        print(f"now, for time {times}: {moment.value}")

    def acknowledged(self) -> set[str]:
        """The names of the letters that have their number by now."""
        return {letter.name for letter in list(self._letters.values()) if letter.sent is not None}

    def finish(self) -> list[Travelled]:
        """Returns when every letter was acknowledged, and every delivery of it decided, saved and answered as planned.

        Raises what a member's system could not deal with.
        """
        ended = wait(self._running, FINISH_SECONDS, FIRST_EXCEPTION)
        for running in ended.done:
            running.result()
        assert not ended.not_done, f"not within {FINISH_SECONDS:.0f} s: all letters arrived"
        return list(self._letters.values())

    def _live(self, body: str) -> None:
        """One body's system, to the end."""
        for planned in self._plan:
            if planned.sender == body:
                self._write_and_send(planned)
        client, came = self._post.clients[body], 0
        while came < self._expected[body]:
            for envelope in persist(lambda: list(client.envelopes(state=DELIVERY_STATE_AVAILABLE)), self._over):
                letter = self._letters.get(envelope.letter)
                if letter is not None:
                    self._take_in(body, letter, envelope.delivery)
                    came += 1
            assert not self._over.wait(AGAIN_SECONDS), "the traffic was ended before its letters had arrived"

    def _write_and_send(self, planned: Planned) -> None:
        entry = self._post.write(planned.sender, planned.recipients, planned.kind, large=planned.large)
        letter = self._letters[entry.letter] = Travelled(planned.kind, planned.sender, planned.recipients, entry)
        if planned.kind is Kind.WRONG_DIGEST:
            self._send_faulty(letter)
        else:
            self._send(letter, Moment.SUBMITTING)

    def _send(self, letter: Travelled, submitting: Moment) -> None:
        client, tries = self._post.clients[letter.sender], 0

        def uploading(_index: int, moved_bytes: int, size_bytes: int) -> None:
            self._note(submitting if moved_bytes == size_bytes else Moment.UPLOADING)

        def send() -> Sent:
            nonlocal tries
            tries += 1
            return client.send(letter.entry, uploading, resumed=tries > 1)

        letter.sent = persist(send, self._over)
        self._note(Moment.ACKNOWLEDGED)

    def _send_faulty(self, letter: Travelled) -> None:
        client = self._post.clients[letter.sender]
        try:
            persist(lambda: faulty.submit(client, letter.entry, plan.Fault.DIGEST), self._over)
        except RefusedError as error:
            letter.entry.settle_refused(error.reason, str(error))
            letter.refused = error
        assert letter.refused is not None, f"{letter.name} was registered, with the digest of another document"

    def _take_in(self, body: str, letter: Travelled, delivery: str) -> None:
        client, folder = self._post.clients[body], self._post.folder / delivery.replace("/", "-")
        if letter.kind is Kind.REFUSED:
            self._note(Moment.REFUSING)
            letter.decided[delivery] = persist(lambda: client.refuse(delivery, plan.REFUSAL_REASON), self._over)
            return
        letter.decided[delivery] = persist(lambda: client.accept(delivery), self._over)
        self._note(Moment.ACCEPTED)
        persist(lambda: client.save(delivery, folder, lambda *_: self._note(Moment.SAVING)), self._over)
        if letter.kind is Kind.QUESTION:
            self._answer(body, letter, delivery)

    def _answer(self, body: str, letter: Travelled, delivery: str) -> None:
        recipients = (letter.sender,)
        entry = persist(lambda: self._post.write(body, recipients, Kind.REPLY, answers=delivery), self._over)
        reply = self._letters[entry.letter] = Travelled(Kind.REPLY, body, recipients, entry)
        letter.replies[delivery] = reply
        self._send(reply, Moment.ANSWERING)

    def _note(self, moment: Moment | None) -> None:
        with self._changed:
            if moment is not None:
                self._moments[moment] += 1
            self._changed.notify_all()
