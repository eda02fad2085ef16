"""ConsignDeliveries: each delivery takes the next number of its office's incoming book and lies in the mailbox."""

from collections.abc import Mapping, Sequence

from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats import names
from dabir.formats.statement import Event
from services.intake.domain import delivery as rules
from services.intake.domain import errors, model, statements, submit
from services.intake.domain.model import Delivery, Letter
from services.intake.servicer import stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls
from services.runtime.database import Connection
from services.runtime.ledger import OpenChains
from services.runtime.logs import log


async def consign(registry: Registry, letter_name: str, wanted: Sequence[str]) -> Letter:
    """Make available, or withdraw, what is neither yet.

    Raises LetterNotFound, DeliveryOfAnotherLetter, DeliveryNotFound, OfficeVanished; FormatError for the names.
    """
    names.split_letter(letter_name, "letter")
    check_of_letter(letter_name, wanted)
    async with registry.pool.connection() as connection:
        letter = await letters.get(connection, letter_name)
        found = await deliveries.of_letter(connection, letter_name, wanted)
    if missing := sorted(set(wanted) - {delivery.name for delivery in found}):
        raise errors.DeliveryNotFound(delivery=missing[0])
    waiting = [delivery for delivery in found if delivery.state == model.CREATED]
    if waiting:
        offices, unknown = await registry.directory.offices([delivery.recipient_office for delivery in waiting])
        if unknown:
            raise errors.OfficeVanished(office=min(unknown))
        await _make_available(registry, letter, [delivery.name for delivery in waiting], offices)
    return letter


def check_of_letter(letter: str, wanted: Sequence[str]) -> None:
    """Raises DeliveryOfAnotherLetter; FormatError for what is no delivery's name."""
    for index, name in enumerate(wanted):
        if names.split_delivery(name, f"deliveries[{index}]")[0] != letter:
            raise errors.DeliveryOfAnotherLetter(delivery=name, letter=letter)


async def _make_available(
    registry: Registry, letter: Letter, wanted: Sequence[str], offices: Mapping[str, directory.ResolvedOffice]
) -> None:
    async with registry.pool.connection() as connection, connection.transaction():
        locked = await deliveries.lock(connection, wanted)
        waiting = [delivery for delivery in locked if delivery.state == model.CREATED]
        if not waiting:
            return
        asked = await recalls.of_letter(connection, letter.name)
        # What was recalled by now comes to nobody: no number is taken for it.
        arriving = [delivery for delivery in waiting if model.recall_of(delivery, asked) is None]
        books = {one.recipient_office: stating.series(offices[one.recipient_office], "in") for one in arriving}
        chains = await registry.ledger.open(connection, [*books.values(), *(delivery.name for delivery in waiting)])
        for delivery in sorted(waiting, key=lambda one: one.number):
            if (recall := model.recall_of(delivery, asked)) is not None:
                await stating.withdraw(connection, chains, delivery, letter, recall)
                continue
            office = offices[delivery.recipient_office]
            await _take_in(connection, chains, letter, delivery, books[delivery.recipient_office].name, office)
    log.info("deliveries_consigned", letter=letter.name, count=len(arriving))


async def _take_in(
    connection: Connection,
    chains: OpenChains,
    letter: Letter,
    delivery: Delivery,
    series: str,
    office: directory.ResolvedOffice,
) -> None:
    number = chains.number(series)
    text = submit.print_number(office.office.number_pattern, number.book, number.sequence)
    late = rules.hub_is_late(delivery, chains.now)
    await chains.append(
        event=Event.AVAILABLE,
        subject=delivery.name,
        txn=letter.name,
        chains=[delivery.name, series],
        fields=statements.available(letter, number, text, chains.now, hub_late=late),
        sender_body=delivery.sender_body,
        recipient_body=delivery.recipient_body,
        assurance="hub",
        previous_of_new_chain={delivery.name: letter.submission_acceptance_sha256},
    )
    await deliveries.make_available(
        connection, delivery.name, chains.now, book=number.book, sequence=number.sequence, number_text=text
    )
