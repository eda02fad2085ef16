"""`dabir letters`, `letter` and `bodies`: what there is, and what happened."""

from itertools import islice

import click

from dabir.cli import content, shapes, words
from dabir.cli.arguments import LETTER_OR_DELIVERY, OFFICE
from dabir.cli.session import UNPROVEN, Session, command, failure
from dabir.client import InputError
from dabir.client.life import Life
from dabir.client.trust import Proven
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1.letter_pb2 import LETTER_STATE_UNSPECIFIED


@command()
@click.option("--office", type=OFFICE, default="", help="Only what this office sent.")
@click.option("--state", type=click.Choice(list(words.choices(words.LETTER_STATES))), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def letters(session: Session, office: str, state: str | None, limit: int) -> None:
    """The letters that our body sent, newest first."""
    wanted = words.choices(words.LETTER_STATES)[state] if state else LETTER_STATE_UNSPECIFIED
    found = list(islice(session.client.letters(office, wanted), limit))
    if office and not found:
        check_is_ours(session, office)
    table = session.table("name", "number", "classification", "date", "subject", "priority", "recipients", "state")
    for letter in found:
        table.add_row(
            letter.name.removeprefix("letters/"),
            session.number(letter.registry_number.text),
            session.word(words.of(words.CLASSIFICATIONS, letter.classification)),
            session.day_and_time(letter.registered_at),
            letter.subject,
            session.word(words.of(words.PRIORITIES, letter.priority)),
            session.count(letter.recipient_count),
            session.word(words.of(words.LETTER_STATES, letter.state)),
        )
    session.answer({"letters": [shapes.letter(one) for one in found]}, lambda: session.out.print(table))


@command()
@click.argument("name", type=LETTER_OR_DELIVERY)
def letter(session: Session, name: str) -> int | None:
    """The life of a letter, every statement of it checked, and of one that our body accepted what it says.

    NAME is letters/{id} for a letter that our body sent, as `dabir letters` shows it, and
    letters/{id}/deliveries/{n} for one that came to it, as `dabir inbox` shows it. `letters/` and `/deliveries` may
    be left out.
    """
    offices: dict[str, str] = {}
    opened = came = None
    if names.chain_kind(name) == "letter":
        deliveries = session.client.sent_deliveries(name)
        about = shapes.letter(session.client.letter(name))
        about["deliveries"] = [shapes.sent_delivery(one) for one in deliveries]
        offices = {one.name: one.recipient_office for one in deliveries}
    else:
        came = session.client.delivery(name)
        opened = session.client.open(name) if came.HasField("content") else None
        about = {**shapes.envelope(came.envelope), **content.shape(name, opened)}
    life = session.client.life(name)
    broken = failure(UNPROVEN, "CHAIN_BROKEN", session.word(words.CHAIN_BROKEN)) if life.gaps else {}
    found = {
        **about,
        **broken,
        "statements": [shapes.statement(one) for one in life.statements],
        "receipts": [shapes.receipt(one) for one in life.receipts],
        "recalls": [shapes.recall(one) for one in life.recalls],
        "gaps": [{"chain": gap.chain, "sequence": gap.sequence, "what": gap.what} for gap in life.gaps],
    }

    def show() -> None:
        if came and opened:
            content.show(session, came.envelope, opened)
        _show_life(session, life, offices)

    session.answer(found, show)
    return UNPROVEN if life.gaps else None


@command()
@click.option("--offices", "with_offices", is_flag=True, help="Each body's offices too.")
def bodies(session: Session, with_offices: bool) -> None:
    """The bodies that have joined."""
    found = session.client.bodies()
    offices = session.client.offices() if with_offices else []
    table = session.table("name", "title")
    for body in found:
        table.add_row(body.name, session.word((body.display_name_fa, body.display_name_en)))
        for office in (one for one in offices if names.body_of(one.name) == body.name):
            table.add_row(f"  {office.name}", session.word((office.display_name_fa, office.display_name_en)))
    shape = [{"name": one.name, "fa": one.display_name_fa, "en": one.display_name_en} for one in found]
    office_shape = [{"name": one.name, "fa": one.display_name_fa, "en": one.display_name_en} for one in offices]
    more = {"offices": office_shape} if with_offices else {}
    session.answer({"bodies": shape, **more}, lambda: session.out.print(table))


def check_is_ours(session: Session, office: str) -> None:
    """Raises InputError for an office that our body does not have: of it the hub lists nothing, and says nothing."""
    ours = [one.name for one in session.client.offices(session.client.profile.body)]
    if office not in ours:
        raise InputError("NO_SUCH_OFFICE", f"{office} is no office of our body's; they are {', '.join(ours)}")


def _show_life(session: Session, life: Life, offices: dict[str, str]) -> None:
    """The timeline: one line a statement, in the order in which things happened."""
    table = session.table("date", "event", "what", "statement")
    for proven in life.statements:
        table.add_row(
            session.day_and_time(proven.took_effect_at),
            what_happened(session, proven),
            offices.get(proven.subject, proven.subject),
            proven.name,
        )
    session.out.print(table)
    for recall in life.recalls:
        session.line("recall", recall.recall.reason)
    if life.gaps:
        for gap in life.gaps:
            session.err.print(f"{gap.chain} {gap.sequence}: {gap.what}", style="bold red")
        return
    statements, receipts = session.count(len(life.statements)), session.count(len(life.receipts))
    checked = f"✓ درستی {statements} گواهی و {receipts} رسید بررسی شد و زنجیره‌ها کامل است"
    if session.language == "en":
        checked = f"✓ statements verified: {statements}, receipts: {receipts}; chains whole"
    session.out.print(checked, style="green")


def what_happened(session: Session, proven: Proven) -> str:
    """A statement in words, with its number, its reader or its reason."""
    said = session.word(words.EVENTS[proven.event])
    if proven.event in (Event.SUBMISSION_ACCEPTANCE, Event.AVAILABLE):
        return f"{said} {session.number(proven.says.number.text)}"
    if proven.event is Event.CONTENT_ACCESS_TRACKING:
        return f"{said} ({proven.says.operator})"
    return f"{said} ({session.reason(proven.says.reason)})" if proven.says.reason else said


COMMANDS = (letters, letter, bodies)
