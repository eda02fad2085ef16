"""Two copies of intake at once over what comes after acceptance, and over recalls: one decides, all hear the same."""

import asyncio
import uuid
from typing import Any

import grpc.aio
import pytest

from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as recipient_pb
from services.runtime.channel import error_info
from tests.contract.intake.line import CALL_SECONDS, COPIES, Line
from tests.contract.intake.member import Draft, Member, reply_to, to
from tests.contract.intake.people import People, Worker, consign

ROUNDS = 6
ACCEPTED, WITHDRAWN = letters.DELIVERY_STATE_ACCEPTED, letters.DELIVERY_STATE_WITHDRAWN
RETURNED, ANSWERED = letters.DELIVERY_STATE_RETURNED, letters.DELIVERY_STATE_ANSWERED


@pytest.fixture(scope="session")
async def interiors(people: People) -> list[Member]:
    """interior, at each copy."""
    return [await people.member("interior", copy) for copy in COPIES]


@pytest.fixture(scope="session")
async def banks(people: People) -> list[Member]:
    """bank, at each copy."""
    return [await people.member("bank", copy) for copy in COPIES]


@pytest.fixture(scope="session")
async def workers(people: People) -> list[Worker]:
    """The workers, at each copy."""
    return [await people.worker(copy) for copy in COPIES]


async def outcome(call: Any) -> Any:
    """The answer, or the reason of its refusal."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error_info(error).reason


def events(line: Line, name: str) -> list[str]:
    """The first event of each statement of a subject, in order."""
    return [min(payload.events) for _, payload in line.statements(name)]


async def arrived(interior: Member, worker: Worker, **flags: bool) -> Draft:
    draft = await interior.send(to("bank/registry", **flags))
    await consign(worker, draft)
    return draft


def applying(draft: Draft) -> internal_pb.ApplyRecallRequest:
    return internal_pb.ApplyRecallRequest(letter=draft.name, deliveries=[draft.delivery()])


async def test_an_acceptance_and_a_recall(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await arrived(interiors[0], workers[0])
        accepting = await banks[0].accepting(draft.delivery())

        async def recall_and_apply(one: Draft = draft) -> letters.DeliveryState.ValueType:
            await interiors[1].recall(one)
            answer = await workers[1].ApplyRecall(applying(one), timeout=CALL_SECONDS)
            return answer.deliveries[0].state

        accepted, state = await asyncio.gather(
            banks[0].recipient.AcceptDelivery(accepting, timeout=CALL_SECONDS), recall_and_apply()
        )
        assert accepted.delivery.envelope.state == state
        jws, _ = line.statements(draft.delivery())[-1]
        assert accepted.statement.jws == jws
        expected = {ACCEPTED: min(Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT), WITHDRAWN: Event.WITHDRAWN}
        assert events(line, draft.delivery()) == [Event.AVAILABLE, expected[state]]


async def test_an_acceptance_and_the_application_of_a_recall(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await arrived(interiors[0], workers[0])
        accepting = await banks[0].accepting(draft.delivery())
        await interiors[0].recall(draft)
        accept = asyncio.ensure_future(outcome(banks[0].recipient.AcceptDelivery(accepting, timeout=CALL_SECONDS)))
        applied = await asyncio.gather(
            *(worker.ApplyRecall(applying(draft), timeout=CALL_SECONDS) for worker in workers * 2)
        )
        accepted = await accept
        assert {one.deliveries[0].state for one in applied} == {accepted.delivery.envelope.state} == {WITHDRAWN}
        assert events(line, draft.delivery()) == [Event.AVAILABLE, Event.WITHDRAWN]
        assert accepted.statement.jws == line.statements(draft.delivery())[-1][0]


async def test_a_return_and_an_answer(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await arrived(interiors[0], workers[0], answer_needed=True)
        await banks[0].accept(draft.delivery())
        reply = await banks[1].draft(to("interior/registry"), relations=reply_to(draft))
        returning = await banks[0].returning(draft.delivery())
        returned, replied = await asyncio.gather(
            banks[0].recipient.ReturnDelivery(returning, timeout=CALL_SECONDS), outcome(banks[1].submit(reply))
        )
        state = returned.delivery.envelope.state
        assert events(line, draft.delivery())[2:] == [Event.RETURNED if state == RETURNED else Event.ANSWERED]
        assert returned.statement.jws == line.statements(draft.delivery())[-1][0]
        assert (replied == "REPLY_TOO_LATE") is (state == RETURNED)
        assert bool(line.statements(reply.name)) is (state == ANSWERED)


@pytest.mark.parametrize("verdict", [receipts.VERDICT_RECALL_GRANTED, receipts.VERDICT_RECALL_REFUSED])
async def test_a_return_and_the_answer_to_a_recall(
    verdict: receipts.Verdict.ValueType,
    line: Line,
    interiors: list[Member],
    banks: list[Member],
    workers: list[Worker],
) -> None:
    for _ in range(ROUNDS):
        draft = await arrived(interiors[0], workers[0])
        await banks[0].accept(draft.delivery())
        await interiors[0].recall(draft)
        returning = await banks[0].returning(draft.delivery())
        answering = await banks[1].answering_recall(draft.delivery(), verdict)
        returned, answered = await asyncio.gather(
            banks[0].recipient.ReturnDelivery(returning, timeout=CALL_SECONDS),
            banks[1].recipient.AnswerRecall(answering, timeout=CALL_SECONDS),
        )
        ends = events(line, draft.delivery())[2:]
        if verdict == receipts.VERDICT_RECALL_GRANTED:
            # Both end it: one does, and both are told.
            assert len(ends) == 1
            assert returned.statement.jws == answered.statement.jws
            assert returned.delivery == answered.delivery
        else:
            # A refused recall ends nothing; a return leaves nothing to refuse.
            assert ends in ([Event.RECALL_ANSWERED, Event.RETURNED], [Event.RETURNED])
            assert returned.delivery.envelope.state == RETURNED


async def test_two_recalls_and_a_closing(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await interiors[0].send(to("bank/registry"), to("court/registry", kind=2))
        await consign(workers[0], draft)
        await banks[0].refuse(draft.delivery(1))
        close = internal_pb.CloseLetterRequest(letter=draft.name)
        closed, *recalls = await asyncio.gather(
            workers[1].CloseLetter(close, timeout=CALL_SECONDS),
            *(outcome(member.recall(draft)) for member in interiors),
        )
        refused = sorted(one for one in recalls if isinstance(one, str))
        if closed.state == letters.LETTER_STATE_CLOSED:
            assert refused == ["LETTER_CLOSED", "LETTER_CLOSED"]
            assert events(line, draft.name)[1:] == [Event.CLOSED]
        else:
            assert refused == ["DELIVERY_RECALLED"]
            assert list(closed.waiting_deliveries) == [draft.delivery(2)]
            assert events(line, draft.name)[1:] == [Event.RECALL]


async def test_one_request_marks_one_reading(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        drafts = [await arrived(interiors[0], workers[0]) for _ in range(2)]
        for draft in drafts:
            await banks[0].accept(draft.delivery())
        first, second = (
            recipient_pb.MarkReadRequest(name=draft.delivery(), request_id=request_id, position="مدیر عامل")
            for request_id in [str(uuid.uuid4())]
            for draft in drafts
        )
        answers = await asyncio.gather(
            *(outcome(bank.recipient.MarkRead(first, timeout=CALL_SECONDS)) for bank in banks * 2),
            outcome(banks[1].recipient.MarkRead(second, timeout=CALL_SECONDS)),
        )
        stated = [event for draft in drafts for event in events(line, draft.delivery())[2:]]
        assert stated == [Event.CONTENT_ACCESS_TRACKING]
        refused = [one for one in answers if isinstance(one, str)]
        assert set(refused) == {"REQUEST_ID_REUSED"}
        assert len(refused) in (1, 4)
