"""The workers' neighbours for tests of workflows: real gRPC servers over a real ledger, with the real evidence.

Intake, documents and notifications are small here: their real contract, over state that a test reads and changes. What
these tests need is that a neighbour refuses, is out or says something unusable on demand. The line with all real
services stands in tests/integration.
"""

import asyncio
import contextlib
import secrets
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg_pool import AsyncConnectionPool

from dabir.common.v1 import manifest_pb2
from dabir.common.v1.statement_pb2 import Statement
from dabir.documents.v1 import documents_pb2 as documents
from dabir.documents.v1.documents_pb2_grpc import (
    DocumentInternalServiceServicer,
    add_DocumentInternalServiceServicer_to_server,
)
from dabir.evidence.v1.evidence_pb2_grpc import add_EvidenceInternalServiceServicer_to_server
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as intake
from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2_grpc import (
    IntakeInternalServiceServicer,
    add_IntakeInternalServiceServicer_to_server,
)
from dabir.notifications.v1 import notifications_pb2 as notifications
from dabir.notifications.v1.notifications_pb2_grpc import (
    NotificationInternalServiceServicer,
    add_NotificationInternalServiceServicer_to_server,
)
from services.evidence import sequencer
from services.evidence.servicer import EvidenceInternalServicer
from services.runtime.error_mapping import status_of
from services.runtime.errors import DabirError, FailedPrecondition, NotFound, Unavailable
from tests.integration.ledger import raw

SENDER = "bodies/interior"
Pool = AsyncConnectionPool[Any]


_APPEND = (
    "SELECT ledger.append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::integer[], %s::bigint[], %s::bytea[])"
)


class OutageOrdered(Unavailable):
    reason = "OUTAGE_ORDERED"
    template = "The test ordered an outage."


class RefusalOrdered(FailedPrecondition):
    reason = "REFUSAL_ORDERED"
    template = "The test ordered a refusal that mentions محرمانه."


class DefectOrdered(DabirError):
    reason = "INTERNAL"
    template = "The test ordered a defect."


class LetterNotFound(NotFound):
    reason = "LETTER_NOT_FOUND"
    template = "There is no letter {letter}."


class NotLateYet(FailedPrecondition):
    reason = "NOT_LATE_YET"
    template = "The clock still runs."


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Faults(grpc.aio.ServerInterceptor):
    """Counts calls by method and lets a test order what a method answers instead."""

    calls: Counter[str] = field(default_factory=Counter)
    ordered: dict[str, DabirError] = field(default_factory=dict)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method).rpartition("/")[2]

        async def respond(request: Any, context: Any) -> Any:
            self.calls[method] += 1
            try:
                if method in self.ordered:
                    raise self.ordered[method]
                return await handler.unary_unary(request, context)
            except DabirError as error:
                status = status_of(error, persian=False)
                details = (("grpc-status-details-bin", status.SerializeToString()),)
                await context.abort(grpc.StatusCode[error.code], error.message, details)

        return grpc.unary_unary_rpc_method_handler(
            respond,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class SmallIntake(IntakeInternalServiceServicer):
    """Letters in memory, what happens to them in the real ledger."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.plans: dict[str, intake.LetterPlan] = {}
        self.actions: dict[str, intake.RecordOperatorActionRequest] = {}
        self.plans_read = 0
        self.statements: list[tuple[str, str]] = []
        """Subject and event of each, in their order."""
        self.never_flags: set[str] = set()
        """Letters whose deliveries became available after their due: by the hub's fault, so without a flag."""
        self.may_answer = asyncio.Event()
        """While it is cleared, GetLetterPlan has read and does not answer yet."""
        self.may_answer.set()
        self.no_mailbox: set[str] = set()
        """Deliveries that ConsignDeliveries refuses."""
        self.hidden: set[str] = set()
        """Letters whose plan is refused."""
        self.out_for: set[str] = set()
        """Letters whose plan is not to be had at the moment."""
        self.broken: set[str] = set()
        """Letters whose plan cannot be made, by a defect."""

    # What a test does: the members' side.

    async def register(self, recipients: int = 1, **letter: Any) -> intake.LetterPlan:
        """A letter to so many bodies, stated. `letter`: fields of its plan; `delivery`: changes each delivery."""
        change = letter.pop("delivery", lambda _delivery: None)
        name, at = raw.new_letter(), now()
        plan = intake.LetterPlan(
            letter=name,
            state=states.LETTER_STATE_OPEN,
            sender_body=SENDER,
            registry_number="1405/12/345",
            definition="definitions/administrative/1",
            priority=manifest_pb2.PRIORITY_URGENT,
            registered_at=stamp(at),
            documents=[f"documents/{uuid.uuid4()}"],
            retain_until=stamp(at + timedelta(days=3650)),
            close_at=stamp(at + timedelta(days=365)),
        )
        plan.MergeFrom(intake.LetterPlan(**letter))
        for number in range(1, recipients + 1):
            delivery = intake.DeliveryPlan(
                delivery=f"{name}/deliveries/{number}",
                recipient_body=f"bodies/bank-{number}",
                kind=manifest_pb2.RECIPIENT_KIND_TO,
                state=states.DELIVERY_STATE_CREATED,
            )
            change(delivery)
            plan.deliveries.append(delivery)
        self.plans[name] = plan
        await self._state(Event.SUBMISSION_ACCEPTANCE, name, [name, "books/interior/registry/out"])
        return plan

    async def accept(self, name: str, return_window: timedelta = timedelta()) -> None:
        """Its recipient signs a receipt."""
        delivery = self.delivery(name)
        delivery.state = states.DELIVERY_STATE_ACCEPTED
        delivery.times.decided_at.CopyFrom(stamp(now()))
        delivery.return_until.CopyFrom(stamp(now() + return_window))
        del delivery.remind_at[:]
        await self._state(Event.CONSIGNMENT_ACCEPTANCE, name)

    async def answer(self, name: str) -> None:
        delivery = self.delivery(name)
        delivery.state = states.DELIVERY_STATE_ANSWERED
        delivery.times.answered_at.CopyFrom(stamp(now()))
        await self._state(Event.ANSWERED, name)

    def stated(self, letter: str) -> list[str]:
        """The events stated about a letter and its deliveries, in their order."""
        return [event for subject, event in self.statements if subject.partition("/deliveries/")[0] == letter]

    def delivery(self, name: str) -> intake.DeliveryPlan:
        plan = self.plans[name.partition("/deliveries/")[0]]
        return next(delivery for delivery in plan.deliveries if delivery.delivery == name)

    async def _state(self, event: Event, subject: str, chains: list[str] | None = None) -> Statement:
        """By the ledger's own functions; what is signed does not matter to a follower, so it is random here."""
        chains = chains or [subject]
        jws, salt = secrets.token_urlsafe(200), secrets.token_bytes(32)
        async with self._pool.connection() as connection, connection.transaction():
            rows = await (await connection.execute("SELECT * FROM ledger.lock(%s)", (chains,))).fetchall()
            ends = {row[0]: row for row in rows}
            at = await (await connection.execute("SELECT ledger.clock()")).fetchone()
            row = await (
                await connection.execute(
                    _APPEND,
                    (
                        uuid.uuid4(), [event.value], subject, subject.partition("/deliveries/")[0], SENDER, None, at[0],
                        salt, jws, chains, [1405 if name.startswith("books/") else None for name in chains],
                        [ends[name][2] for name in chains], [ends[name][3] for name in chains],
                    ),
                )
            ).fetchone()  # fmt: skip
        self.statements.append((subject, event.value))
        if "/deliveries/" in subject:
            self.delivery(subject).sequence = row[0]
        return Statement(name=f"statements/{uuid.uuid4()}", subject=subject, event=event.value, jws=jws, salt=salt)

    # What the workers call.

    def _plan(self, letter: str) -> intake.LetterPlan:
        if letter not in self.plans or letter in self.hidden:
            raise LetterNotFound(letter=letter)
        if letter in self.out_for:
            raise OutageOrdered
        if letter in self.broken:
            raise DefectOrdered
        return self.plans[letter]

    async def GetLetterPlan(  # noqa: N802
        self, request: intake.GetLetterPlanRequest, context: object
    ) -> intake.GetLetterPlanResponse:
        plan = intake.LetterPlan()
        plan.CopyFrom(self._plan(request.letter))
        if request.deliveries:
            wanted = [delivery for delivery in plan.deliveries if delivery.delivery in request.deliveries]
            del plan.deliveries[:]
            plan.deliveries.extend(wanted)
        for delivery in plan.deliveries:
            left = [at for at in delivery.remind_at if at.ToDatetime(tzinfo=UTC) > now()]
            del delivery.remind_at[:]
            delivery.remind_at.extend(left)
        self.plans_read += 1
        await self.may_answer.wait()
        return intake.GetLetterPlanResponse(plan=plan)

    async def ConsignDeliveries(  # noqa: N802
        self, request: intake.ConsignDeliveriesRequest, context: object
    ) -> intake.ConsignDeliveriesResponse:
        if self.no_mailbox.intersection(request.deliveries):
            raise RefusalOrdered
        for name in request.deliveries:
            delivery = self.delivery(name)
            if delivery.state == states.DELIVERY_STATE_CREATED:
                delivery.state = states.DELIVERY_STATE_AVAILABLE
                delivery.times.available_at.CopyFrom(stamp(now()))
                body = delivery.recipient_body.removeprefix("bodies/")
                await self._state(Event.AVAILABLE, name, [name, f"books/{body}/main/in"])
        return intake.ConsignDeliveriesResponse(deliveries=[self.delivery(name) for name in request.deliveries])

    async def FlagLate(self, request: intake.FlagLateRequest, context: object) -> intake.FlagLateResponse:  # noqa: N802
        delivery = self.delivery(request.delivery)
        acceptance = request.clock == intake.DUE_CLOCK_ACCEPTANCE
        due = delivery.times.acceptance_due if acceptance else delivery.times.answer_due
        if now() < due.ToDatetime(tzinfo=UTC):
            raise NotLateYet
        if request.delivery.partition("/deliveries/")[0] in self.never_flags:
            return intake.FlagLateResponse(delivery=delivery)
        if acceptance and delivery.state == states.DELIVERY_STATE_AVAILABLE and not delivery.times.late_acceptance:
            delivery.times.late_acceptance = True
            await self._state(Event.ACCEPTANCE_REJECTION_EXPIRY, request.delivery)
        if not acceptance and delivery.state != states.DELIVERY_STATE_ANSWERED and not delivery.times.late_answer:
            delivery.times.late_answer = True
            await self._state(Event.ANSWER_OVERDUE, request.delivery)
        return intake.FlagLateResponse(delivery=delivery)

    async def CloseLetter(self, request: intake.CloseLetterRequest, context: object) -> intake.CloseLetterResponse:  # noqa: N802
        plan = self._plan(request.letter)
        originals = [d for d in plan.deliveries if d.kind == manifest_pb2.RECIPIENT_KIND_TO]
        waiting = [d.delivery for d in originals if not self._done(d)]
        if waiting and now() < plan.close_at.ToDatetime(tzinfo=UTC):
            return intake.CloseLetterResponse(state=states.LETTER_STATE_OPEN, waiting_deliveries=waiting)
        if plan.state == states.LETTER_STATE_OPEN:
            plan.state = states.LETTER_STATE_CLOSED
            await self._state(Event.CLOSED, request.letter)
        return intake.CloseLetterResponse(state=states.LETTER_STATE_CLOSED)

    def _done(self, delivery: intake.DeliveryPlan) -> bool:
        if delivery.state == states.DELIVERY_STATE_ACCEPTED and not delivery.answer_needed:
            return now() >= delivery.return_until.ToDatetime(tzinfo=UTC)
        return delivery.state == states.DELIVERY_STATE_ANSWERED

    async def ListOpenLetters(  # noqa: N802
        self, request: intake.ListOpenLettersRequest, context: object
    ) -> intake.ListOpenLettersResponse:
        still_open = [name for name, plan in self.plans.items() if plan.state == states.LETTER_STATE_OPEN]
        begin = int(request.page_token or 0)
        token = str(begin + 2) if begin + 2 < len(still_open) else ""  # pages of two, so that a test sees several
        return intake.ListOpenLettersResponse(letters=still_open[begin : begin + 2], next_page_token=token)

    async def RecordOperatorAction(  # noqa: N802
        self, request: intake.RecordOperatorActionRequest, context: object
    ) -> intake.RecordOperatorActionResponse:
        statement = Statement(name=f"statements/{uuid.uuid4()}")
        if self.actions.setdefault(request.request_id, request) is request:
            statement = await self._state(Event.OPERATOR_ACTION, request.subject)
        return intake.RecordOperatorActionResponse(statement=statement)


class SmallDocuments(DocumentInternalServiceServicer):
    """Retentions as set."""

    def __init__(self) -> None:
        self.retained: dict[str, datetime] = {}
        self.shortened_by = timedelta()

    async def SetRetention(  # noqa: N802
        self, request: documents.SetRetentionRequest, context: object
    ) -> documents.SetRetentionResponse:
        until = request.retain_until.ToDatetime(tzinfo=UTC) - self.shortened_by
        self.retained |= dict.fromkeys(request.documents, until)
        return documents.SetRetentionResponse(
            retentions=[documents.Retention(document=name, retain_until=stamp(until)) for name in request.documents]
        )

    async def ClaimDocuments(self, request: documents.ClaimDocumentsRequest, context: object) -> Any:  # noqa: N802
        raise LetterNotFound(letter=request.letter)


class SmallNotifications(NotificationInternalServiceServicer):
    """Notifications as told, by id."""

    def __init__(self) -> None:
        self.told: dict[str, notifications.NotifyRequest] = {}

    def types_told(self, delivery: str) -> list[tuple[str, str]]:
        return [(told.event_type, told.body) for told in self.told.values() if told.delivery == delivery]

    async def Notify(self, request: notifications.NotifyRequest, context: object) -> notifications.NotifyResponse:  # noqa: N802
        self.told.setdefault(request.notification_id, request)
        return notifications.NotifyResponse(endpoint_count=1)

    async def ListDownLinks(self, request: notifications.ListDownLinksRequest, context: object) -> Any:  # noqa: N802
        return notifications.ListDownLinksResponse()


@dataclass
class SmallHub:
    """All of it, and the channel to it."""

    intake: SmallIntake
    documents: SmallDocuments
    notifications: SmallNotifications
    faults: Faults
    channel: grpc.aio.Channel
    pool: Pool

    def out(self, *methods: str) -> None:
        """From here on these methods are out."""
        self.faults.ordered |= dict.fromkeys(methods, OutageOrdered())

    def refuse(self, *methods: str) -> None:
        """From here on these methods refuse."""
        self.faults.ordered |= dict.fromkeys(methods, RefusalOrdered())

    def mend(self) -> None:
        self.faults.ordered.clear()


@contextlib.asynccontextmanager
async def small_hub(intake_url: str, evidence_url: str) -> AsyncIterator[SmallHub]:
    """A running hub. The URLs are of the database roles `intake` and `evidence`."""
    async with (
        AsyncConnectionPool(intake_url, open=False, kwargs={"autocommit": True}) as pool,
        AsyncConnectionPool(evidence_url, open=False, kwargs={"autocommit": True}) as evidence_pool,
    ):
        faults = Faults()
        server = grpc.aio.server(interceptors=[faults])
        hub_intake, hub_documents, hub_notifications = SmallIntake(pool), SmallDocuments(), SmallNotifications()
        add_IntakeInternalServiceServicer_to_server(hub_intake, server)
        add_DocumentInternalServiceServicer_to_server(hub_documents, server)
        add_NotificationInternalServiceServicer_to_server(hub_notifications, server)
        add_EvidenceInternalServiceServicer_to_server(EvidenceInternalServicer(evidence_pool), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        numbering = asyncio.create_task(_number(evidence_pool))
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield SmallHub(hub_intake, hub_documents, hub_notifications, faults, channel, pool)
        finally:
            numbering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await numbering
            await server.stop(None)


async def _number(pool: Pool) -> None:
    while True:
        await sequencer.number_once(pool, 1000)
        await asyncio.sleep(0.02)
