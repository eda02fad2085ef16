"""kill -9 of intake within what comes after acceptance and with recalls: whole or not there, and answered again."""

import asyncio
import uuid
from typing import Any

import grpc
import grpc.aio
import pytest

from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as recipient_pb
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, to
from tests.contract.intake.people import Worker, consign
from tests.integration.intake.held import Held, Where


async def _call(method: Any, request: Any) -> Any:
    return await method(request, timeout=CALL_SECONDS, wait_for_ready=True)


async def _taken_in(interior: Member, bank: Member, worker: Worker) -> Draft:
    draft = await interior.send()
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    return draft


@pytest.mark.parametrize("where", ["before_commit", "in_commit"])
async def test_what_comes_after_acceptance_is_whole_or_not_there(
    where: Where, line: Line, held: Held, interior: Member, bank: Member, worker: Worker
) -> None:
    """A return, a recall, its answer, its application and a reading, all in their transactions at the kill."""
    returned, asked, read = [await _taken_in(interior, bank, worker) for _ in range(3)]
    await interior.recall(asked)
    recalled, applied = await interior.send(), await interior.send(to("bank/registry"), to("bank/branch"))
    await consign(worker, applied, 1)
    await interior.recall(applied)
    reading = recipient_pb.MarkReadRequest(name=read.delivery(), request_id=str(uuid.uuid4()), position="مدیر عامل")
    apply = internal_pb.ApplyRecallRequest(letter=applied.name, deliveries=[applied.delivery(1), applied.delivery(2)])
    calls = [
        (bank.recipient.ReturnDelivery, await bank.returning(returned.delivery())),
        (bank.recipient.AnswerRecall, await bank.answering_recall(asked.delivery())),
        (interior.sender.RecallLetter, interior.recalling(recalled)),
        (worker.ApplyRecall, apply),
        (bank.recipient.MarkRead, reading),
    ]
    stored = line.stored()
    async with held.at(("end", "recall", "reading"), where):
        waiting = [asyncio.ensure_future(_call(*call)) for call in calls]
        await held.reached(len(calls))
        line.kill("intake")
        for one in waiting:
            with pytest.raises(grpc.aio.AioRpcError):
                await one
    written = {"statements": 6, "receipt": 2, "recall": 1, "reading": 1}
    whole = {what: count + written.get(what, 0) for what, count in stored.items()}
    assert line.stored() == (stored if where == "before_commit" else whole)
    stated = [line.statements(one.delivery()) for one in (returned, asked, read)]

    await line.start("intake")
    for _ in range(2):
        answers = [await _call(*call) for call in calls]
        assert line.stored() == whole
    back, answer, recall, plans, mark = answers
    ends = [line.statements(one.delivery())[-1] for one in (returned, asked, read)]
    assert [jws for jws, _ in ends] == [back.statement.jws, answer.statement.jws, mark.statement.jws]
    if where == "in_commit":
        assert ends == [one[-1] for one in stated]
    events = [set(payload.events) for _, payload in ends]
    assert events == [{Event.RETURNED}, {Event.RECALL_ANSWERED}, {Event.CONTENT_ACCESS_TRACKING}]
    assert back.delivery.envelope.state == letters.DELIVERY_STATE_RETURNED
    assert answer.delivery.envelope.recall.verdict == receipts.VERDICT_RECALL_GRANTED
    assert recall.statement.jws == line.statements(recalled.name)[-1][0]
    assert [one.state for one in plans.deliveries] == [letters.DELIVERY_STATE_WITHDRAWN] * 2
    assert [len(line.statements(applied.delivery(number))) for number in (1, 2)] == [2, 1]
