"""One incident of a body's link, as Temporal shows it: from when it is down or paused until it is up.

Notifications tells and tries again by itself and holds what is true; `workers.links` says here how it stands.
"""

from datetime import UTC

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from dabir.notifications.v1.notifications_pb2 import DownLink, PauseLinkRequest, ResumeLinkRequest
    from dabir.workflow.v1 import letter_pb2, link_pb2
    from workers import board, link_show, orders
    from workers.activities import Activities
    from workers.notices import derived_id
    from workers.step import Call, Refused, Request, Response, Steps
    from workers.waiting import ignoring_cancellation

EVENTS_MAX = 2000
"""A run that was told so often how its link stands goes on as a new one: an incident may last for weeks."""


@workflow.defn(name=link_pb2.LinkWorkflow.DESCRIPTOR.name)
class LinkWorkflow:
    """One body's link."""

    @workflow.init
    def __init__(self, start: link_pb2.LinkWorkflow) -> None:
        self._link = DownLink()
        self._link.CopyFrom(start.link)
        self._seen_at = start.seen_at.ToDatetime(tzinfo=UTC)
        self._up = False
        self._notes: list[str] = []
        self._shown = False
        self._steps = Steps(self._changed)

    @workflow.run
    @ignoring_cancellation
    async def run(self, start: link_pb2.LinkWorkflow) -> link_pb2.LinkWorkflowResult:
        while not (self._up and workflow.all_handlers_finished()):
            self._show()
            await workflow.wait_condition(lambda: not self._shown or (self._up and workflow.all_handlers_finished()))
            if not self._up and self._is_long() and workflow.all_handlers_finished():
                again = link_pb2.LinkWorkflow(link=self._link)
                again.seen_at.FromDatetime(self._seen_at)
                workflow.continue_as_new(again)
        self._show()
        return link_pb2.LinkWorkflowResult(outcome="UP")

    def _is_long(self) -> bool:
        return workflow.info().get_current_history_length() > EVENTS_MAX

    # What an operator sees.

    def _changed(self) -> None:
        self._shown = False

    def _show(self) -> None:
        self._shown = True
        waiting = self._steps.waiting
        shown = link_show.attributes(self._link, waiting, up=self._up)
        board.put_up(shown, link_show.details(self._link, waiting, self._notes, up=self._up))

    # What arrives from outside.

    @workflow.signal(name=link_pb2.LinkSeen.DESCRIPTOR.name)
    def link_seen(self, seen: link_pb2.LinkSeen) -> None:
        """How the link stands. It may repeat and come late: only what was read after what is known counts."""
        seen_at = seen.seen_at.ToDatetime(tzinfo=UTC)
        if seen_at <= self._seen_at:
            return
        self._seen_at, self._up = seen_at, not seen.HasField("link")
        if seen.HasField("link"):
            self._link.CopyFrom(seen.link)
        self._changed()

    def note_cancellation(self) -> None:
        """Shown, and no more."""
        self._notes.append(f"A cancellation was asked for at {workflow.now():%Y-%m-%d %H:%M:%S} UTC and ignored.")
        self._changed()

    @workflow.update(name=link_pb2.Pause.DESCRIPTOR.name)
    async def pause(self, order: link_pb2.Pause) -> letter_pb2.OperatorActionResult:
        """Done first and stated then: what notifications refuses was not done."""
        request = PauseLinkRequest(body=self._link.body, request_id=self._request_id("pause"))
        incident = self._incident()
        await self._obey(Activities.pause_link, request, "pause the link")
        self._link.pause_time.FromDatetime(workflow.now())
        return await board.state(self._steps, "pause_link", self._link.body, order, effect=incident)

    @pause.validator
    def _check_pause(self, order: link_pb2.Pause) -> None:
        orders.check_pause(order, self._link, up=self._up)

    @workflow.update(name=link_pb2.Resume.DESCRIPTOR.name)
    async def resume(self, order: link_pb2.Resume) -> letter_pb2.OperatorActionResult:
        """Done first and stated then, as with `pause`."""
        request = ResumeLinkRequest(
            body=self._link.body, request_id=self._request_id("resume"), rate_per_minute=order.rate_per_minute
        )
        incident = self._incident()
        await self._obey(Activities.resume_link, request, "resume the link")
        self._link.ClearField("pause_time")
        return await board.state(self._steps, "resume_link", self._link.body, order, effect=incident)

    @resume.validator
    def _check_resume(self, order: link_pb2.Resume) -> None:
        orders.check_resume(order, self._link, up=self._up)

    @workflow.update(name=letter_pb2.RetryNow.DESCRIPTOR.name)
    async def retry_now(self, order: letter_pb2.RetryNow) -> letter_pb2.OperatorActionResult:
        """Tries first and states then: in an outage of intake stating it waits too."""
        for waiting in self._steps.waiting:
            waiting.retry_now = True
        return await board.state(self._steps, "retry_now", self._link.body, order, effect=self._incident())

    @retry_now.validator
    def _check_retry_now(self, order: letter_pb2.RetryNow) -> None:
        orders.check_retry_now(order, self._steps.waiting_about(order.delivery))

    async def _obey(self, call: Call[Request, Response], request: Request, summary: str) -> None:
        """Raises ApplicationError when notifications refuses: the order is refused then, and the run goes on."""
        try:
            await self._steps.step(call, request, summary, self._link.body)
        except Refused as refused:
            sentence = (
                f"Notifications refused to {summary}: {refused.reason}. See the current details in half a minute."
            )
            raise ApplicationError(sentence, type=refused.reason, non_retryable=True) from None
        # What was read before this order does not know of it.
        self._seen_at = max(self._seen_at, workflow.now())
        self._changed()

    def _incident(self) -> str:
        """An update id that is used again in another incident of the link stands for another order."""
        return f"{self._link.body} {self._link.since.ToJsonString()}"

    def _request_id(self, action: str) -> str:
        return derived_id(self._incident(), action, board.update_id())
