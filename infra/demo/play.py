"""Plays the plan: bodies write, sign, send, take in, refuse, return, recall and answer, each by its own client.

A recipient acts when the hub's webhook told it that something is in its mailbox, and on nothing else. The stories of
the plan travel side by side; of one body's client only one thing is asked at a time.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dabir.cli import words
from dabir.client import Client, HeldError, RefusedError
from dabir.client.receiving import Decided
from dabir.formats import names
from dabir.formats.persian import isolate, persian_digits
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_WITHDRAWN
from infra.demo import faulty, writing
from infra.demo.annexes import Annexes
from infra.demo.cast import Cast
from infra.demo.hooks import Receivers
from infra.demo.plan import REFUSAL_REASON, RETURN_REASON, Letter, Outcome, Plan, To
from infra.demo.show import Stage

MOST_WAIT_SECONDS = 90.0
"""For a hook or a statement that must come. Long: a slow machine is no failure."""
LAST_MINUTE = timedelta(seconds=20)
"""How long before its due an answer is written that comes at the last minute."""
SIDE_BY_SIDE = 6
RECALL_REASON = "این نامه به اشتباه فرستاده شده است."


class PlayError(RuntimeError):
    """The play cannot go on; the message says what did not happen."""


@dataclass(frozen=True)
class Travelled:
    """What became of a letter of the plan, as those who played it saw it. `name` is `letters/{uuid}`."""

    planned: Letter
    name: str
    number: str = ""
    refusal_reason: str = ""

    def delivery(self, place: int) -> str:
        """The delivery to the `place`-th recipient, 1-based."""
        return names.delivery(self.name, place)

    def delivery_to(self, body: str) -> str:
        """The delivery to a body."""
        return self.delivery([to.body for to in self.planned.recipients].index(body) + 1)


@dataclass
class Play:
    """One performance. `folder` is for pages and what recipients save."""

    plan: Plan
    cast: Cast
    receivers: Receivers
    stage: Stage
    annexes: Annexes
    folder: Path
    travelled: dict[str, Travelled] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def perform(self) -> list[Travelled]:
        """The whole plan. Raises PlayError, or a ClientError that the plan does not know."""
        self.stage.scene("نامه‌ها به راه می‌افتند — the letters travel")
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="story") as stories:
            told = [stories.submit(self._tell, story) for story in self.plan.stories]
            try:
                for one in as_completed(told):
                    one.result()
            except BaseException:  # a story that cannot go on, or somebody ends the demo: the others do not either
                self._is_over.set()
                stories.shutdown(cancel_futures=True)
                raise
        self.stage.scene("آنچه ثبت نمی‌شود — what the hub refuses")
        for planned in self.plan.faulty:
            self._send_faulty(planned)
        return [self.travelled[planned.number] for planned in (*self.plan.registered, *self.plan.faulty)]

    def _tell(self, story: tuple[Letter, ...]) -> None:
        """One letter after the other; who is late comes last. One that is overtaken is taken in after what overtook."""
        overtaken = {letter.overtakes for letter in story}
        for planned in story:
            if planned.at_the_last_minute:
                self._await_last_minute(planned)
            self._send(planned)
            if planned.overtakes:
                self._receive_overtaking(planned)
            elif planned.number not in overtaken:
                self._receive(planned)
        for planned in story:
            for to in planned.recipients:
                if to.outcome is Outcome.ACCEPTED_LATE:
                    self._receive_late(planned, to)

    def _send(self, planned: Letter) -> None:
        """Composes and sends. A file that inspection rejects is taken out, told, and the letter written without it."""
        while True:
            annexed = self.annexes.of(planned)
            own = writing.pages(planned, self.cast.members, self.folder, len(annexed))
            registered = {number: one.name for number, one in self.travelled.items()}
            letter, files = writing.manifest(planned, self.cast.office, registered), [*own, *annexed]
            with self.cast.using(planned.sender) as client:
                if planned.answers:
                    asked = self.travelled[planned.answers].delivery_to(planned.sender)
                    entry = client.reply(asked, letter, files)
                else:
                    entry = client.compose(letter, files)
                try:
                    sent = client.send(entry)
                    break
                except RefusedError as error:
                    place = entry.documents.index(error.metadata["document"]) if "document" in error.metadata else 0
                    if place < len(own):
                        raise
                    rejected = self.annexes.reject(planned, files[place], error.reason, str(error))
                    self.stage.aside(f"{rejected.file.name}: {rejected.reason} — {rejected.message}", style="yellow")
        number = sent.letter.registry_number.text
        self.travelled[planned.number] = Travelled(planned, entry.letter, number)
        said = f" با {persian_digits(str(len(files) - 1))} پیوست" if len(files) > 1 else ""
        self.stage.letter(planned, f"ثبت شد{said}، شمارهٔ {isolate(number)}", style="cyan")

    def _receive(self, planned: Letter) -> None:
        """Every recipient but the late does what the plan says, once it was told."""
        for to in planned.recipients:
            if to.outcome is not Outcome.ACCEPTED_LATE:
                self._act(planned, to)

    def _act(self, planned: Letter, to: To) -> None:
        delivery = self._await_hook(planned, to)
        if to.outcome is Outcome.WITHDRAWN:
            self._recall_unopened(planned, to, delivery)
            return
        if to.outcome is Outcome.REFUSED:
            self._decide(planned, to, lambda client: client.refuse(delivery, REFUSAL_REASON))
            said = f"نپذیرفت: {words.REASONS[REFUSAL_REASON][0]}"
            self.stage.delivery(planned, to.body, said, style="magenta")
            return
        said = self._accept(planned, to, delivery)[1]
        self.stage.delivery(planned, to.body, f"{said}، {self._save(to, delivery)}", style="green")
        if to.outcome is Outcome.RETURNED:
            self._decide(planned, to, lambda client: client.return_delivery(delivery, RETURN_REASON))
            said = f"عودت داد: {words.REASONS[RETURN_REASON][0]}"
            self.stage.delivery(planned, to.body, said, style="magenta")
        if to.outcome is Outcome.RECALL_REFUSED:
            self._recall(planned)
            self._decide(planned, to, lambda client: client.answer_recall(delivery, grant=False))
            self.stage.delivery(planned, to.body, "با استرداد موافقت نکرد", style="magenta")

    def _decide(self, planned: Letter, to: To, act: Callable[[Client], Decided]) -> Decided:
        """Signs a receipt, which must be the one that decides."""
        with self.cast.using(to.body) as client:
            decided = act(client)
        if not decided.by_us:
            raise PlayError(f"letter {planned.number}: {to.body}'s receipt did not decide")
        return decided

    def _accept(self, planned: Letter, to: To, delivery: str) -> tuple[Decided, str]:
        """What came of it, and what is said of it."""
        decided = self._decide(planned, to, lambda client: client.accept(delivery))
        return decided, f"رسید داد، شمارهٔ وارده {isolate(decided.delivery.envelope.in_number.text)}"

    def _save(self, to: To, delivery: str) -> str:
        """Downloads the documents; a person reads them, if the plan says so. Returns what is said of it."""
        with self.cast.using(to.body) as client:
            opened = client.save(delivery, self.folder / "saved" / delivery.replace("/", "-"))
            if to.read_by:
                client.mark_read(delivery, to.read_by)
        read = f" و {to.read_by} آن را خواند" if to.read_by else ""
        return f"{persian_digits(str(len(opened.documents)))} سند دریافت شد{read}"

    def _receive_overtaking(self, planned: Letter) -> None:
        """Its recipient takes it in first, and its client holds it until what it overtook was taken in too."""
        earlier, (to,) = self.travelled[planned.overtakes], planned.recipients
        delivery = self._await_hook(planned, to)
        self._await_hook(earlier.planned, to)
        decided, said = self._accept(planned, to, delivery)
        waits_for = [one.delivery for one in decided.opened.held] if decided.opened else []
        try:
            self._save(to, delivery)
        except HeldError:
            said = f"{said}، نگه داشته شد تا نامهٔ {persian_digits(planned.overtakes)} هم رسید شود"
            self.stage.delivery(planned, to.body, said, style="yellow")
        else:
            raise PlayError(f"letter {planned.number} overtook {planned.overtakes} and was not held")
        if waits_for != [earlier.delivery_to(to.body)]:
            raise PlayError(f"letter {planned.number} is held for {waits_for}")
        self._act(earlier.planned, earlier.planned.recipients[0])
        self.stage.delivery(planned, to.body, self._save(to, delivery), style="green")

    def _recall_unopened(self, planned: Letter, to: To, delivery: str) -> None:
        """The sender asks for it back while nobody signed for it: the hub withdraws it."""
        self._recall(planned)

        def is_withdrawn() -> bool:
            with self.cast.using(to.body) as client:
                return client.delivery(delivery).envelope.state == DELIVERY_STATE_WITHDRAWN

        self._until(is_withdrawn, f"letter {planned.number} was not withdrawn from {to.body}")
        self.stage.delivery(planned, to.body, "پیش از رسید پس گرفته شد", style="magenta")

    def _recall(self, planned: Letter) -> None:
        with self.cast.using(planned.sender) as client:
            client.recall(self.travelled[planned.number].name, RECALL_REASON)
        self.stage.letter(planned, "فرستنده استرداد آن را خواست", style="magenta")

    def _receive_late(self, planned: Letter, to: To) -> None:
        """The recipient signs only when the ledger says that its time is over."""
        delivery = self.travelled[planned.number].delivery_to(to.body)
        self.stage.delivery(planned, to.body, "هنوز چیزی امضا نکرده است")

        def has_expired() -> bool:
            with self.cast.using(to.body) as client:
                stated = client.statements(delivery)
            return any(proven.event is Event.ACCEPTANCE_REJECTION_EXPIRY for proven in stated)

        self._until(has_expired, f"letter {planned.number}: AcceptanceRejectionExpiry was not stated")
        self.stage.delivery(planned, to.body, "مهلت پذیرش گذشت و گواهی آن ثبت شد", style="red")
        self._act(planned, to)

    def _await_last_minute(self, planned: Letter) -> None:
        asked = self.travelled[planned.answers].delivery_to(planned.sender)
        with self.cast.using(planned.sender) as client:
            due = client.delivery(asked).envelope.times.answer_due.ToDatetime(tzinfo=UTC)
        self.stage.delivery(planned, planned.sender, "پاسخ را تا واپسین فرصت نگه می‌دارد")
        self._until(lambda: datetime.now(UTC) >= due - LAST_MINUTE, f"letter {planned.number}: its hour did not come")

    def _await_hook(self, planned: Letter, to: To) -> str:
        """The delivery, once its recipient was told of it."""
        delivery = self.travelled[planned.number].delivery_to(to.body)
        self._until(
            lambda: self.receivers.wait_for(to.body, delivery, timeout_seconds=0.2),
            f"letter {planned.number}: {to.body} was not told of {delivery}",
        )
        return delivery

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Waits; raises PlayError with the sentence when it waited long enough."""
        deadline = time.monotonic() + MOST_WAIT_SECONDS
        while not self._is_over.is_set():
            if condition():
                return
            if time.monotonic() > deadline:
                raise PlayError(otherwise)
            self._is_over.wait(0.1)
        raise PlayError("the play is over")

    def _send_faulty(self, planned: Letter) -> None:
        """Sends a letter with its fault; what the hub says is kept for the check."""
        if planned.fault is None:
            raise PlayError(f"letter {planned.number} has no fault")
        (page,) = writing.pages(planned, self.cast.members, self.folder, 0)
        letter = writing.manifest(planned, self.cast.office, {})
        reused = self.travelled[planned.reuses].name if planned.reuses else ""
        with self.cast.using(planned.sender) as client:
            name, error = faulty.refusal(client, planned.fault, letter, page, reused=reused)
        reason = error.reason if error else ""
        self.travelled[planned.number] = Travelled(planned, name, refusal_reason=reason)
        said = f"ثبت نشد ({reason}): {words.in_persian(str(error))}" if error else "ثبت شد!"
        self.stage.letter(planned, said, style="yellow")
        for _, sentence in error.violations if error else ():
            self.stage.aside(f"{'':11}{sentence}", style="dim")
