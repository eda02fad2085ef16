"""The story of one letter, as Temporal carries it: from its registration until it is closed.

The database says what is true; this says what happens next. A run begins by reading what intake holds and goes on from
there, so it may end and begin again at any point. It holds ids, states and instants, never content.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from dabir.documents.v1.documents_pb2 import SetRetentionRequest
    from dabir.intake.v1.internal_service_pb2 import (
        DUE_CLOCK_ACCEPTANCE,
        DUE_CLOCK_ANSWER,
        ApplyRecallRequest,
        CloseLetterRequest,
        ConsignDeliveriesRequest,
        DeliveryPlan,
        FlagLateRequest,
        GetLetterPlanRequest,
        LetterPlan,
    )
    from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_CREATED, LETTER_STATE_CLOSED
    from dabir.workflow.v1 import letter_pb2
    from workers import board, notices, orders, show
    from workers import plan as rules
    from workers.activities import Activities
    from workers.step import Refused, Steps, Trouble
    from workers.telling import Telling
    from workers.waiting import Beside, ignoring_cancellation, until

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TOO_EARLY = timedelta(seconds=1)
"""How long to wait when intake's clock says that a moment has not come yet."""
_ASK_AGAIN = timedelta(seconds=60)
"""How long to wait when intake keeps a letter open that looks done from here."""
_CLOCKS = {rules.Clock.ACCEPTANCE_DUE: DUE_CLOCK_ACCEPTANCE, rules.Clock.ANSWER_DUE: DUE_CLOCK_ANSWER}


@dataclass
class Followed:
    """One delivery, as far as it is known here."""

    plan: DeliveryPlan
    reminded_at: datetime = _LONG_AGO
    not_before: datetime = _LONG_AGO
    done: set[rules.Clock] = field(default_factory=set)


@workflow.defn(name=letter_pb2.LetterWorkflow.DESCRIPTOR.name)
class LetterWorkflow:
    """One letter with all its recipients, each in a coroutine of its own."""

    @workflow.init
    def __init__(self, start: letter_pb2.LetterWorkflow) -> None:
        self._letter = start.letter
        self._plan = LetterPlan(letter=start.letter)
        self._deliveries: dict[str, Followed] = {}
        self._noted: dict[str, int] = {}
        self._notes: list[str] = []
        self._beside = Beside()
        self._closes_at = _LONG_AGO
        self._shown = False
        self._steps = Steps(self._changed)
        self._telling = Telling(self._steps, self._beside)

    @workflow.run
    @ignoring_cancellation
    async def run(self, start: letter_pb2.LetterWorkflow) -> letter_pb2.LetterWorkflowResult:
        self._beside.begin(self._keep_shown())
        await self._read_plan()
        if self._plan.state != LETTER_STATE_CLOSED:
            self._beside.begin(self._heed_recalls())
            await self._retain_documents()
            await self._consign()
            for delivery in self._deliveries:
                self._beside.begin(self._accompany(delivery))
            await self._close()
            if workflow.patched("the-closed-is-looked-up"):
                await self._look_up_the_closed()
        elif workflow.patched("the-closed-is-told"):
            self._tell_what_stands()
        await self._end()
        return letter_pb2.LetterWorkflowResult(outcome="CLOSED")

    # The steps of the story, in their order.

    async def _read_plan(self) -> None:
        """What intake holds: the beginning of every run."""
        request = GetLetterPlanRequest(letter=self._letter)
        while True:
            answer = await self._steps.insist(Activities.get_letter_plan, request, "read the plan")
            if answer.plan.state == LETTER_STATE_CLOSED or not (wrong := rules.unusable(answer.plan)):
                break
            await self._steps.park("read the plan", wrong)
        self._plan = answer.plan
        self._deliveries = {delivery.delivery: Followed(delivery) for delivery in answer.plan.deliveries}
        self._changed()

    async def _retain_documents(self) -> None:
        """Under object lock before anybody is told of them; read back, and not taken on trust."""
        request = SetRetentionRequest(
            letter=self._letter, documents=self._plan.documents, retain_until=self._plan.retain_until
        )
        summary = f"retain {len(self._plan.documents)} documents"
        while True:
            answer = await self._steps.insist(Activities.set_retention, request, summary)
            until = {retention.document: retention.retain_until for retention in answer.retentions}
            wanted = rules.instant(self._plan.retain_until).replace(microsecond=0)
            if all(name in until and rules.instant(until[name]) >= wanted for name in self._plan.documents):
                return
            await self._steps.park(summary, "RETENTION_NOT_READ_BACK")

    async def _consign(self) -> None:
        """Into the mailboxes. A batch that is refused is left to its deliveries' coroutines, which try one by one."""
        for batch in rules.batches_to_consign(followed.plan for followed in self._deliveries.values()):
            request = ConsignDeliveriesRequest(letter=self._letter, deliveries=batch)
            try:
                answer = await self._steps.step(Activities.consign_deliveries, request, f"consign {len(batch)}")
            except Refused:
                continue
            self._merge(*answer.deliveries)

    async def _accompany(self, name: str) -> None:
        """One recipient: told, reminded, flagged as late, until nothing more is expected."""
        followed = self._deliveries[name]
        if followed.plan.state == DELIVERY_STATE_CREATED:
            await self._put_into_mailbox(followed)
        while True:
            self._telling.tell(notices.standing(self._plan, followed.plan))
            if rules.is_over(followed.plan):
                return
            moment = rules.next_moment(
                followed.plan, urgent_at=self._urgent_at(), reminded_at=followed.reminded_at, done=followed.done
            )
            if await self._changed_by(followed, moment):
                if self._has_news(followed):
                    await self._look_up(name)
            elif moment is not None:
                await self._act(followed, moment)

    async def _put_into_mailbox(self, followed: Followed) -> None:
        name = followed.plan.delivery
        if followed.plan.recall_pending:
            await workflow.wait_condition(lambda: not followed.plan.recall_pending)
            return
        request = ConsignDeliveriesRequest(letter=self._letter, deliveries=[name])
        answer = await self._steps.insist(Activities.consign_deliveries, request, f"consign {_short(name)}", name)
        self._merge(*answer.deliveries)

    async def _heed_recalls(self) -> None:
        """What a recall names is withdrawn; whoever accepted before is asked instead, and answers or does not."""
        while True:
            for batch in rules.batches_to_withdraw(followed.plan for followed in self._deliveries.values()):
                await self._withdraw(batch)
            await workflow.wait_condition(self._has_recall)
            if (noted := self._noted.get(self._letter, 0)) > self._plan.sequence:
                request = GetLetterPlanRequest(letter=self._letter)
                answer = await self._steps.insist(Activities.get_letter_plan, request, "look up the recall")
                self._merge(*answer.plan.deliveries)
                self._plan.sequence = max(noted, answer.plan.sequence)

    async def _withdraw(self, batch: list[str]) -> None:
        request, summary = ApplyRecallRequest(letter=self._letter, deliveries=batch), f"withdraw {len(batch)}"
        answer = await self._steps.insist(Activities.apply_recall, request, summary)
        self._merge(*answer.deliveries)
        if any(delivery.recall_pending for delivery in answer.deliveries):
            await self._steps.park(summary, "RECALL_NOT_APPLIED")
        # What waited for an operator about one of them is tried again, and finds it withdrawn.
        for waiting in self._steps.waiting:
            waiting.retry_now |= waiting.trouble == Trouble.NEEDS_ATTENTION and waiting.about in batch

    async def _close(self) -> None:
        """Intake closes a letter; we ask when it looks done, or at `close_at`."""
        ask_at = _LONG_AGO
        while True:
            closes_at = self._closes_at
            if await self._changed_before(max(closes_at, ask_at), closes_at):
                ask_at = _LONG_AGO
                continue
            request = CloseLetterRequest(letter=self._letter)
            answer = await self._steps.insist(Activities.close_letter, request, "close the letter")
            if answer.state == LETTER_STATE_CLOSED:
                self._plan.state = LETTER_STATE_CLOSED
                return
            for name in answer.waiting_deliveries:
                if name in self._deliveries:
                    await self._look_up(name)
            next_at = rules.instant(answer.next_at) if answer.HasField("next_at") else workflow.now() + _ASK_AGAIN
            ask_at = max(next_at, workflow.now() + _TOO_EARLY)

    async def _look_up_the_closed(self) -> None:
        """A recall may have been registered before the end and be told of only after it: from now on there is none."""
        request = GetLetterPlanRequest(letter=self._letter)
        answer = await self._steps.insist(Activities.get_letter_plan, request, "look up what closed")
        self._merge(*answer.plan.deliveries)
        self._tell_what_stands()

    def _tell_what_stands(self) -> None:
        for followed in self._deliveries.values():
            self._telling.tell(notices.standing(self._plan, followed.plan))

    async def _end(self) -> None:
        """Closed is closed; but who was still to be told of what stands is told, and who gave an order is answered."""
        standing = [notices.standing(self._plan, followed.plan) for followed in self._deliveries.values()]
        telling = self._telling.under_way(notice for of_delivery in standing for notice in of_delivery)
        self._beside.cancel_all_but(telling)
        if telling:
            self._changed()
            self._beside.begin(self._keep_shown())
            await self._beside.finished(telling)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._show()

    # What a delivery's clocks do.

    async def _act(self, followed: Followed, moment: rules.Moment) -> None:
        if moment.clock == rules.Clock.URGENT:
            followed.done.add(moment.clock)
            self._changed()
        elif moment.clock == rules.Clock.REMINDER:
            await self._remind(followed, moment)
        else:
            await self._flag_late(followed, moment)

    async def _remind(self, followed: Followed, moment: rules.Moment) -> None:
        """Looked up first: whether it was accepted or answered meanwhile is known at intake before it is known here."""
        followed.reminded_at = moment.at
        before = followed.plan.state
        await self._look_up(followed.plan.delivery)
        if followed.plan.state == before:
            self._telling.tell([notices.reminder(self._plan, followed.plan, moment.at)])

    async def _flag_late(self, followed: Followed, moment: rules.Moment) -> None:
        """Evidence and a flag, never an end: it may still be accepted and answered."""
        name = followed.plan.delivery
        request = FlagLateRequest(delivery=name, clock=_CLOCKS[moment.clock])
        try:
            answer = await self._steps.step(Activities.flag_late, request, f"{moment.clock}: {_short(name)}", name)
        except Refused as refused:
            if refused.reason == "NOT_LATE_YET":
                followed.not_before = workflow.now() + _TOO_EARLY
            else:
                followed.done.add(moment.clock)
            return
        # Done whatever came of it: what became available after its due gets no flag.
        followed.done.add(moment.clock)
        self._merge(answer.delivery)

    async def _look_up(self, name: str) -> None:
        """Where a delivery stands now."""
        request, noted = GetLetterPlanRequest(letter=self._letter, deliveries=[name]), self._noted.get(name)
        answer = await self._steps.insist(Activities.get_letter_plan, request, f"look up {_short(name)}", name)
        self._merge(*answer.plan.deliveries)
        # Looked up is up to date with what was known when it was asked: a fact that is not in it will be told of by a
        # clock, not asked for without end. What was told of meanwhile may be missing, and is asked for again.
        if self._noted.get(name) == noted:
            self._noted.pop(name, None)

    def _merge(self, *deliveries: DeliveryPlan) -> None:
        """Take what intake said, unless something newer is known."""
        for delivery in deliveries:
            followed = self._deliveries.get(delivery.delivery)
            if followed is not None and rules.newer(followed.plan, delivery):
                followed.plan = delivery
        self._changed()

    # Waiting.

    def _has_news(self, followed: Followed) -> bool:
        return self._noted.get(followed.plan.delivery, 0) > followed.plan.sequence

    def _has_recall(self) -> bool:
        """One was stated, or a look-up found one."""
        return self._noted.get(self._letter, 0) > self._plan.sequence or any(
            followed.plan.recall_pending for followed in self._deliveries.values()
        )

    async def _changed_by(self, followed: Followed, moment: rules.Moment | None) -> bool:
        """Wait until a delivery stands otherwise or a fact about it is told; False when the moment came first."""
        seen = followed.plan

        def changed() -> bool:
            return followed.plan is not seen or self._has_news(followed)

        if moment is None:
            await workflow.wait_condition(changed)
            return True
        summary = f"{moment.clock}: {_short(seen.delivery)}"
        return await until(changed, max(moment.at, followed.not_before), summary)

    async def _changed_before(self, at: datetime, closes_at: datetime) -> bool:
        """Wait for a change of when the letter may close; False when `at` came first."""
        changed = await until(
            lambda: self._closes_at != closes_at or self._beside.defect is not None, at, "may be closed"
        )
        self._beside.check()
        return changed

    def _urgent_at(self) -> datetime | None:
        return rules.instant(self._plan.urgent_unacked_at) if self._plan.HasField("urgent_unacked_at") else None

    # What an operator sees.

    def _changed(self) -> None:
        self._shown = False
        if self._deliveries:
            self._closes_at = rules.may_close_at(self._plan, [followed.plan for followed in self._deliveries.values()])

    async def _keep_shown(self) -> None:
        """Once per activation, however many deliveries changed in it."""
        while True:
            await workflow.wait_condition(lambda: not self._shown)
            self._show()

    def _show(self) -> None:
        self._shown = True
        deliveries = [followed.plan for followed in self._deliveries.values()]
        waiting = self._steps.waiting
        urgent = any(
            rules.Clock.URGENT in f.done and rules.awaits_acceptance(f.plan) for f in self._deliveries.values()
        )
        wanted = show.moving_attributes(self._plan, deliveries, waiting, urgent=urgent)
        board.put_up(wanted, show.details(self._plan, deliveries, waiting, self._notes))

    # What arrives from outside.

    @workflow.signal(name=letter_pb2.FactStated.DESCRIPTOR.name)
    def fact_stated(self, fact: letter_pb2.FactStated) -> None:
        """A fact from the ledger. It may repeat and come late: only what is newer than what is known counts."""
        self._noted[fact.subject] = max(fact.sequence, self._noted.get(fact.subject, 0))

    def note_cancellation(self) -> None:
        """Shown, and no more."""
        self._notes.append(f"A cancellation was asked for at {workflow.now():%Y-%m-%d %H:%M:%S} UTC and ignored.")
        self._changed()

    @workflow.update(name=letter_pb2.RetryNow.DESCRIPTOR.name)
    async def retry_now(self, request: letter_pb2.RetryNow) -> letter_pb2.OperatorActionResult:
        """Tries first and states then: in an outage of intake stating it waits too."""
        for waiting in self._steps.waiting_about(request.delivery):
            waiting.retry_now = True
        return await board.state(
            self._steps, "retry_now", request.delivery or self._letter, request, effect=self._letter
        )

    @retry_now.validator
    def _check_retry_now(self, request: letter_pb2.RetryNow) -> None:
        orders.check_retry_now(request, self._steps.waiting_about(request.delivery))

    @workflow.update(name=letter_pb2.ResendNotification.DESCRIPTOR.name)
    async def resend_notification(self, request: letter_pb2.ResendNotification) -> letter_pb2.OperatorActionResult:
        stated = await board.state(self._steps, "resend_notification", request.delivery, request, effect=self._letter)
        delivery = self._deliveries[request.delivery].plan
        notice = notices.again(self._plan, delivery, board.update_id(), workflow.now())
        try:
            told = await self._steps.step(Activities.notify, notice.request, notice.summary, request.delivery)
        except Refused as refused:
            return letter_pb2.OperatorActionResult(outcome=f"{stated.outcome} Notifications refused: {refused.reason}.")
        return letter_pb2.OperatorActionResult(outcome=f"{stated.outcome} Endpoints told: {told.endpoint_count}.")

    @resend_notification.validator
    def _check_resend_notification(self, request: letter_pb2.ResendNotification) -> None:
        followed = self._deliveries.get(request.delivery)
        orders.check_resend_notification(request, followed.plan if followed is not None else None)


def _short(delivery: str) -> str:
    """`deliveries/3`: the letter is said already."""
    return "deliveries/" + delivery.rpartition("/")[2]
