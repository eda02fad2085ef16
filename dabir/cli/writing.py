"""What a person may say of a letter at the command line, and the manifest that it makes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dabir.cli import words
from dabir.cli.arguments import DAY, DEFINITION, INDEXES, INSTANT, LETTER, NUMBER, OFFICE
from dabir.common.v1 import manifest_pb2 as pb

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_RELATIONS = {kind: pair for kind, pair in words.RELATIONS.items() if kind != pb.RELATION_KIND_REPLY_TO}
"""What may be typed: an answer is `dabir reply`."""
_HELP = {
    pb.RELATION_KIND_FOLLOW_UP: "The letter that it follows",
    pb.RELATION_KIND_CORRECTS: "The letter that it corrects",
    pb.RELATION_KIND_REPLACES: "The letter whose place it takes",
    pb.RELATION_KIND_REVOKES: "The letter that it takes back",
    pb.RELATION_KIND_CITES: "A letter that it names",
}


def letter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a letter and an answer have in common."""
    for option in reversed((*_CONTENT, *_RECIPIENTS, *_relations(), *_SIGNERS, *_TYPE, _FILES)):
        function = option(function)
    return function


def _regular(_context: click.Context, _parameter: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    for file in files:
        if not file.is_file():  # a pipe, which would be read for ever
            raise click.BadParameter(f"File {str(file)!r} is not a regular file.")
        if not file.stat().st_size:
            raise click.BadParameter(f"File {str(file)!r} is empty.")
    return files


_FILES = click.argument("files", metavar="[FILE]...", nargs=-1, type=_FILE, callback=_regular)
_CONTENT = (
    click.option("--subject", help="One line (موضوع)."),
    click.option("--abstract", default="", help="What it is about, in a few lines (چکیده)."),
    click.option("--number", type=NUMBER, default="", help="The sender's own number."),
    click.option("--date", type=DAY, default="", help="The sender's own date, ۱۴۰۵/۰۹/۰۱ or 2026-11-22."),
)
_RECIPIENTS = (
    click.option(
        "--copy",
        type=OFFICE,
        multiple=True,
        help="An office that gets a copy (رونوشت): body/office; may be given again.",
    ),
    click.option("--note", default="", help="A note to everyone who gets the original (اصل)."),
    click.option(
        "--note-for", type=(OFFICE, str), metavar="OFFICE TEXT", multiple=True, help="A note to this recipient alone."
    ),
    click.option(
        "--documents-for",
        type=(OFFICE, INDEXES),
        metavar="OFFICE 1,3",
        multiple=True,
        help="Only these FILEs go to this recipient, by place; 1, the letter itself, always does.",
    ),
    click.option("--acceptance-needed", is_flag=True, help="The acceptance clock runs for who gets the original."),
    click.option("--answer-needed", is_flag=True, help="The answer clock runs for who gets the original."),
)
_SIGNERS = (
    click.option(
        "--position",
        "positions",
        multiple=True,
        help="Who signs; the profile's first, if not given. Again for a second signer.",
    ),
    click.option(
        "--capacity",
        type=click.Choice(list(words.choices(words.CAPACITIES))),
        help="In what capacity the first of them signs.",
    ),
    click.option("--on-behalf-of", default="", help="For whom (از طرف), with --capacity other than self."),
    click.option("--decree", default="", help="The decree that gives the capacity."),
)
_TYPE = (
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
    click.option("--classification-basis", default="", help="On what ground it is classified."),
    click.option("--legal-basis", multiple=True, help="A law or article it rests on; may be given again."),
    click.option("--acceptance-due", type=INSTANT, help="2026-11-30T12:00:00Z or +2h; the definition's, if not."),
    click.option("--answer-due", type=INSTANT, help="As --acceptance-due; with --answer-needed."),
)


def _relations() -> list[Callable[..., Any]]:
    """One option for each kind, and one for letters outside Dabir."""
    options = [
        click.option(
            f"--{english}",
            type=LETTER,
            multiple=True,
            help=f"{_HELP[kind]} ({persian}); may be given again.",
        )
        for kind, (persian, english) in _RELATIONS.items()
    ]
    kinds = list(words.choices(_RELATIONS))
    outside = click.option(
        "--outside",
        type=(click.Choice(kinds), str, NUMBER, DAY),
        metavar=f"[{'|'.join(kinds)}] BODY NUMBER DATE",
        multiple=True,
        help="The same to a letter outside Dabir, as it is written there; shown as not verified.",
    )
    return [*options, outside]


def manifest(given: dict[str, Any], to: Sequence[str]) -> pb.Manifest:
    """The letter that the options say, to the offices `to`. Raises click.UsageError."""
    letter = pb.Manifest(
        definition=given["definition"],
        subject=given["subject"],
        abstract=given["abstract"],
        language="fa",
        priority=words.choices(words.PRIORITIES)[given["priority"]],
        classification=words.choices(words.CLASSIFICATIONS)[given["classification"]],
        classification_basis=given["classification_basis"],
        legal_basis=given["legal_basis"],
        sender=pb.ManifestSender(number=given["number"], date=given["date"]),
        signers=_signers(given),
        recipients=_recipients(given, to),
    )
    for field, due in (("acceptance_due", given["acceptance_due"]), ("answer_due", given["answer_due"])):
        if isinstance(due, datetime):
            getattr(letter, field).FromDatetime(due)
    for kind, (_, english) in _RELATIONS.items():
        for name in given[english.replace("-", "_")]:
            letter.relations.add(kind=kind, letter=name)
    for english, body, number, day in given["outside"]:
        letter.relations.add(kind=words.choices(_RELATIONS)[english], body=body, number=number, date=day)
    return letter


def _signers(given: dict[str, Any]) -> list[pb.Signer]:
    """As given; none: the profile's first."""
    signers = [pb.Signer(position=position) for position in given["positions"]]
    said = (given["capacity"], given["on_behalf_of"], given["decree"])
    if any(said):
        if not signers:
            raise click.UsageError("--capacity, --on-behalf-of and --decree need --position: whose capacity it is.")
        if given["capacity"]:
            signers[0].capacity = words.choices(words.CAPACITIES)[given["capacity"]]
        signers[0].on_behalf_of, signers[0].decree = given["on_behalf_of"], given["decree"]
    return signers


def _recipients(given: dict[str, Any], to: Sequence[str]) -> list[pb.Recipient]:
    recipients = [
        pb.Recipient(
            office=office,
            kind=pb.RECIPIENT_KIND_TO,
            note=given["note"],
            acceptance_needed=given["acceptance_needed"],
            answer_needed=given["answer_needed"],
        )
        for office in to
    ] + [pb.Recipient(office=office, kind=pb.RECIPIENT_KIND_COPY) for office in given["copy"]]
    by_office = {recipient.office: recipient for recipient in recipients}
    for option, pairs in (("--note-for", given["note_for"]), ("--documents-for", given["documents_for"])):
        for office, _ in pairs:
            if office not in by_office:
                raise click.UsageError(f"{option} names {office}, which gets nothing: make it a recipient too.")
    for office, note in given["note_for"]:
        by_office[office].note = note
    for office, indexes in given["documents_for"]:
        by_office[office].documents[:] = sorted({1, *indexes})
    return recipients
