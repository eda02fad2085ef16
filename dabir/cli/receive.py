"""`dabir inbox`, `accept`, `refuse` and `save`."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from dabir.cli import shapes, words
from dabir.cli.arguments import DAY, DELIVERY, OFFICE
from dabir.cli.session import REFUSED, Session, command
from dabir.client import ReceiptDetails
from dabir.client.receiving import Decided
from dabir.formats.manifest import parse_manifest
from dabir.formats.receipt import REFUSAL_REASONS
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_ANSWERED,
    DELIVERY_STATE_REFUSED,
    DELIVERY_STATE_UNSPECIFIED,
)

_REFUSALS = {words.REASONS[reason][1]: reason for reason in sorted(REFUSAL_REASONS)}


def _receipt_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a body may add to its receipt."""
    for option in (
        click.option("--incoming-number", default="", help="The body's own incoming number."),
        click.option("--incoming-date", type=DAY, default="", help="The body's own date, ۱۴۰۵/۰۹/۰۱ or 2026-11-22."),
        click.option("--person-position", default="", help="The position of the person who acts."),
        click.option("--person-name", default="", help="Its name."),
    ):
        function = option(function)
    return function


def register(group: click.Group) -> None:
    """Adds the commands to `dabir`."""

    @command(group)
    @click.option("--office", type=OFFICE, default="", help="Only what came to this office.")
    @click.option("--state", type=click.Choice(list(words.choices(words.DELIVERY_STATES))), help="Only these.")
    @click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
    def inbox(session: Session, office: str, state: str | None, limit: int) -> None:
        """What came to our body, newest first. Envelopes only, until they are accepted."""
        wanted = words.choices(words.DELIVERY_STATES)[state] if state else DELIVERY_STATE_UNSPECIFIED
        found = list(islice(session.client.envelopes(office, wanted), limit))
        table = session.table("name", "in_number", "number", "from", "date", "priority", "state", "acceptance_due")
        for envelope in found:
            table.add_row(
                envelope.delivery.removeprefix("letters/").replace("/deliveries", ""),
                session.number(envelope.in_number.text),
                session.number(envelope.registry_number.text),
                envelope.sender_office,
                session.day_and_time(envelope.times.available_at),
                session.word(words.PRIORITIES[envelope.priority]),
                session.word(words.DELIVERY_STATES[envelope.state]),
                session.day_and_time(envelope.times.acceptance_due),
            )
        session.answer({"deliveries": [shapes.envelope(one) for one in found]}, lambda: session.out.print(table))

    @command(group)
    @click.argument("delivery", type=DELIVERY)
    @_receipt_options
    def accept(session: Session, delivery: str, **given: str) -> int | None:
        """Sign for a DELIVERY: it is taken in, and its content opens. It never means agreement."""
        decided = session.client.accept(delivery, ReceiptDetails(**given))
        return _decided(session, decided, (DELIVERY_STATE_ACCEPTED, DELIVERY_STATE_ANSWERED))

    @command(group)
    @click.argument("delivery", type=DELIVERY)
    @click.option("--reason", type=click.Choice(list(_REFUSALS)), required=True, help="Why.")
    @_receipt_options
    def refuse(session: Session, delivery: str, reason: str, **given: str) -> int | None:
        """Refuse a DELIVERY, unread, with a signed receipt."""
        decided = session.client.refuse(delivery, _REFUSALS[reason], ReceiptDetails(**given))
        return _decided(session, decided, (DELIVERY_STATE_REFUSED,))

    @command(group)
    @click.argument("delivery", type=DELIVERY)
    @click.option(
        "--to",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        show_default=True,
        help="The folder; it is made.",
    )
    def save(session: Session, delivery: str, folder: Path) -> None:
        """Save the documents of an accepted DELIVERY. What proves them is saved too. Goes on where it stopped."""
        content = session.client.delivery(delivery).content
        listed = parse_manifest(content.manifest).documents if content.manifest else []
        with session.progress({document.index: document.file_name for document in listed}) as progress:
            opened = session.client.save(delivery, folder, progress)
        saved = [
            str(folder / f"{document.index}-{document.file_name}")
            for document in opened.manifest.manifest.documents
            if document.index in {granted.index for granted in opened.documents}
        ]
        session.answer({"delivery": delivery, "files": saved}, lambda: session.out.print("\n".join(saved)))


def _decided(session: Session, decided: Decided, wanted: tuple[int, ...]) -> int | None:
    """Shows what became of a delivery; exit code 1 if it was decided otherwise before."""
    envelope = decided.delivery.envelope
    manifest = decided.opened.manifest.manifest if decided.opened else None
    file_names = [document.file_name for document in manifest.documents] if manifest else []
    found = {
        "ok": envelope.state in wanted,
        "delivery": shapes.envelope(envelope),
        "decided_now": decided.by_us,
        "subject": manifest.subject if manifest else None,
        "documents": file_names,
        "statement": shapes.statement(decided.statement),
    }

    def show() -> None:
        state = session.word(words.DELIVERY_STATES[envelope.state])
        before = "" if decided.by_us else f" ({session.word(words.DECIDED_BEFORE)})"
        session.line("state", f"{state}{before}", style="bold")
        if decided.statement.says.reason:
            session.line("reason", session.reason(decided.statement.says.reason))
        session.line("in_number", session.number(envelope.in_number.text))
        if manifest:
            session.line("subject", manifest.subject)
            session.line("documents", "، ".join(file_names))
        session.line("statement", decided.statement.name)
        if not found["ok"]:
            session.out.print(session.word(words.CHANGED_NOTHING))

    session.answer(found, show)
    return None if found["ok"] else REFUSED
