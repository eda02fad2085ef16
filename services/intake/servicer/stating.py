"""What the transactions of intake share: statements about deliveries, and the series that numbers are taken in."""

from datetime import datetime

from dabir.common.v1.statement_pb2 import Statement, StatementEvent
from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats import names
from dabir.formats.statement import Event
from services.intake.domain import delivery as rules
from services.intake.domain import statements
from services.intake.domain.model import Delivery, Letter, Recall
from services.intake.store import deliveries
from services.runtime.database import Connection
from services.runtime.ledger import OpenChains, Series, statement_id


def series(office: directory.ResolvedOffice, direction: names.Direction) -> Series:
    """The book of an office over all its years, counted as its body counts."""
    gregorian = office.body.calendar == directory.CALENDAR_GREGORIAN
    name, zone = names.series(office.office.name, direction), office.body.time_zone
    return Series(name, "GREGORIAN" if gregorian else "JALALI", zone)


async def append(
    chains: OpenChains,
    delivery: Delivery,
    event: Event | tuple[Event, ...],
    fields: StatementEvent,
    *,
    assurance: str,
    toe: datetime | None = None,
) -> Statement:
    """State an event of a delivery that is in its chain already: what became available."""
    return await chains.append(
        event=event,
        subject=delivery.name,
        txn=delivery.letter,
        chains=[delivery.name],
        fields=fields,
        sender_body=delivery.sender_body,
        recipient_body=delivery.recipient_body,
        toe=toe,
        assurance=assurance,
    )


async def withdraw(
    connection: Connection, chains: OpenChains, delivery: Delivery, letter: Letter, recall: Recall
) -> None:
    """A recall came before acceptance: state it, what it was late with first, and withdraw the delivery.

    Late by when it was recalled: how long the hub took to apply that is not the recipient's fault.
    """
    at = min(chains.now, recall.asked_at)
    await lateness_of_acceptance(connection, chains, delivery, at)
    await lateness_of_answer(connection, chains, delivery, at)
    statement = await chains.append(
        event=Event.WITHDRAWN,
        subject=delivery.name,
        txn=delivery.letter,
        chains=[delivery.name],
        fields=statements.withdrawn(recall.sha256),
        sender_body=delivery.sender_body,
        # To whom it never came nothing is told of it.
        recipient_body=delivery.recipient_body if delivery.available_at else None,
        assurance="hub",
        previous_of_new_chain={delivery.name: letter.submission_acceptance_sha256},
    )
    await deliveries.withdraw(connection, delivery.name, chains.now, statement_id(statement))


async def lateness_of_acceptance(connection: Connection, chains: OpenChains, delivery: Delivery, at: datetime) -> None:
    """Whoever decides over a delivery as of a time past its due states that first, if nobody did."""
    if rules.acceptance_is_late(delivery, at):
        await acceptance_expiry(connection, chains, delivery)


async def lateness_of_answer(connection: Connection, chains: OpenChains, delivery: Delivery, at: datetime) -> None:
    """Whoever ends a delivery as of a time past the due of its answer states that first, if nobody did."""
    if rules.answer_is_late(delivery, at):
        await answer_overdue(connection, chains, delivery)


async def acceptance_expiry(connection: Connection, chains: OpenChains, delivery: Delivery) -> None:
    """Nothing was signed by the due: state it as of the due, and flag it, once."""
    fields, due = statements.acceptance_expiry(delivery), delivery.acceptance_due
    await append(chains, delivery, Event.ACCEPTANCE_REJECTION_EXPIRY, fields, assurance="hub", toe=due)
    await deliveries.flag_late_acceptance(connection, delivery.name)


async def answer_overdue(connection: Connection, chains: OpenChains, delivery: Delivery) -> None:
    """No answer came by the due: state it as of the due, and flag it, once."""
    fields, due = statements.answer_overdue(delivery), delivery.answer_due
    await append(chains, delivery, Event.ANSWER_OVERDUE, fields, assurance="hub", toe=due)
    await deliveries.flag_late_answer(connection, delivery.name)
