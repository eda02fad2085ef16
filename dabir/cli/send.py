"""`dabir send`, `dabir reply` and `dabir recall`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dabir.cli import shapes, words
from dabir.cli.arguments import DELIVERY, LETTER, OFFICE
from dabir.cli.session import REFUSED, Session, command, failure
from dabir.cli.writing import letter_options, manifest
from dabir.client import RefusedError
from dabir.client.journal import LetterEntry
from dabir.client.sending import Sent
from dabir.formats import names
from dabir.formats.manifest import parse_manifest

_LARGE_BYTES = 1 << 28
_USUAL_MOST_BYTES = 2 << 30
"""Of a document, at a hub that is not set otherwise (protos/dabir/documents/v1, UploadHeader)."""


@command()
@click.option(
    "--to", type=OFFICE, multiple=True, help="An office that gets the original (اصل): body/office; may be given again."
)
@click.option("--office", type=OFFICE, default="", help="The sending office; the profile's, where not given.")
@click.option("--resume", is_flag=True, help="Send what was signed but not answered yet, the very same bytes.")
@letter_options
def send(session: Session, to: tuple[str, ...], resume: bool, files: tuple[Path, ...], **given: Any) -> int | None:
    """Sign a letter and register it. The first FILE is the letter, the others are annexes.

    What was signed is kept in the journal before it is sent: if no answer came, `dabir send --resume` sends it
    again, and the hub registers it once.
    """
    if resume:
        if to or files:
            raise click.UsageError("--resume sends what stands in the journal: give it no recipients and no files.")
        return _resume(session)
    if not to or not files or not given["subject"]:
        raise click.UsageError("A letter needs --to, --subject and at least one FILE.")
    letter = manifest(given, to)
    letter.sender.office = given["office"]
    client = session.client
    _say_size(session, files)
    return _send(session, client.compose(letter, files))


@command()
@click.argument("delivery", type=DELIVERY)
@letter_options
def reply(session: Session, delivery: str, files: tuple[Path, ...], **given: Any) -> int | None:
    """Answer an accepted DELIVERY, by a letter to its sender (عطف). The first FILE is the letter."""
    if not files or not given["subject"]:
        raise click.UsageError("An answer needs --subject and at least one FILE.")
    letter = manifest(given, [session.client.delivery(delivery).envelope.sender_office])
    _say_size(session, files)
    return _send(session, session.client.reply(delivery, letter, files))


@command()
@click.argument("letter", type=LETTER)
@click.option("--reason", required=True, help="Why, in a sentence; its recipients read it.")
@click.option(
    "--delivery",
    "numbers",
    type=click.IntRange(1, names.MAX_RECIPIENTS),
    multiple=True,
    help="Only this delivery, by number; may be given again. Not given: all.",
)
def recall(session: Session, letter: str, reason: str, numbers: tuple[int, ...]) -> None:
    """Ask for a LETTER of ours back (استرداد), signed by our seal.

    What is not accepted yet is withdrawn soon after; who accepted it grants or refuses. `dabir letter` tells.
    """
    stated = session.client.recall(letter, reason, [names.delivery(letter, number) for number in sorted(set(numbers))])
    found = {"recall": shapes.recall(stated), "statement": shapes.statement(stated.statement)}

    def show() -> None:
        session.line("recall", reason)
        session.line("name", letter)
        session.line("statement", stated.statement.name)

    session.answer(found, show)


def _say_size(session: Session, files: Sequence[Path]) -> None:
    """Of what is so large that nothing is heard of it for a while. What a hub takes, it alone knows."""
    sizes_bytes = [file.stat().st_size for file in files]
    if sum(sizes_bytes) < _LARGE_BYTES or session.as_json:
        return
    session.err.print(session.word(words.READING).format(mib=session.count(sum(sizes_bytes) >> 20)), style="dim")
    if max(sizes_bytes) > _USUAL_MOST_BYTES:
        session.err.print(session.word(words.TOO_LARGE_MAYBE), style="yellow")


def _send(session: Session, entry: LetterEntry) -> int | None:
    session.when_unanswered, session.kept = session.word(words.SEND_AGAIN), {"letter": entry.letter}
    if not session.as_json:
        session.err.print(f"{entry.letter}: signed and kept in the journal", style="dim")
    sent = _send_entry(session, entry, resumed=False)
    session.answer({**_sent_shape(sent)}, lambda: _show(session, sent))
    return None


def _resume(session: Session) -> int | None:
    """Sends every letter to which no answer is known. One that the hub refuses does not hold up the others."""
    entries = session.client.journal.unsettled()
    waiting = [{"letter": one.letter, "subject": parse_manifest(one.manifest).subject} for one in entries]
    sent: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for place, entry in enumerate(entries):
        session.kept = {"sent": sent, "refused": refused, "waiting": waiting[place:]}
        session.when_unanswered = session.word(words.WAITING).format(count=session.count(len(entries) - place))
        try:
            one = _send_entry(session, entry, resumed=True)
        except RefusedError as error:
            refused.append({**waiting[place], "reason": error.reason, "message": words.in_persian(str(error))})
            session.err.print(f"{entry.letter}: {error.reason} {words.in_persian(str(error))}")
            continue
        sent.append(_sent_shape(one))
        if not session.as_json:
            _show(session, one)

    def show() -> None:
        if not entries:
            session.out.print("Every letter of the journal has its answer.")

    failed = failure(REFUSED, "SOME_REFUSED", session.word(words.SOME_REFUSED)) if refused else {}
    session.answer({**failed, "sent": sent, "refused": refused}, show)
    return REFUSED if refused else None


def _send_entry(session: Session, entry: LetterEntry, *, resumed: bool) -> Sent:
    documents = parse_manifest(entry.manifest).documents
    with session.progress({document.index: document.file_name for document in documents}) as progress:
        try:
            return session.client.send(entry, progress, resumed=resumed)
        except RefusedError as error:
            by_name = dict(zip(entry.documents, documents, strict=True))
            if (document := by_name.get(error.metadata.get("document", ""))) and not error.violations:
                error.violations = ((f"documents[{document.index - 1}]", document.file_name),)
            raise


def _sent_shape(sent: Sent) -> dict[str, Any]:
    return {"letter": shapes.letter(sent.letter), "statement": shapes.statement(sent.submission_acceptance)}


def _show(session: Session, sent: Sent) -> None:
    letter = sent.letter
    session.line("number", session.number(letter.registry_number.text), style="bold")
    session.line("date", session.day_and_time(letter.registered_at))
    session.line("name", letter.name)
    session.line("statement", sent.submission_acceptance.name)


COMMANDS = (send, reply, recall)
