"""AcceptDelivery and RefuseDelivery: a receipt decides under the row's lock; who is second gets the outcome."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from dabir.common.v1.receipt_pb2 import VERDICT_ACCEPTED, VERDICT_REFUSED, Receipt, Verdict
from dabir.common.v1.statement_pb2 import Statement
from dabir.formats.receipt import parse_receipt
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from services.intake.domain import delivery as rules
from services.intake.domain import model, statements
from services.intake.domain.definition import Definition
from services.intake.domain.model import Delivery, Letter
from services.intake.domain.signature import Checked
from services.intake.servicer import reading, signatures, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, receipts, trust_material
from services.runtime.identity import Caller
from services.runtime.ledger import Connection, OpenChains
from services.runtime.logs import log

_ACCEPTANCE = (Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT)


async def decide(
    registry: Registry, name: str, verdict: Verdict.ValueType, receipt: bytes, signature: bytes, who: Caller
) -> tuple[letter_pb2.Delivery, Statement | None]:
    """Take a receipt with `verdict`; the delivery as decided by now, and the statement that decided it."""
    delivery, letter = await reading.find_delivery(registry, who, name)
    said = parse_receipt(receipt)
    rules.check_receipt(said, verdict, delivery, letter, hub=registry.hub)
    definition = await registry.definition(letter.definition)
    if verdict == VERDICT_REFUSED:
        rules.check_refusal(said, definition)
    signed = SignedReceipt(said, receipt, hashlib.sha256(receipt).digest(), signature)
    async with registry.pool.connection() as connection:
        now = await letters.clock(connection)
        repeated = await receipts.exists(connection, who.body, name, signed.sha256)
    if not repeated:
        seal = await signatures.check_receipt(registry, who.body, receipt, signature, now)
        await _decide(registry, letter, name, definition, signed, seal)

    delivery, letter = await reading.find_delivery(registry, who, name)
    async with registry.pool.connection() as connection:
        decided = await reading.statement(connection, delivery.decision) if delivery.decision else None
    return await reading.show_delivery(registry, who, delivery, letter), decided


@dataclass(frozen=True)
class SignedReceipt:
    """A receipt, its bytes and their signature file."""

    said: Receipt
    data: bytes
    sha256: bytes
    signature: bytes


async def _decide(
    registry: Registry, letter: Letter, name: str, definition: Definition, receipt: SignedReceipt, seal: Checked
) -> None:
    """The one transaction. Does nothing when the delivery is decided by now."""
    accepts = receipt.said.verdict == VERDICT_ACCEPTED
    async with registry.pool.connection() as connection:
        await trust_material.keep(connection, seal.material)
        async with connection.transaction():
            (delivery,) = await deliveries.lock(connection, [name])
            if delivery.state != model.AVAILABLE:
                return
            chains = await registry.ledger.open(connection, [name])
            decision = await _state(connection, chains, delivery, letter, receipt, seal)
            await deliveries.decide(
                connection,
                name,
                chains.now,
                state=model.ACCEPTED if accepts else model.REFUSED,
                decision=decision,
                reason=receipt.said.reason or None,
                return_until=rules.return_until(chains.now, definition) if accepts else None,
            )
            await receipts.insert(
                connection, name, receipt.sha256, receipt.data, receipt.signature, decision, chains.now
            )
    log.info("delivery_decided", delivery=name, accepted=accepts)


async def _state(
    connection: Connection,
    chains: OpenChains,
    delivery: Delivery,
    letter: Letter,
    receipt: SignedReceipt,
    seal: Checked,
) -> UUID:
    """Lateness first, if nobody stated it yet, then the decision."""
    if rules.acceptance_is_late(delivery, chains.now):
        await stating.acceptance_expiry(connection, chains, delivery)
    if receipt.said.verdict == VERDICT_ACCEPTED:
        event: Event | tuple[Event, ...] = _ACCEPTANCE
        fields = statements.consignment_acceptance(letter, delivery, receipt.sha256, seal)
    else:
        event = Event.CONSIGNMENT_REJECTION
        fields = statements.consignment_rejection(letter, delivery, receipt.said.reason, receipt.sha256, seal)
    return stating.statement_id(await stating.append(chains, delivery, event, fields, assurance="mtls"))
