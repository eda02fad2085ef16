"""RecallLetter registers that the sender asks for a letter back; ApplyRecall withdraws what was not accepted."""

import hashlib
from collections.abc import Sequence

from dabir.common.v1.receipt_pb2 import Recall as SaidRecall
from dabir.common.v1.statement_pb2 import Statement
from dabir.formats import names
from dabir.formats.receipt import parse_recall
from dabir.formats.statement import Event
from dabir.intake.v1 import sender_service_pb2 as pb
from services.intake.domain import errors, model, receipt_errors, statements
from services.intake.domain import recall as rules
from services.intake.domain.model import Letter, Recall
from services.intake.domain.signature import Checked
from services.intake.servicer import showing, signatures, stating
from services.intake.servicer.consign import check_of_letter
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls, trust_material
from services.runtime.identity import Caller
from services.runtime.ledger import statement_id
from services.runtime.logs import log


async def recall_letter(registry: Registry, request: pb.RecallLetterRequest, letter: Letter, who: Caller) -> Statement:
    """Register a recall of the caller's letter, or give its statement again.

    Raises FormatError, WrongHub, RecallMismatch, DeliveryNotFound, LetterClosed, DeliveryRecalled, TooManyRecalls, and
    the errors of `signature_errors`.
    """
    said = parse_recall(request.recall)
    rules.check_recall(said, letter, hub=registry.hub)
    sha256 = hashlib.sha256(request.recall).digest()
    async with registry.pool.connection() as connection:
        now = await letters.clock(connection)
        asked = await recalls.list_seen(connection, who.body, [letter.name])
        if (stored := _same(asked, sha256)) is not None:
            return await showing.statement(connection, stored.statement)
    seal = await signatures.check_seal(registry, who.body, request.recall, request.signature, now)
    return await _register(registry, request, said, sha256, seal)


def _same(asked: Sequence[Recall], sha256: bytes) -> Recall | None:
    return next((recall for recall in asked if recall.sha256 == sha256), None)


async def _register(
    registry: Registry, request: pb.RecallLetterRequest, said: SaidRecall, sha256: bytes, seal: Checked
) -> Statement:
    """The one transaction. It touches no delivery: whoever decides over one next sees the recall."""
    async with registry.pool.connection() as connection:
        await trust_material.keep(connection, seal.material)
        async with connection.transaction():
            chains = await registry.ledger.open(connection, [request.letter])
            # Under the chain's lock, which whoever recalls or closes the letter holds.
            letter = await letters.get(connection, request.letter)
            asked = await recalls.of_letter(connection, letter.name)
            if (stored := _same(asked, sha256)) is not None:
                return await showing.statement(connection, stored.statement)
            wanted = rules.numbers(said, letter)
            rules.check_new(wanted, letter, asked)
            statement = await chains.append(
                event=Event.RECALL,
                subject=letter.name,
                txn=letter.name,
                chains=[letter.name],
                fields=statements.recall(letter, sha256, seal),
                sender_body=letter.sender_body,
                recipient_body=None,
            )
            row = Recall(
                letter=letter.name,
                sha256=sha256,
                numbers=wanted,
                statement=statement_id(statement),
                asked_at=chains.now,
            )
            await recalls.insert(connection, row, request.recall, request.signature)
    log.info("letter_recalled", letter=letter.name, count=len(wanted))
    return statement


async def apply_recall(registry: Registry, letter_name: str, wanted: Sequence[str]) -> Letter:
    """Withdraw what a recall names and nobody decided.

    Raises LetterNotFound, DeliveryOfAnotherLetter, DeliveryNotFound, NoRecall; FormatError for the names.
    """
    names.split_letter(letter_name, "letter")
    check_of_letter(letter_name, wanted)
    async with registry.pool.connection() as connection, connection.transaction():
        letter = await letters.get(connection, letter_name)
        found = await deliveries.lock(connection, wanted)
        if missing := sorted(set(wanted) - {delivery.name for delivery in found}):
            raise errors.DeliveryNotFound(delivery=missing[0])
        asked = await recalls.of_letter(connection, letter_name)
        named = {delivery.name: model.recall_of(delivery, asked) for delivery in found}
        if foreign := sorted(name for name, recall in named.items() if recall is None):
            raise receipt_errors.NoRecall(delivery=foreign[0])
        owed = [delivery for delivery in found if rules.is_pending(delivery, asked)]
        if not owed:
            return letter
        chains = await registry.ledger.open(connection, [delivery.name for delivery in owed])
        for delivery in sorted(owed, key=lambda one: one.number):
            recall = named[delivery.name]
            assert recall is not None  # noqa: S101 - refused above
            await stating.withdraw(connection, chains, delivery, letter, recall)
    log.info("recall_applied", letter=letter.name, count=len(owed))
    return letter
