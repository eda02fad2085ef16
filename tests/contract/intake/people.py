"""Everybody who calls the line, each over a channel of its own."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, TypeAlias

from dabir.intake.v1 import internal_service_pb2 as internal_pb
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member

if TYPE_CHECKING:
    # It stands in the stubs' types only.
    from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceAsyncStub

Worker: TypeAlias = "IntakeInternalServiceAsyncStub"


class People:
    """Opens channels and keeps them until the end of the session."""

    def __init__(self, line: Line, stack: AsyncExitStack) -> None:
        self.line = line
        self._stack = stack
        self._members: dict[tuple[str, str], Member] = {}

    async def member(self, who: str, name: str = "intake") -> Member:
        """A member's system, calling a copy of intake."""
        if (who, name) not in self._members:
            intake = await self._stack.enter_async_context(self.line.channel(who, name))
            documents = await self._stack.enter_async_context(self.line.channel(who, "documents"))
            self._members[who, name] = Member(self.line, who, intake, documents)
        return self._members[who, name]

    async def worker(self, name: str = "intake") -> Worker:
        """What the workers call."""
        return await self._stack.enter_async_context(self.line.worker(name))


async def consign(worker: Worker, draft: Draft, *numbers: int) -> list[internal_pb.DeliveryPlan]:
    """Put deliveries of a letter into the mailboxes: all, or those of these numbers."""
    wanted = numbers or range(1, len(draft.manifest.recipients) + 1)
    request = internal_pb.ConsignDeliveriesRequest(
        letter=draft.name, deliveries=[draft.delivery(number) for number in wanted]
    )
    return list((await worker.ConsignDeliveries(request, timeout=CALL_SECONDS)).deliveries)
