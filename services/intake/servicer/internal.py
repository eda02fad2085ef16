"""IntakeInternalService: for the workers. Names, states and instants only."""

from collections.abc import Sequence

from dabir.formats import names
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as pb
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceServicer
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from services.intake.domain import delivery as rules
from services.intake.domain import errors, model, statements
from services.intake.domain import recall as recall_rules
from services.intake.domain.model import Letter
from services.intake.servicer import consign, messages, operators, recall, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls
from services.runtime import ledger, page_token
from services.runtime.logs import log

PAGE_DEFAULT = 500

_CLOCKS: dict[pb.DueClock.ValueType, rules.Clock] = {
    pb.DUE_CLOCK_ACCEPTANCE: "acceptance",
    pb.DUE_CLOCK_ANSWER: "answer",
}


class InternalServicer(IntakeInternalServiceServicer):
    """What the letter's workflow reads and does."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def GetLetterPlan(self, request: pb.GetLetterPlanRequest, context: object) -> pb.GetLetterPlanResponse:
        names.split_letter(request.letter, "letter")
        consign.check_of_letter(request.letter, request.deliveries)
        async with self._registry.pool.connection() as connection:
            # Before what it counts, as with the deliveries.
            head = await ledger.head(connection, request.letter)
            asked = await recalls.of_letter(connection, request.letter)
        letter = await self._letter(request.letter)
        plans = await self._plans(letter, request.deliveries)
        sequence = head[0] if head else 0
        return pb.GetLetterPlanResponse(plan=messages.letter_plan(letter, asked, plans, sequence))

    async def ConsignDeliveries(
        self, request: pb.ConsignDeliveriesRequest, context: object
    ) -> pb.ConsignDeliveriesResponse:
        letter = await consign.consign(self._registry, request.letter, request.deliveries)
        plans = {plan.delivery: plan for plan in await self._plans(letter, request.deliveries)}
        return pb.ConsignDeliveriesResponse(deliveries=[plans[name] for name in request.deliveries])

    async def FlagLate(self, request: pb.FlagLateRequest, context: object) -> pb.FlagLateResponse:
        letter_name, _ = names.split_delivery(request.delivery, "delivery")
        async with self._registry.pool.connection() as connection, connection.transaction():
            locked = await deliveries.lock(connection, [request.delivery])
            if not locked:
                raise errors.DeliveryNotFound(delivery=request.delivery)
            recalled_at = recall_rules.pending_since(locked[0], await recalls.of_letter(connection, letter_name))
            chains = await self._registry.ledger.open(connection, [request.delivery])
            if rules.check_flag(locked[0], _CLOCKS[request.clock], chains.now, recalled_at):
                if request.clock == pb.DUE_CLOCK_ACCEPTANCE:
                    await stating.acceptance_expiry(connection, chains, locked[0])
                else:
                    await stating.answer_overdue(connection, chains, locked[0])
        (plan,) = await self._plans(await self._letter(letter_name), [request.delivery])
        return pb.FlagLateResponse(delivery=plan)

    async def ApplyRecall(self, request: pb.ApplyRecallRequest, context: object) -> pb.ApplyRecallResponse:
        letter = await recall.apply_recall(self._registry, request.letter, request.deliveries)
        plans = {plan.delivery: plan for plan in await self._plans(letter, request.deliveries)}
        return pb.ApplyRecallResponse(deliveries=[plans[name] for name in request.deliveries])

    async def CloseLetter(self, request: pb.CloseLetterRequest, context: object) -> pb.CloseLetterResponse:
        letter = await self._letter(request.letter)
        async with self._registry.pool.connection() as connection, connection.transaction():
            # Under their locks: who holds one may be deciding, by an earlier reading of the clock than ours.
            rows = await deliveries.lock_of_letter(connection, letter.name)
            chains = await self._registry.ledger.open(connection, [letter.name])
            # Again, under the chain's lock; on the same connection, since a second one could be waited for in vain.
            letter = await letters.get(connection, letter.name)
            if letter.state == model.CLOSED:
                return pb.CloseLetterResponse(state=LETTER_STATE_CLOSED)
            asked = await recalls.of_letter(connection, letter.name)
            closing = rules.closing(letter, rows, asked, chains.now)
            if closing.closes:
                await chains.append(
                    event=Event.CLOSED,
                    subject=letter.name,
                    txn=letter.name,
                    chains=[letter.name],
                    fields=statements.closed(unclaimed=closing.unclaimed),
                    sender_body=letter.sender_body,
                    recipient_body=None,
                    assurance="hub",
                )
                await letters.close(connection, letter.name, chains.now, unclaimed=closing.unclaimed)
        log.info("letter_closing_judged", letter=letter.name, closes=closing.closes, unclaimed=closing.unclaimed)
        return messages.closing(closing)

    async def ListOpenLetters(self, request: pb.ListOpenLettersRequest, context: object) -> pb.ListOpenLettersResponse:
        after = page_token.after(request.page_token, page_token.instant_and_name, "ListOpenLetters")
        size = request.page_size or PAGE_DEFAULT
        async with self._registry.pool.connection() as connection:
            rows = await letters.list_open(connection, after, size + 1)
        shown, token = page_token.cut(rows, size, lambda row: [row[1].isoformat(), row[0]], "ListOpenLetters")
        return pb.ListOpenLettersResponse(
            letters=[name for name, _, _ in shown],
            next_page_token=token,
            recall_pending_letters=[name for name, _, recall_pending in shown if recall_pending],
        )

    async def RecordOperatorAction(
        self, request: pb.RecordOperatorActionRequest, context: object
    ) -> pb.RecordOperatorActionResponse:
        return pb.RecordOperatorActionResponse(statement=await operators.record(self._registry, request))

    async def _letter(self, name: str) -> Letter:
        names.split_letter(name, "letter")
        async with self._registry.pool.connection() as connection:
            return await letters.get(connection, name)

    async def _plans(self, letter: Letter, wanted: Sequence[str]) -> list[pb.DeliveryPlan]:
        """The plans of the deliveries named, or of all, by number. Raises DeliveryNotFound."""
        definition = await self._registry.definition(letter.definition)
        async with self._registry.pool.connection() as connection:
            # Before the rows: a fact stated between the two is told of as newer than this plan, and asked about again.
            # The other way round the plan would claim to hold it, and it would be waited for in vain.
            sequences = await deliveries.sequences(connection, letter.name, wanted)
            asked = await recalls.of_letter(connection, letter.name)
            rows = await deliveries.of_letter(connection, letter.name, wanted)
            now = await letters.clock(connection)
        if missing := sorted(set(wanted) - {row.name for row in rows}):
            raise errors.DeliveryNotFound(delivery=missing[0])
        return [messages.delivery_plan(row, definition, asked, sequences.get(row.name, 0), now) for row in rows]
