"""Plays the plan: bodies write, sign, send, take in, refuse and answer, each by its own client.

A recipient acts when the hub's webhook told it that something is in its mailbox, and on nothing else.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dabir.cli import words
from dabir.client import RECIPIENT_KIND_TO, Client, Manifest, Recipient, RefusedError
from dabir.common.v1.manifest_pb2 import CLASSIFICATION_NORMAL, PRIORITY_NORMAL, ManifestSender
from dabir.formats import names
from dabir.formats.calendar import format_date
from dabir.formats.persian import isolate, persian_digits
from dabir.formats.statement import Event
from infra.demo import faulty, render
from infra.demo.annexes import Annexes
from infra.demo.cast import Cast
from infra.demo.hooks import Receivers
from infra.demo.plan import FAULTY, REFUSAL_REASON, REGISTERED, Letter, Outcome
from infra.demo.show import Stage
from infra.local.members import TIME_ZONE

MOST_WAIT_SECONDS = 90.0
"""For a hook or a statement that must come. Long: a slow machine is no failure."""


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


@dataclass
class Play:
    """One performance. `folder` is for pages and what recipients save."""

    cast: Cast
    receivers: Receivers
    stage: Stage
    annexes: Annexes
    folder: Path
    travelled: dict[str, Travelled] = field(default_factory=dict)

    def perform(self) -> list[Travelled]:
        """The whole plan. Raises PlayError, or a ClientError that the plan does not know."""
        self.stage.scene("نامه‌ها به راه می‌افتند — the letters travel")
        for planned in REGISTERED:
            self._send(planned)
            if planned.outcome is not Outcome.ACCEPTED_LATE:
                self._receive(planned)
        self.stage.scene("آنچه ثبت نمی‌شود — what the hub refuses")
        for planned in FAULTY:
            self._send_faulty(planned)
        self.stage.scene("دیرکرد — late")
        for planned in REGISTERED:
            if planned.outcome is Outcome.ACCEPTED_LATE:
                self._receive_late(planned)
        return [self.travelled[planned.number] for planned in (*REGISTERED, *FAULTY)]

    def _send(self, planned: Letter) -> None:
        """Composes and sends. A file that inspection rejects is taken out, told, and the letter written without it."""
        client = self.cast.client(planned.sender)
        while True:
            files = [self._page(planned), *self.annexes.of(planned)]
            letter = self._letter(planned)
            if planned.answers:
                entry = client.reply(self.travelled[planned.answers].delivery(1), letter, files)
            else:
                entry = client.compose(letter, files)
            try:
                sent = client.send(entry)
                break
            except RefusedError as error:
                place = entry.documents.index(error.metadata["document"]) if "document" in error.metadata else 0
                if place == 0:
                    raise
                rejected = self.annexes.reject(planned, files[place], error.reason, str(error))
                self.stage.aside(f"{rejected.file.name}: {rejected.reason} — {rejected.message}", style="yellow")
        number = sent.letter.registry_number.text
        self.travelled[planned.number] = Travelled(planned, entry.letter, number)
        annexed = f" با {persian_digits(str(len(files) - 1))} پیوست" if len(files) > 1 else ""
        self.stage.letter(planned, f"ثبت شد{annexed}، شمارهٔ {isolate(number)}", style="cyan")

    def _receive(self, planned: Letter) -> None:
        """Every recipient, once it was told, signs for the letter and saves it, or refuses it."""
        for place, body in enumerate(planned.recipients, start=1):
            delivery = self.travelled[planned.number].delivery(place)
            self._await_hook(planned, body, delivery)
            client = self.cast.client(body)
            if planned.outcome is Outcome.REFUSED:
                decided = client.refuse(delivery, REFUSAL_REASON)
                reason = words.REASONS[REFUSAL_REASON][0]
                self.stage.delivery(planned, body, f"نپذیرفت: {reason}", style="magenta")
            else:
                decided = client.accept(delivery)
                opened = client.save(delivery, self.folder / "saved" / delivery.replace("/", "-"))
                in_number = decided.delivery.envelope.in_number.text
                count = persian_digits(str(len(opened.documents)))
                said = f"رسید داد، شمارهٔ وارده {isolate(in_number)}، {count} سند دریافت شد"
                self.stage.delivery(planned, body, said, style="green")
            if not decided.by_us:
                raise PlayError(f"letter {planned.number}: {body}'s receipt did not decide {delivery}")

    def _receive_late(self, planned: Letter) -> None:
        """The recipient signs only when the ledger says that its time is over."""
        delivery, body = self.travelled[planned.number].delivery(1), planned.recipients[0]
        self.stage.delivery(planned, body, "هنوز چیزی امضا نکرده است")
        deadline = time.monotonic() + MOST_WAIT_SECONDS
        while not _has_expired(self.cast.client(body), delivery):
            if time.monotonic() > deadline:
                raise PlayError(f"letter {planned.number}: AcceptanceRejectionExpiry was not stated")
            time.sleep(0.2)
        self.stage.delivery(planned, body, "مهلت پذیرش گذشت و گواهی آن ثبت شد", style="red")
        self._receive(planned)

    def _await_hook(self, planned: Letter, body: str, delivery: str) -> None:
        if not self.receivers.wait_for(body, delivery, timeout_seconds=MOST_WAIT_SECONDS):
            raise PlayError(f"letter {planned.number}: {body} was not told of {delivery}")

    def _send_faulty(self, planned: Letter) -> None:
        """Sends a letter with its fault; what the hub says is kept for the check."""
        if planned.fault is None:
            raise PlayError(f"letter {planned.number} has no fault")
        client = self.cast.client(planned.sender)
        name, error = faulty.refusal(client, planned.fault, self._letter(planned), self._page(planned))
        reason = error.reason if error else ""
        self.travelled[planned.number] = Travelled(planned, name, refusal_reason=reason)
        said = f"ثبت نشد ({reason}): {error}" if error else "ثبت شد!"
        self.stage.letter(planned, said, style="yellow")
        for _, sentence in error.violations if error else ():
            self.stage.aside(f"{'':11}{sentence}", style="dim")

    def _letter(self, planned: Letter) -> Manifest:
        """What its sender says in the manifest."""
        letter = Manifest(
            definition=planned.definition,
            subject=planned.subject,
            abstract="\n".join(planned.paragraphs),
            language="fa",
            sender=ManifestSender(number=_own_number(planned)),
            priority=planned.priority,
            classification=planned.classification,
        )
        letter.recipients.extend(
            Recipient(
                office=self.cast.office(body),
                kind=RECIPIENT_KIND_TO,
                acceptance_needed=planned.acceptance_needed,
                answer_needed=planned.answer_needed,
            )
            for body in planned.recipients
        )
        return letter

    def _page(self, planned: Letter) -> Path:
        """The letter itself, as PDF."""
        sender, now = self.cast.members[planned.sender], datetime.now(UTC)
        annexes = len(self.annexes.of(planned))
        marks = [words.PRIORITIES[planned.priority][0]] if planned.priority != PRIORITY_NORMAL else []
        if planned.classification != CLASSIFICATION_NORMAL:
            marks.append(words.CLASSIFICATIONS[planned.classification][0])
        paper = render.Paper(
            sender=sender.fa,
            office="دبیرخانه",
            emblem=sender.fa.split()[-1][0],
            lines=(
                ("شماره:", persian_digits(_own_number(planned))),
                ("تاریخ:", format_date(now, "JALALI", TIME_ZONE)),
                ("پیوست:", f"{persian_digits(str(annexes))} فقره" if annexes else "ندارد"),
            ),
            marks=tuple(marks),
            to=_addressees([self.stage.name(body) for body in planned.recipients]),
            subject=planned.subject,
            paragraphs=planned.paragraphs,
            signer=sender.positions[0],
        )
        page = self.folder / f"letter-{planned.number}.pdf"
        page.write_bytes(render.pdf(paper))
        return page


def _own_number(planned: Letter) -> str:
    return f"د/{planned.number.removesuffix('-answer')}"


def _addressees(bodies: Sequence[str]) -> tuple[str, ...]:
    if len(bodies) == 1:
        return (f"ریاست محترم {bodies[0]}",)
    return ("رؤسای محترم:", *(f"{persian_digits(str(place))}. {name}" for place, name in enumerate(bodies, start=1)))


def _has_expired(client: Client, delivery: str) -> bool:
    stated = client.statements(delivery)
    return any(proven.event is Event.ACCEPTANCE_REJECTION_EXPIRY for proven in stated)
