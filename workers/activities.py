"""The calls a workflow makes, one activity per method, named like it.

All are idempotent: what names their effect is derived from letter, delivery and step, never from a run or an attempt.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

import grpc.aio
from temporalio import activity

from dabir.documents.v1.documents_pb2 import SetRetentionRequest, SetRetentionResponse
from dabir.documents.v1.documents_pb2_grpc import DocumentInternalServiceStub
from dabir.intake.v1.internal_service_pb2 import (
    ApplyRecallRequest,
    ApplyRecallResponse,
    CloseLetterRequest,
    CloseLetterResponse,
    ConsignDeliveriesRequest,
    ConsignDeliveriesResponse,
    FlagLateRequest,
    FlagLateResponse,
    GetLetterPlanRequest,
    GetLetterPlanResponse,
    RecordOperatorActionRequest,
)
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from dabir.notifications.v1.notifications_pb2 import (
    NotifyRequest,
    NotifyResponse,
    PauseLinkRequest,
    PauseLinkResponse,
    ResumeLinkRequest,
    ResumeLinkResponse,
)
from dabir.notifications.v1.notifications_pb2_grpc import NotificationInternalServiceStub
from dabir.workflow.v1.letter_pb2 import OperatorActionResult
from services.runtime import logs
from services.runtime.logs import log
from workers.failures import application_error, reason

HEARTBEAT_SECONDS = 3.0
ANSWER_MARGIN_SECONDS = 0.5
"""A call's deadline is this much before its activity's, so that what is kept is the call's own failure."""

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)
Answer = TypeVar("Answer")


class Method(Protocol[Request, Response]):
    """A method of a stub."""

    def __call__(self, request: Request, *, timeout: float) -> Awaitable[Response]: ...


class Activities:
    """The services, as one worker reaches them."""

    def __init__(self, intake: grpc.aio.Channel, documents: grpc.aio.Channel, notifications: grpc.aio.Channel) -> None:
        self._intake = IntakeInternalServiceStub(intake)
        self._documents = DocumentInternalServiceStub(documents)
        self._notifications = NotificationInternalServiceStub(notifications)

    @activity.defn(name="GetLetterPlan")
    async def get_letter_plan(self, request: GetLetterPlanRequest) -> GetLetterPlanResponse:
        return await _call("intake", self._intake.GetLetterPlan, request)

    @activity.defn(name="SetRetention")
    async def set_retention(self, request: SetRetentionRequest) -> SetRetentionResponse:
        return await _call("documents", self._documents.SetRetention, request)

    @activity.defn(name="ConsignDeliveries")
    async def consign_deliveries(self, request: ConsignDeliveriesRequest) -> ConsignDeliveriesResponse:
        return await _call("intake", self._intake.ConsignDeliveries, request)

    @activity.defn(name="ApplyRecall")
    async def apply_recall(self, request: ApplyRecallRequest) -> ApplyRecallResponse:
        return await _call("intake", self._intake.ApplyRecall, request)

    @activity.defn(name="Notify")
    async def notify(self, request: NotifyRequest) -> NotifyResponse:
        return await _call("notifications", self._notifications.Notify, request)

    @activity.defn(name="PauseLink")
    async def pause_link(self, request: PauseLinkRequest) -> PauseLinkResponse:
        return await _call("notifications", self._notifications.PauseLink, request)

    @activity.defn(name="ResumeLink")
    async def resume_link(self, request: ResumeLinkRequest) -> ResumeLinkResponse:
        return await _call("notifications", self._notifications.ResumeLink, request)

    @activity.defn(name="FlagLate")
    async def flag_late(self, request: FlagLateRequest) -> FlagLateResponse:
        return await _call("intake", self._intake.FlagLate, request)

    @activity.defn(name="CloseLetter")
    async def close_letter(self, request: CloseLetterRequest) -> CloseLetterResponse:
        return await _call("intake", self._intake.CloseLetter, request)

    @activity.defn(name="RecordOperatorAction")
    async def record_operator_action(self, request: RecordOperatorActionRequest) -> OperatorActionResult:
        """Gives the statement's name only: its salt is the parties', and a history is read by any operator."""
        answer = await _call("intake", self._intake.RecordOperatorAction, request)
        return OperatorActionResult(outcome=f"Stated: {answer.statement.name}.")


async def _call(service: str, method: Method[Request, Answer], request: Request) -> Answer:
    """Calls within the activity's time, by the letter's or the body's id. Raises ApplicationError without content."""
    info = activity.info()
    assert info.start_to_close_timeout is not None  # noqa: S101 - every step sets it
    logs.begin((info.workflow_id or "").rpartition("/")[2], activity=info.activity_type)
    timeout_seconds = info.start_to_close_timeout.total_seconds() - ANSWER_MARGIN_SECONDS
    try:
        return await _with_heartbeats(method(request, timeout=timeout_seconds), beat=not info.is_local)
    except grpc.aio.AioRpcError as error:
        log.warning("step_failed", service=service, reason=reason(error), attempt=info.attempt)
        # Not chained: the call's own error carries the service's sentence.
        raise application_error(error, service, info.activity_type) from None


async def _with_heartbeats(call: Awaitable[Answer], *, beat: bool) -> Answer:
    """The call's answer, saying meanwhile that this worker lives."""
    if not beat:
        return await call
    answer = asyncio.ensure_future(call)
    try:
        while not (await asyncio.wait({answer}, timeout=HEARTBEAT_SECONDS))[0]:
            activity.heartbeat()
        return answer.result()
    finally:
        answer.cancel()
