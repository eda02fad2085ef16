"""What callers are shown: statements, signed recalls, envelopes, and a delivery's content once it is open."""

from collections.abc import Sequence
from uuid import UUID

from dabir.common.v1.statement_pb2 import Statement
from dabir.formats import names
from dabir.intake.v1 import letter_pb2 as pb
from services.intake.domain import errors, model
from services.intake.domain.model import Delivery, Letter
from services.intake.servicer import messages
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls
from services.runtime import ledger
from services.runtime.database import Connection
from services.runtime.identity import Caller


async def statement(connection: Connection, jti: UUID) -> Statement:
    """A statement that a row of ours names: it was committed with the row."""
    found = await ledger.read(connection, str(jti))
    assert found is not None  # noqa: S101 - the ledger is append only
    return found


async def find_delivery(registry: Registry, who: Caller, name: str) -> tuple[Delivery, Letter]:
    """A delivery that came to the caller's body, with its letter. Raises DeliveryNotFound for any other."""
    names.split_delivery(name, "name")
    async with registry.pool.connection() as connection:
        delivery = await deliveries.find(connection, who.body, who.clearance, name)
        if delivery is None:
            raise errors.DeliveryNotFound(delivery=name)
        letter = (await deliveries.letters_of(connection, who.body, [delivery.letter]))[delivery.letter]
    return delivery, letter


async def envelopes(registry: Registry, who: Caller, rows: Sequence[Delivery]) -> list[pb.Envelope]:
    """The envelopes of deliveries that came to the caller's body, in their order."""
    async with registry.pool.connection() as connection:
        found = await deliveries.letters_of(connection, who.body, {row.letter for row in rows})
        asked = await recalls.list_seen(connection, who.body, found)
    of_letter = {name: [recall for recall in asked if recall.letter == name] for name in found}
    return [messages.envelope(row, found[row.letter], model.recall_of(row, of_letter[row.letter])) for row in rows]


async def show_delivery(registry: Registry, who: Caller, delivery: Delivery, letter: Letter) -> pb.Delivery:
    """The envelope, and the content if it is open."""
    (envelope,) = await envelopes(registry, who, [delivery])
    shown = pb.Delivery(envelope=envelope)
    if not model.is_open(delivery):
        return shown
    async with registry.pool.connection() as connection:
        bytes_of = await letters.content(connection, who.body, letter.name)
        assert bytes_of is not None  # noqa: S101 - an open delivery of the caller's was just read
        shown.content.manifest = bytes_of.manifest
        shown.content.signatures.extend(bytes_of.signatures)
        for index in model.granted(delivery, letter):
            shown.content.documents.add(index=index, document=letter.documents[index - 1])
        shown.content.submission_acceptance.CopyFrom(await statement(connection, letter.submission_acceptance))
        if delivery.decision is not None:
            shown.content.consignment_acceptance.CopyFrom(await statement(connection, delivery.decision))
        if envelope.HasField("recall"):
            asked = await signed_recalls(connection, who, letter.name)
            shown.recall.CopyFrom(asked[envelope.recall.sha256])
    return shown


async def signed_recalls(connection: Connection, who: Caller, letter: str) -> dict[bytes, pb.SignedRecall]:
    """The recalls of a letter that the caller's body sent or got, by digest, oldest first."""
    found = await recalls.signed(connection, who.body, letter)
    return {
        one.sha256: pb.SignedRecall(
            recall=one.recall, signature=one.signature, statement=await statement(connection, one.statement)
        )
        for one in found
    }
