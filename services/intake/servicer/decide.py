"""AcceptDelivery, RefuseDelivery, ReturnDelivery and AnswerRecall: a receipt decides under the row's lock.

Who is second gets the outcome.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from dabir.common.v1 import receipt_pb2 as receipt_pb
from dabir.common.v1.receipt_pb2 import Receipt, Verdict
from dabir.common.v1.statement_pb2 import Statement, StatementEvent
from dabir.formats.receipt import parse_receipt
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from services.intake.domain import delivery as delivery_rules
from services.intake.domain import model, statements
from services.intake.domain import recall as recall_rules
from services.intake.domain import receipt as rules
from services.intake.domain.definition import Definition
from services.intake.domain.model import Delivery, Letter
from services.intake.domain.signature import Checked
from services.intake.servicer import showing, signatures, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls, receipts, trust_material
from services.runtime.database import Connection
from services.runtime.identity import Caller
from services.runtime.ledger import OpenChains, statement_id
from services.runtime.logs import log

_ACCEPTANCE = (Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT)


async def decide(
    registry: Registry,
    name: str,
    verdicts: Collection[Verdict.ValueType],
    receipt: bytes,
    signature: bytes,
    who: Caller,
) -> tuple[letter_pb2.Delivery, Statement | None]:
    """Take a receipt with one of `verdicts`; the delivery as decided by now, and the statement that decided it.

    Raises FormatError, DeliveryNotFound, WrongHub, the errors of a receipt in `receipt_errors`, NoRecall, and the
    errors of `signature_errors`.
    """
    delivery, letter = await showing.find_delivery(registry, who, name)
    said = parse_receipt(receipt)
    rules.check_receipt(said, verdicts, delivery, letter, hub=registry.hub)
    definition = await registry.definition(letter.definition)
    rules.check_content(said, delivery, letter, definition)
    signed = SignedReceipt(said, receipt, hashlib.sha256(receipt).digest(), signature)
    async with registry.pool.connection() as connection:
        now = await letters.clock(connection)
        repeated = await receipts.exists(connection, who.body, name, signed.sha256)
    if not repeated:
        seal = await signatures.check_seal(registry, who.body, receipt, signature, now)
        await _decide(registry, letter, name, definition, signed, seal)

    delivery, letter = await showing.find_delivery(registry, who, name)
    outcome = rules.outcome(said.verdict, delivery)
    async with registry.pool.connection() as connection:
        decided = await showing.statement(connection, outcome) if outcome else None
    return await showing.show_delivery(registry, who, delivery, letter), decided


@dataclass(frozen=True)
class SignedReceipt:
    """A receipt, its bytes and their signature file."""

    said: Receipt
    data: bytes
    sha256: bytes
    signature: bytes


@dataclass(frozen=True)
class _Case:
    """A receipt that decides, within the transaction."""

    connection: Connection
    chains: OpenChains
    letter: Letter
    delivery: Delivery
    definition: Definition
    receipt: SignedReceipt
    seal: Checked

    async def state(self, event: Event | tuple[Event, ...], fields: StatementEvent) -> UUID:
        """State what the receipt says; the statement's jti."""
        return statement_id(await stating.append(self.chains, self.delivery, event, fields, assurance="mtls"))


async def _decide(
    registry: Registry, letter: Letter, name: str, definition: Definition, receipt: SignedReceipt, seal: Checked
) -> None:
    """The one transaction. Does nothing when the delivery is decided by now."""
    async with registry.pool.connection() as connection:
        await trust_material.keep(connection, seal.material)
        async with connection.transaction():
            (delivery,) = await deliveries.lock(connection, [name])
            asked = await recalls.of_letter(connection, letter.name)
            if not rules.may_decide(receipt.said, delivery, recall := model.recall_of(delivery, asked)):
                return
            chains = await registry.ledger.open(connection, [name])
            if recall is not None and recall_rules.is_pending(delivery, asked):
                # Before acceptance a recall withdraws, whether or not the workers came to apply it.
                await stating.withdraw(connection, chains, delivery, letter, recall)
                return
            case = _Case(connection, chains, letter, delivery, definition, receipt, seal)
            decision = await _VERDICTS[receipt.said.verdict](case)
            await receipts.insert(
                connection, name, receipt.sha256, receipt.data, receipt.signature, decision, chains.now
            )
    log.info("delivery_decided", delivery=name, verdict=Verdict.Name(receipt.said.verdict))


async def _accept(case: _Case) -> UUID:
    await stating.lateness_of_acceptance(case.connection, case.chains, case.delivery, case.chains.now)
    fields = statements.consignment_acceptance(case.letter, case.delivery, case.receipt.sha256, case.seal)
    decision = await case.state(_ACCEPTANCE, fields)
    await deliveries.decide(
        case.connection,
        case.delivery.name,
        case.chains.now,
        state=model.ACCEPTED,
        decision=decision,
        reason=None,
        return_until=delivery_rules.return_until(case.chains.now, case.definition),
    )
    return decision


async def _refuse(case: _Case) -> UUID:
    await stating.lateness_of_acceptance(case.connection, case.chains, case.delivery, case.chains.now)
    await stating.lateness_of_answer(case.connection, case.chains, case.delivery, case.chains.now)
    reason = case.receipt.said.reason
    fields = statements.consignment_rejection(case.letter, case.delivery, reason, case.receipt.sha256, case.seal)
    decision = await case.state(Event.CONSIGNMENT_REJECTION, fields)
    await deliveries.decide(
        case.connection,
        case.delivery.name,
        case.chains.now,
        state=model.REFUSED,
        decision=decision,
        reason=reason,
        return_until=None,
    )
    return decision


async def _return(case: _Case) -> UUID:
    rules.check_window(case.delivery, case.chains.now)
    await stating.lateness_of_answer(case.connection, case.chains, case.delivery, case.chains.now)
    reason = case.receipt.said.reason
    fields = statements.returned(case.letter, case.delivery, reason, case.receipt.sha256, case.seal)
    decision = await case.state(Event.RETURNED, fields)
    await deliveries.send_back(case.connection, case.delivery.name, case.chains.now, decision, reason)
    return decision


async def _answer_recall(case: _Case) -> UUID:
    granted = case.receipt.said.verdict == receipt_pb.VERDICT_RECALL_GRANTED
    if granted:
        await stating.lateness_of_answer(case.connection, case.chains, case.delivery, case.chains.now)
    fields = statements.recall_answered(
        case.delivery, case.receipt.said.recall_sha256, case.receipt.said.verdict, case.receipt.sha256, case.seal
    )
    decision = await case.state(Event.RECALL_ANSWERED, fields)
    name, now = case.delivery.name, case.chains.now
    await deliveries.answer_recall(case.connection, name, now, decision, case.receipt.said.verdict)
    if granted:
        await deliveries.withdraw(case.connection, name, now, decision)
    return decision


_VERDICTS = {
    receipt_pb.VERDICT_ACCEPTED: _accept,
    receipt_pb.VERDICT_REFUSED: _refuse,
    receipt_pb.VERDICT_RETURNED: _return,
    receipt_pb.VERDICT_RECALL_GRANTED: _answer_recall,
    receipt_pb.VERDICT_RECALL_REFUSED: _answer_recall,
}
