"""An intake of its own for tests of workflows: letters in memory, what happens to them in the real ledger."""

import asyncio
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1 import manifest_pb2
from dabir.common.v1.statement_pb2 import Statement
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as intake
from dabir.intake.v1 import letter_pb2 as states
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceServicer
from services.runtime.database import Pool
from services.runtime.errors import DabirError, FailedPrecondition, NotFound, Unavailable
from tests.integration.ledger import raw

SENDER = "bodies/interior"
_NOT_DECIDED = (states.DELIVERY_STATE_CREATED, states.DELIVERY_STATE_AVAILABLE)
_ENDED = (
    states.DELIVERY_STATE_ANSWERED,
    states.DELIVERY_STATE_REFUSED,
    states.DELIVERY_STATE_RETURNED,
    states.DELIVERY_STATE_WITHDRAWN,
)

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


class NoRecall(FailedPrecondition):
    reason = "NO_RECALL"
    template = "No recall names {delivery}."


class NotLateYet(FailedPrecondition):
    reason = "NOT_LATE_YET"
    template = "The clock still runs."


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def now() -> datetime:
    return datetime.now(UTC)


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
        self.applies_recalls = True
        """While it is False, ApplyRecall leaves what it is owed to as it was."""
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
        delivery.recall_asked, delivery.recall_pending = delivery.recall_pending, False
        delivery.times.decided_at.CopyFrom(stamp(now()))
        delivery.return_until.CopyFrom(stamp(now() + return_window))
        del delivery.remind_at[:]
        await self._state(Event.CONSIGNMENT_ACCEPTANCE, name)

    async def answer(self, name: str) -> None:
        delivery = self.delivery(name)
        delivery.state = states.DELIVERY_STATE_ANSWERED
        delivery.times.answered_at.CopyFrom(stamp(now()))
        await self._state(Event.ANSWERED, name)

    async def refuse(self, name: str) -> None:
        await self._end(name, states.DELIVERY_STATE_REFUSED, Event.CONSIGNMENT_REJECTION)

    async def give_back(self, name: str) -> None:
        """Its recipient returns it."""
        await self._end(name, states.DELIVERY_STATE_RETURNED, Event.RETURNED)

    async def recall(self, *names: str) -> None:
        """The letter's sender recalls these deliveries of it; who has one decides over it next."""
        for name in names:
            delivery = self.delivery(name)
            delivery.recalled_at.CopyFrom(stamp(now()))
            delivery.recall_asked = delivery.state == states.DELIVERY_STATE_ACCEPTED
            delivery.recall_pending = delivery.state in _NOT_DECIDED
        await self._state(Event.RECALL, names[0].partition("/deliveries/")[0])

    async def answer_recall(self, name: str, *, granted: bool) -> None:
        """Its recipient grants or refuses, which is one statement."""
        delivery = self.delivery(name)
        delivery.recall_asked = False
        delivery.recall_answered_at.CopyFrom(stamp(now()))
        if granted:
            delivery.state = states.DELIVERY_STATE_WITHDRAWN
            delivery.times.withdrawn_at.CopyFrom(stamp(now()))
        await self._state(Event.RECALL_ANSWERED, name)

    async def _end(self, name: str, state: states.DeliveryState.ValueType, event: Event) -> None:
        self.delivery(name).state = state
        await self._state(event, name)

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
            assert at is not None
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
            assert row is not None
        self.statements.append((subject, event.value))
        about = self.delivery(subject) if "/deliveries/" in subject else self.plans.get(subject)
        if about is not None:
            about.sequence = row[0]
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

    async def ApplyRecall(self, request: intake.ApplyRecallRequest, context: object) -> intake.ApplyRecallResponse:  # noqa: N802
        for name in request.deliveries:
            delivery = self.delivery(name)
            if not delivery.HasField("recalled_at"):
                raise NoRecall(delivery=name)
            if delivery.recall_pending and self.applies_recalls:
                delivery.recall_pending = False
                delivery.times.withdrawn_at.CopyFrom(stamp(now()))
                await self._end(name, states.DELIVERY_STATE_WITHDRAWN, Event.WITHDRAWN)
        return intake.ApplyRecallResponse(deliveries=[self.delivery(name) for name in request.deliveries])

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
        owed = [d.delivery for d in plan.deliveries if d.recall_pending]
        waiting = owed + [d.delivery for d in originals if not self._done(d) and not d.recall_pending]
        if owed or (waiting and now() < plan.close_at.ToDatetime(tzinfo=UTC)):
            return intake.CloseLetterResponse(state=states.LETTER_STATE_OPEN, waiting_deliveries=waiting)
        if plan.state == states.LETTER_STATE_OPEN:
            plan.state = states.LETTER_STATE_CLOSED
            await self._state(Event.CLOSED, request.letter)
        return intake.CloseLetterResponse(state=states.LETTER_STATE_CLOSED)

    def _done(self, delivery: intake.DeliveryPlan) -> bool:
        if delivery.state == states.DELIVERY_STATE_ACCEPTED and not delivery.answer_needed:
            return now() >= delivery.return_until.ToDatetime(tzinfo=UTC)
        return delivery.state in _ENDED

    async def ListOpenLetters(  # noqa: N802
        self, request: intake.ListOpenLettersRequest, context: object
    ) -> intake.ListOpenLettersResponse:
        still_open = [name for name, plan in self.plans.items() if plan.state == states.LETTER_STATE_OPEN]
        begin = int(request.page_token or 0)
        token = str(begin + 2) if begin + 2 < len(still_open) else ""  # pages of two, so that a test sees several
        shown = still_open[begin : begin + 2]
        recalled = [name for name in shown if any(one.recall_pending for one in self.plans[name].deliveries)]
        return intake.ListOpenLettersResponse(letters=shown, next_page_token=token, recall_pending_letters=recalled)

    async def RecordOperatorAction(  # noqa: N802
        self, request: intake.RecordOperatorActionRequest, context: object
    ) -> intake.RecordOperatorActionResponse:
        statement = Statement(name=f"statements/{uuid.uuid4()}")
        if self.actions.setdefault(request.request_id, request) is request:
            statement = await self._state(Event.OPERATOR_ACTION, request.subject)
        return intake.RecordOperatorActionResponse(statement=statement)
