"""`dabir send` and `dabir reply`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dabir.cli import shapes, words
from dabir.cli.arguments import DAY, DEFINITION, DELIVERY, INSTANT, LETTER, OFFICE
from dabir.cli.session import REFUSED, Session, command
from dabir.client import RefusedError
from dabir.client.journal import LetterEntry
from dabir.client.sending import Sent
from dabir.common.v1 import manifest_pb2 as pb
from dabir.formats.manifest import parse_manifest

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _not_empty(_context: click.Context, _parameter: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    for file in files:
        if file.is_file() and not file.stat().st_size:
            raise click.BadParameter(f"File {str(file)!r} is empty.")
    return files


def _letter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a letter and an answer have in common."""
    for option in reversed(
        (
            click.option("--subject", help="One line (موضوع)."),
            click.option("--abstract", default="", help="What it is about, in a few lines (چکیده)."),
            click.option("--note", default="", help="A note to every recipient named with --to."),
            click.option(
                "--definition",
                type=DEFINITION,
                default="definitions/administrative/1",
                show_default=True,
                help="The type of letter: type/version.",
            ),
            click.option(
                "--priority",
                type=click.Choice(list(words.choices(words.PRIORITIES))),
                default="normal",
                show_default=True,
                help="How soon (فوریت).",
            ),
            click.option(
                "--classification",
                type=click.Choice(list(words.choices(words.CLASSIFICATIONS))),
                default="normal",
                show_default=True,
                help="Who may see it (طبقه‌بندی).",
            ),
            click.option("--acceptance-needed", is_flag=True, help="The acceptance clock runs for --to."),
            click.option("--answer-needed", is_flag=True, help="The answer clock runs for --to."),
            click.option(
                "--acceptance-due", type=INSTANT, help="2026-11-30T12:00:00Z or +2h; the definition's, if not."
            ),
            click.option("--answer-due", type=INSTANT, help="As --acceptance-due."),
            click.option(
                "--position", "positions", multiple=True, help="Who signs; the profile's first, if not given."
            ),
            click.option("--number", default="", help="The sender's own number."),
            click.option("--date", type=DAY, default="", help="The sender's own date, ۱۴۰۵/۰۹/۰۱ or 2026-11-22."),
            click.argument("files", metavar="[FILE]...", nargs=-1, type=_FILE, callback=_not_empty),
        )
    ):
        function = option(function)
    return function


def register(group: click.Group) -> None:
    """Adds the commands to `dabir`."""

    @command(group)
    @click.option("--to", type=OFFICE, multiple=True, help="An office that gets it (اصل): body/office.")
    @click.option("--copy", type=OFFICE, multiple=True, help="An office that gets a copy (رونوشت).")
    @click.option("--office", type=OFFICE, default="", help="The sending office; the profile's, where not given.")
    @click.option("--follow-up", type=LETTER, default="", help="The letter it follows (پیرو).")
    @click.option("--resume", is_flag=True, help="Send what was signed but not answered yet, the very same bytes.")
    @_letter_options
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
        letter = _letter(given, to, given["copy"])
        if given["follow_up"]:
            letter.relations.add(kind=pb.RELATION_KIND_FOLLOW_UP, letter=given["follow_up"])
        letter.sender.office = given["office"]
        return _send(session, session.client.compose(letter, files))

    @command(group)
    @click.argument("delivery", type=DELIVERY)
    @_letter_options
    def reply(session: Session, delivery: str, files: tuple[Path, ...], **given: Any) -> int | None:
        """Answer an accepted DELIVERY, by a letter to its sender (عطف). The first FILE is the letter."""
        if not files or not given["subject"]:
            raise click.UsageError("An answer needs --subject and at least one FILE.")
        letter = _letter(given, (), ())
        letter.recipients.append(
            pb.Recipient(
                office=session.client.delivery(delivery).envelope.sender_office,
                kind=pb.RECIPIENT_KIND_TO,
                note=given["note"],
                acceptance_needed=given["acceptance_needed"],
                answer_needed=given["answer_needed"],
            )
        )
        return _send(session, session.client.reply(delivery, letter, files))


def _letter(given: dict[str, Any], to: tuple[str, ...], copy: tuple[str, ...]) -> pb.Manifest:
    letter = pb.Manifest(
        definition=given["definition"],
        subject=given["subject"],
        abstract=given["abstract"],
        language="fa",
        priority=words.choices(words.PRIORITIES)[given["priority"]],
        classification=words.choices(words.CLASSIFICATIONS)[given["classification"]],
        sender=pb.ManifestSender(number=given["number"], date=given["date"]),
        signers=[pb.Signer(position=position) for position in given["positions"]],
        recipients=[
            pb.Recipient(
                office=office,
                kind=pb.RECIPIENT_KIND_TO,
                note=given["note"],
                acceptance_needed=given["acceptance_needed"],
                answer_needed=given["answer_needed"],
            )
            for office in to
        ]
        + [pb.Recipient(office=office, kind=pb.RECIPIENT_KIND_COPY) for office in copy],
    )
    for field, due in (("acceptance_due", given["acceptance_due"]), ("answer_due", given["answer_due"])):
        if isinstance(due, datetime):
            getattr(letter, field).FromDatetime(due)
    return letter


def _send(session: Session, entry: LetterEntry) -> int | None:
    if not session.as_json:
        session.err.print(f"{entry.letter}: signed and kept in the journal", style="dim")
    session.when_unanswered = words.SEND_AGAIN
    sent = _send_entry(session, entry, resumed=False)
    session.answer({**_sent_shape(sent)}, lambda: _show(session, sent))
    return None


def _resume(session: Session) -> int | None:
    """Sends every letter to which no answer is known. One that the hub refuses does not hold up the others."""
    sent, failed = [], []
    for entry in session.client.journal.unsettled():
        try:
            sent.append(_send_entry(session, entry, resumed=True))
        except RefusedError as error:
            failed.append({"letter": entry.letter, "reason": error.reason, "message": str(error)})

    def show() -> None:
        for one in sent:
            _show(session, one)
        for refusal in failed:
            session.err.print(f"{refusal['letter']}: {refusal['reason']} {refusal['message']}")
        if not sent and not failed:
            session.out.print("Every letter of the journal has its answer.")

    session.answer({"ok": not failed, "sent": [_sent_shape(one) for one in sent], "refused": failed}, show)
    return REFUSED if failed else None


def _send_entry(session: Session, entry: LetterEntry, *, resumed: bool) -> Sent:
    manifest = parse_manifest(entry.manifest)
    with session.progress({document.index: document.file_name for document in manifest.documents}) as progress:
        try:
            return session.client.send(entry, progress, resumed=resumed)
        except RefusedError as error:
            names = dict(zip(entry.documents, manifest.documents, strict=True))
            if (document := names.get(error.metadata.get("document", ""))) and not error.violations:
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
