"""kill -9 of intake within a transaction: before COMMIT nothing is left, after it the same request gets the answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import grpc.aio
import pytest

from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2 as letters
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Member, refusal, reply_to, to
from tests.contract.intake.people import Worker, consign
from tests.integration.intake.held import Held, Where

DEADLINE_SECONDS = 30


async def killed(line: Line, held: Held, call: Coroutine[Any, Any, Any]) -> None:
    """The call, whose server is killed when its transaction is held; it is up again afterwards."""
    waiting = asyncio.ensure_future(call)
    await held.reached()
    line.kill("intake")
    with pytest.raises(grpc.aio.AioRpcError):
        await waiting


async def _call(method: Any, request: Any) -> Any:
    return await method(request, timeout=CALL_SECONDS, wait_for_ready=True)


async def test_a_letter_killed_before_commit_leaves_nothing(line: Line, held: Held, interior: Member) -> None:
    before = await interior.submit(await interior.draft())
    draft, stored = await interior.draft(), line.stored()
    async with held.at("letter", "before_commit"):
        await killed(line, held, _call(interior.sender.SubmitLetter, draft.request))
    assert line.stored() == stored
    await line.start("intake")
    answer = await _call(interior.sender.SubmitLetter, draft.request)
    assert answer.letter.registry_number.sequence == before.letter.registry_number.sequence + 1


async def test_a_letter_killed_at_commit_is_answered_again(line: Line, held: Held, interior: Member) -> None:
    draft = await interior.draft()
    async with held.at("letter", "in_commit"):
        await killed(line, held, _call(interior.sender.SubmitLetter, draft.request))
    ((jws, _),) = line.statements(draft.name)
    stored = line.stored()
    await line.start("intake")
    for _ in range(2):
        answer = await _call(interior.sender.SubmitLetter, draft.request)
        assert answer.submission_acceptance.jws == jws
    assert line.stored() == stored


async def test_a_letter_whose_caller_gave_up_at_commit_is_found_by_its_id(
    line: Line, held: Held, interior: Member
) -> None:
    draft = await interior.draft()
    async with held.at("letter", "in_commit"):
        waiting = asyncio.ensure_future(_call(interior.sender.SubmitLetter, draft.request))
        await held.reached()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    first = await _call(interior.sender.SubmitLetter, draft.request)
    ((jws, _),) = line.statements(draft.name)
    assert first.submission_acceptance.jws == jws


@pytest.mark.parametrize("where", ["before_commit", "in_commit"])
async def test_a_reply_and_what_it_answers_are_one(
    where: Where, line: Line, held: Held, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send(to("bank/registry", answer_needed=True))
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    reply = await bank.draft(to("interior/registry"), relations=reply_to(draft))
    async with held.at("letter", where):
        await killed(line, held, _call(bank.sender.SubmitLetter, reply.request))
    events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
    assert ({Event.ANSWERED} in events) is bool(line.statements(reply.name)) is (where == "in_commit")
    await line.start("intake")
    await _call(bank.sender.SubmitLetter, reply.request)
    events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
    assert events.count({Event.ANSWERED}) == 1


@pytest.mark.parametrize("where", ["before_commit", "in_commit"])
async def test_an_acceptance_is_whole_or_not_there(
    where: Where, line: Line, held: Held, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    request, stored = await bank.accepting(draft.delivery()), line.stored()
    async with held.at("receipt", where):
        await killed(line, held, _call(bank.recipient.AcceptDelivery, request))
    stated = [jws for jws, _ in line.statements(draft.delivery())]
    if where == "before_commit":
        assert line.stored() == stored
    await line.start("intake")
    answer = await _call(bank.recipient.AcceptDelivery, request)
    assert answer.delivery.envelope.state == letters.DELIVERY_STATE_ACCEPTED
    if where == "in_commit":
        assert answer.statement.jws == stated[-1]
    assert len(line.statements(draft.delivery())) == 2
    assert line.stored()["receipt"] == stored["receipt"] + 1


@pytest.mark.parametrize("where", ["before_commit", "in_commit"])
async def test_a_batch_lies_in_its_mailboxes_or_not(
    where: Where, line: Line, held: Held, interior: Member, worker: Worker
) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"))
    stored = line.stored()
    async with held.at("mailbox", where):
        await killed(line, held, consign(worker, draft))
    expected = stored["statements"] + (2 if where == "in_commit" else 0)
    assert line.stored()["statements"] == expected
    await line.start("intake")
    plans = await _again(worker, draft)
    assert [plan.state for plan in plans] == [letters.DELIVERY_STATE_AVAILABLE] * 2
    assert line.stored()["statements"] == stored["statements"] + 2


async def _again(worker: Worker, draft: Any) -> Any:
    """The channel finds the process that is back by itself."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while True:
        try:
            return await consign(worker, draft)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.05)


async def test_a_process_that_holds_a_book_and_dies_lets_it_go(line: Line, held: Held, interior: Member) -> None:
    first, second = await interior.draft(), await interior.draft()
    async with held.at("letter", "before_commit"):
        await killed(line, held, _call(interior.sender.SubmitLetter, first.request))
    await line.start("intake")
    await _call(interior.sender.SubmitLetter, second.request)
    first.manifest.subject = "دیگر"
    first.signed()
    await _call(interior.sender.SubmitLetter, first.request)
    assert (await refusal(_call(interior.sender.SubmitLetter, first.signed().request))).reason == "LETTER_ID_REUSED"
