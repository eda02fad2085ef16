"""SenderService: for those who send letters."""

from dabir.formats import names
from dabir.intake.v1 import sender_service_pb2 as pb
from dabir.intake.v1.sender_service_pb2_grpc import SenderServiceServicer
from services.intake.domain import errors, model
from services.intake.servicer import messages, recall, register, showing
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, recalls, receipts
from services.runtime import page_token
from services.runtime.identity import Caller, caller

LETTERS_PAGE_DEFAULT, LETTERS_PAGE_MAX = 50, 200
DELIVERIES_PAGE_MAX = 500


class SenderServicer(SenderServiceServicer):
    """What the caller's body sent. Another body's letter does not exist: NOT_FOUND."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def SubmitLetter(self, request: pb.SubmitLetterRequest, context: object) -> pb.SubmitLetterResponse:
        return await register.submit_letter(self._registry, request, caller())

    async def RecallLetter(self, request: pb.RecallLetterRequest, context: object) -> pb.RecallLetterResponse:
        who = caller()
        letter = await self._find(who, request.letter, "letter")
        return pb.RecallLetterResponse(statement=await recall.recall_letter(self._registry, request, letter, who))

    async def GetLetter(self, request: pb.GetLetterRequest, context: object) -> pb.GetLetterResponse:
        who = caller()
        row = await self._find(who, request.name, "name")
        async with self._registry.pool.connection() as connection:
            signed = await letters.content(connection, who.body, row.name)
            statement = await showing.statement(connection, row.submission_acceptance)
            recalled = await showing.signed_recalls(connection, who, row.name)
        assert signed is not None  # noqa: S101 - the caller's letter was just read
        return pb.GetLetterResponse(
            letter=messages.letter(row),
            manifest=signed.manifest,
            signatures=signed.signatures,
            documents=row.documents,
            submission_acceptance=statement,
            recalls=recalled.values(),
        )

    async def ListLetters(self, request: pb.ListLettersRequest, context: object) -> pb.ListLettersResponse:
        who, state = caller(), messages.letter_state(request.state)
        if request.office:
            names.split_office(request.office, "office")
        binding = (who.body, "ListLetters", request.office, state)
        after = page_token.after(request.page_token, page_token.instant_and_name, *binding)
        size = page_token.size(request.page_size, LETTERS_PAGE_DEFAULT, LETTERS_PAGE_MAX)
        async with self._registry.pool.connection() as connection:
            rows = await letters.list_sent(
                connection,
                who.body,
                who.clearance,
                office=request.office,
                state=state,
                after=after,
                limit=size + 1,
            )
        shown, token = page_token.cut(rows, size, lambda row: [row.registered_at.isoformat(), row.name], *binding)
        return pb.ListLettersResponse(letters=[messages.letter(row) for row in shown], next_page_token=token)

    async def ListSentDeliveries(
        self, request: pb.ListSentDeliveriesRequest, context: object
    ) -> pb.ListSentDeliveriesResponse:
        who = caller()
        letter = await self._find(who, request.parent, "parent")
        binding = (who.body, "ListSentDeliveries", letter.name)
        after = page_token.after(request.page_token, int, *binding) or 0
        size = page_token.size(request.page_size, DELIVERIES_PAGE_MAX, DELIVERIES_PAGE_MAX)
        async with self._registry.pool.connection() as connection:
            rows = await deliveries.list_sent(
                connection, who.body, who.clearance, letter.name, after=after, limit=size + 1
            )
            asked = await recalls.list_seen(connection, who.body, [letter.name])
        shown, token = page_token.cut(rows, size, lambda row: [str(row.number)], *binding)
        return pb.ListSentDeliveriesResponse(
            deliveries=[messages.sent_delivery(row, model.recall_of(row, asked)) for row in shown],
            next_page_token=token,
        )

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: object) -> pb.GetReceiptResponse:
        who = caller()
        names.split_delivery(request.delivery, "delivery")
        answer = pb.GetReceiptResponse()
        async with self._registry.pool.connection() as connection:
            found = await receipts.list_of(connection, who.body, who.clearance, request.delivery)
            if found is None:
                raise errors.DeliveryNotFound(delivery=request.delivery)
            for one in found:
                statement = await showing.statement(connection, one.statement)
                answer.receipts.add(receipt=one.receipt, signature=one.signature, statement=statement)
        return answer

    async def GetDefinition(self, request: pb.GetDefinitionRequest, context: object) -> pb.GetDefinitionResponse:
        found = await self._registry.definition(request.name)
        return pb.GetDefinitionResponse(definition=found.demands, sha256=found.sha256, file=found.file)

    async def _find(self, who: Caller, name: str, path: str) -> model.Letter:
        names.split_letter(name, path)
        async with self._registry.pool.connection() as connection:
            row = await letters.find(connection, who.body, who.clearance, name)
        if row is None:
            raise errors.LetterNotFound(letter=name)
        return row
