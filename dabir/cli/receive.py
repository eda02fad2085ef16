"""`dabir inbox`, `accept`, `refuse`, `save`, `read`, `return` and `answer-recall`."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from dabir.cli import content, shapes, words
from dabir.cli.arguments import DAY, DELIVERY, NUMBER, OFFICE
from dabir.cli.look import check_is_ours
from dabir.cli.session import HELD, REFUSED, Session, command, failure
from dabir.client import ReceiptDetails
from dabir.client.receiving import Decided
from dabir.client.saving import saved_name
from dabir.common.v1.receipt_pb2 import VERDICT_RECALL_GRANTED, VERDICT_RECALL_REFUSED
from dabir.formats.manifest import parse_manifest
from dabir.formats.receipt import REFUSAL_REASONS, RETURN_REASONS
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import (
    DELIVERY_STATE_ACCEPTED,
    DELIVERY_STATE_ANSWERED,
    DELIVERY_STATE_REFUSED,
    DELIVERY_STATE_RETURNED,
    DELIVERY_STATE_UNSPECIFIED,
    Envelope,
)

_REFUSALS = {words.REASONS[reason][1]: reason for reason in sorted(REFUSAL_REASONS)}
_RETURNS = {words.REASONS[reason][1]: reason for reason in sorted(RETURN_REASONS)}


def _receipt_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a body may add to its receipt."""
    for option in reversed(
        (
            click.option("--incoming-number", type=NUMBER, default="", help="The body's own incoming number."),
            click.option(
                "--incoming-date", type=DAY, default="", help="The body's own date, ۱۴۰۵/۰۹/۰۱ or 2026-11-22."
            ),
            click.option("--person-position", default="", help="The position of the person who acts."),
            click.option("--person-name", default="", help="The name of that person."),
        )
    ):
        function = option(function)
    return function


@command()
@click.option("--office", type=OFFICE, default="", help="Only what came to this office.")
@click.option("--state", type=click.Choice(list(words.choices(words.DELIVERY_STATES))), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def inbox(session: Session, office: str, state: str | None, limit: int) -> None:
    """What came to our body, newest first. Envelopes only, until they are accepted."""
    wanted = words.choices(words.DELIVERY_STATES)[state] if state else DELIVERY_STATE_UNSPECIFIED
    found = list(islice(session.client.envelopes(office, wanted), limit))
    if office and not found:
        check_is_ours(session, office)
    columns = ("name", "in_number", "number", "classification", "from", "date", "priority", "state")
    table = session.table(*columns, "acceptance_due", "answer_due")
    for envelope in found:
        table.add_row(
            envelope.delivery.removeprefix("letters/").replace("/deliveries", ""),
            session.number(envelope.in_number.text),
            session.number(envelope.registry_number.text),
            session.word(words.of(words.CLASSIFICATIONS, envelope.classification)),
            envelope.sender_office,
            session.day_and_time(envelope.times.available_at),
            session.word(words.of(words.PRIORITIES, envelope.priority)),
            _state(session, envelope),
            session.due(envelope.times.acceptance_due, is_late=envelope.times.late_acceptance),
            session.due(envelope.times.answer_due, is_late=envelope.times.late_answer),
        )
    session.answer({"deliveries": [shapes.envelope(one) for one in found]}, lambda: session.out.print(table))


@command()
@click.argument("delivery", type=DELIVERY)
@_receipt_options
def accept(session: Session, delivery: str, **given: str) -> int | None:
    """Sign for a DELIVERY: it is taken in, and its content opens. It never means agreement.

    Exit code 6: it is taken in, and held: it changes a letter (an unfreeze order its freeze order) that was not.
    """
    decided = session.client.accept(delivery, ReceiptDetails(**given))
    taken_in = decided.delivery.envelope.state in (DELIVERY_STATE_ACCEPTED, DELIVERY_STATE_ANSWERED)
    code = _decided(session, decided, as_wanted=taken_in)
    return HELD if code is None and decided.opened and decided.opened.held else code


@command()
@click.argument("delivery", type=DELIVERY)
@click.option("--reason", type=click.Choice(list(_REFUSALS)), required=True, help="Why.")
@_receipt_options
def refuse(session: Session, delivery: str, reason: str, **given: str) -> int | None:
    """Refuse a DELIVERY, unread, with a signed receipt."""
    decided = session.client.refuse(delivery, _REFUSALS[reason], ReceiptDetails(**given))
    return _decided(session, decided, as_wanted=decided.delivery.envelope.state == DELIVERY_STATE_REFUSED)


@command("return")
@click.argument("delivery", type=DELIVERY)
@click.option("--reason", type=click.Choice(list(_RETURNS)), required=True, help="Why.")
@_receipt_options
def send_back(session: Session, delivery: str, reason: str, **given: str) -> int | None:
    """Send an accepted DELIVERY back (عودت), with a signed receipt that names what was saved of it."""
    decided = session.client.return_delivery(delivery, _RETURNS[reason], ReceiptDetails(**given))
    return _decided(session, decided, as_wanted=decided.delivery.envelope.state == DELIVERY_STATE_RETURNED)


@command()
@click.argument("delivery", type=DELIVERY)
@click.option("--grant/--refuse", default=None, help="Give the letter back, or keep it.")
@_receipt_options
def answer_recall(session: Session, delivery: str, grant: bool | None, **given: str) -> int | None:
    """Grant or refuse, with a signed receipt, that an accepted DELIVERY is recalled. The first answer stands."""
    if grant is None:
        raise click.UsageError("Say --grant or --refuse.")
    decided = session.client.answer_recall(delivery, grant=grant, details=ReceiptDetails(**given))
    wanted = VERDICT_RECALL_GRANTED if grant else VERDICT_RECALL_REFUSED
    return _decided(session, decided, as_wanted=decided.delivery.envelope.recall.verdict == wanted)


@command()
@click.argument("delivery", type=DELIVERY)
@click.option("--position", required=True, help="Who read it, by position.")
def read(session: Session, delivery: str, position: str) -> None:
    """Say that a person read an accepted DELIVERY (رؤیت). Its sender sees it, on the hub's word."""
    stated = session.client.mark_read(delivery, position)

    def show() -> None:
        session.line("event", f"{session.word(words.EVENTS[stated.event])} ({position})", style="bold")
        session.line("date", session.day_and_time(stated.took_effect_at))
        session.line("statement", stated.name)

    session.answer({"delivery": delivery, "statement": shapes.statement(stated)}, show)


@command()
@click.argument("delivery", type=DELIVERY)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default=True,
    help="The folder; it is made.",
)
@click.option("--although-held", is_flag=True, help="Also while a letter that it changes was not taken in.")
def save(session: Session, delivery: str, folder: Path, although_held: bool) -> None:
    """Save the documents of an accepted DELIVERY. What proves them is saved too. Goes on where it stopped."""
    content = session.client.delivery(delivery).content
    listed = parse_manifest(content.manifest).documents if content.manifest else []
    with session.progress({document.index: document.file_name for document in listed}) as progress:
        opened = session.client.save(delivery, folder, progress, although_held=although_held)
    granted = {document.index for document in opened.documents}
    saved = [document for document in opened.manifest.manifest.documents if document.index in granted]
    files = [str(folder / saved_name(document)) for document in saved]
    renamed = [one for one in saved if saved_name(one) != f"{one.index}-{one.file_name}"]
    found = {
        "delivery": delivery,
        "files": files,
        "renamed": [{"file_name": one.file_name, "saved_as": saved_name(one)} for one in renamed],
    }

    def show() -> None:
        session.out.print("\n".join(files))
        for one in renamed:
            said = session.word(words.RENAMED).format(index=session.count(one.index))
            session.err.print(f"{said}: {saved_name(one)}", style="yellow")

    session.answer(found, show)


def _state(session: Session, envelope: Envelope) -> str:
    """The state in words, and that its sender wants it back, while nobody answered that."""
    state = session.word(words.of(words.DELIVERY_STATES, envelope.state))
    asked = envelope.state == DELIVERY_STATE_ACCEPTED and envelope.HasField("recall") and not envelope.recall.verdict
    return f"{state} ({session.word(words.RECALL_ASKED)})" if asked else state


def _decided(session: Session, decided: Decided, *, as_wanted: bool) -> int | None:
    """Shows what became of a delivery; exit code 1 if it was decided otherwise before."""
    envelope = decided.delivery.envelope
    otherwise = failure(REFUSED, "DECIDED_OTHERWISE", session.word(words.CHANGED_NOTHING))
    found = {
        **({} if as_wanted else otherwise),
        "delivery": shapes.envelope(envelope),
        "decided_now": decided.by_us,
        **content.shape(envelope.delivery, decided.opened),
        "statement": shapes.statement(decided.statement),
    }

    def show() -> None:
        state = _state(session, envelope)
        withdrawn = decided.statement.event is Event.WITHDRAWN
        before = session.word(words.WITHDRAWN_BEFORE if withdrawn else words.DECIDED_BEFORE)
        session.line("state", state if decided.by_us else f"{state} ({before})", style="bold")
        if decided.statement.says.reason:
            session.line("reason", session.reason(decided.statement.says.reason))
        session.line("in_number", session.number(envelope.in_number.text))
        if decided.opened:
            content.show(session, envelope, decided.opened)
        session.line("statement", decided.statement.name)
        if not as_wanted:
            session.out.print(otherwise["message"])

    session.answer(found, show)
    return None if as_wanted else REFUSED


COMMANDS = (inbox, accept, refuse, send_back, answer_recall, read, save)
