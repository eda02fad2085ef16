"""RecipientService: for those who get letters."""

from dabir.common.v1.receipt_pb2 import VERDICT_ACCEPTED, VERDICT_REFUSED, VERDICT_RETURNED
from dabir.formats import names
from dabir.intake.v1 import recipient_service_pb2 as pb
from dabir.intake.v1.recipient_service_pb2_grpc import RecipientServiceServicer
from services.intake.domain.model import Delivery
from services.intake.domain.receipt import RECALL_VERDICTS
from services.intake.servicer import decide, mark_read, messages, showing
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries
from services.runtime import page_token
from services.runtime.identity import caller

PAGE_DEFAULT, PAGE_MAX = 50, 200


class RecipientServicer(RecipientServiceServicer):
    """What came to the caller's body. What did not, or needs a clearance it lacks, does not exist: NOT_FOUND."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: object) -> pb.ListDeliveriesResponse:
        who, state = caller(), messages.delivery_state(request.state)
        if request.office:
            names.split_office(request.office, "office")
        binding = (who.body, "ListDeliveries", request.office, state)
        after = page_token.after(request.page_token, page_token.instant_and_name, *binding)
        size = page_token.size(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        async with self._registry.pool.connection() as connection:
            rows = await deliveries.list_got(
                connection,
                who.body,
                who.clearance,
                office=request.office,
                state=state,
                after=after,
                limit=size + 1,
            )
        shown, token = page_token.cut(rows, size, _place, *binding)
        envelopes = await showing.envelopes(self._registry, who, shown)
        return pb.ListDeliveriesResponse(deliveries=envelopes, next_page_token=token)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: object) -> pb.GetDeliveryResponse:
        who = caller()
        delivery, letter = await showing.find_delivery(self._registry, who, request.name)
        return pb.GetDeliveryResponse(delivery=await showing.show_delivery(self._registry, who, delivery, letter))

    async def AcceptDelivery(self, request: pb.AcceptDeliveryRequest, context: object) -> pb.AcceptDeliveryResponse:
        delivery, statement = await decide.decide(
            self._registry, request.name, [VERDICT_ACCEPTED], request.receipt, request.signature, caller()
        )
        return pb.AcceptDeliveryResponse(delivery=delivery, statement=statement)

    async def RefuseDelivery(self, request: pb.RefuseDeliveryRequest, context: object) -> pb.RefuseDeliveryResponse:
        delivery, statement = await decide.decide(
            self._registry, request.name, [VERDICT_REFUSED], request.receipt, request.signature, caller()
        )
        return pb.RefuseDeliveryResponse(delivery=delivery, statement=statement)

    async def MarkRead(self, request: pb.MarkReadRequest, context: object) -> pb.MarkReadResponse:
        return pb.MarkReadResponse(statement=await mark_read.mark_read(self._registry, request, caller()))

    async def ReturnDelivery(self, request: pb.ReturnDeliveryRequest, context: object) -> pb.ReturnDeliveryResponse:
        delivery, statement = await decide.decide(
            self._registry, request.name, [VERDICT_RETURNED], request.receipt, request.signature, caller()
        )
        return pb.ReturnDeliveryResponse(delivery=delivery, statement=statement)

    async def AnswerRecall(self, request: pb.AnswerRecallRequest, context: object) -> pb.AnswerRecallResponse:
        delivery, statement = await decide.decide(
            self._registry, request.name, RECALL_VERDICTS, request.receipt, request.signature, caller()
        )
        return pb.AnswerRecallResponse(delivery=delivery, statement=statement)


def _place(row: Delivery) -> list[str]:
    assert row.available_at is not None  # noqa: S101 - only what lies in the mailbox is listed
    return [row.available_at.isoformat(), row.name]
