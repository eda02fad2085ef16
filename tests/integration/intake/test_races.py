"""Two copies of intake at once over one letter, and over one delivery: one decides, all hear the same."""

import asyncio
from typing import Any

import psycopg
import pytest

from dabir.common.v1.receipt_pb2 import RETURN_REASON_DUPLICATE
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as recipient_pb
from tests.contract.intake.line import CALL_SECONDS, COPIES, Line
from tests.contract.intake.member import Draft, Member, Refusal, refusal, reply_to, to
from tests.contract.intake.people import People, Worker, consign
from tests.integration.intake.held import Held
from tests.waiting import eventually

ROUNDS = 8


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


async def test_one_letter_is_registered_once(line: Line, interiors: list[Member]) -> None:
    for _ in range(ROUNDS):
        draft = await interiors[0].draft()
        answers = await asyncio.gather(*(member.submit(draft) for member in interiors * 3))
        assert len({answer.submission_acceptance.jws for answer in answers}) == 1
        assert len(line.statements(draft.name)) == 1


async def test_one_letter_id_stands_for_one_request(line: Line, interiors: list[Member]) -> None:
    for _ in range(ROUNDS):
        first = await interiors[0].draft()
        second = await interiors[1].draft(letter_uuid=first.manifest.letter_uuid, subject="دیگر")

        async def outcome(member: Member, draft: Draft) -> str | Refusal:
            call = member.submit(draft)
            try:
                return (await call).letter.subject
            except Exception:
                return await refusal(member.submit(draft))

        outcomes = await asyncio.gather(outcome(interiors[0], first), outcome(interiors[1], second))
        (refused,) = (one for one in outcomes if isinstance(one, Refusal))
        assert refused.reason == "LETTER_ID_REUSED"
        assert len(line.statements(first.name)) == 1


async def test_letters_of_one_book_are_numbered_without_a_gap(line: Line, interiors: list[Member]) -> None:
    drafts = [await interiors[0].draft(office="branch") for _ in range(12)]
    answers = await asyncio.gather(*(interiors[place % 2].submit(draft) for place, draft in enumerate(drafts)))
    sequences = sorted(answer.letter.registry_number.sequence for answer in answers)
    assert sequences == list(range(sequences[0], sequences[0] + 12))


async def test_one_delivery_is_decided_once(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    drafts = []
    for _ in range(ROUNDS):
        recipient = to("bank/registry", acceptance_needed=True)
        draft = await interiors[0].send(recipient, definition="definitions/test-cosigned/1", signers=("وزیر", "معاون"))
        await consign(workers[0], draft)
        drafts.append(draft)
    accepting = [await banks[0].accepting(draft.delivery()) for draft in drafts]
    refusing = [await banks[1].refusing(draft.delivery(), reason=RETURN_REASON_DUPLICATE) for draft in drafts]
    with line.clock_ahead("15 minutes"):
        for draft, accept, refuse in zip(drafts, accepting, refusing, strict=True):
            flag = internal_pb.FlagLateRequest(delivery=draft.delivery(), clock=internal_pb.DUE_CLOCK_ACCEPTANCE)
            flags = [asyncio.ensure_future(_flag(worker, flag)) for worker in workers]
            answers = await asyncio.gather(
                banks[0].recipient.AcceptDelivery(accept, timeout=CALL_SECONDS),
                banks[1].recipient.RefuseDelivery(refuse, timeout=CALL_SECONDS),
                banks[1].recipient.AcceptDelivery(accept, timeout=CALL_SECONDS),
            )
            await asyncio.gather(*flags)
            assert len({answer.statement.jws for answer in answers}) == 1
            assert len({answer.delivery.envelope.state for answer in answers}) == 1
            _, late, decided = (set(payload.events) for _, payload in line.statements(draft.delivery()))
            assert late == {Event.ACCEPTANCE_REJECTION_EXPIRY}
            assert decided & {Event.CONSIGNMENT_ACCEPTANCE, Event.CONSIGNMENT_REJECTION}
            assert line.sql("SELECT count(*) FROM intake.receipt WHERE delivery = %s", draft.delivery()) == [(1,)]


async def _flag(worker: Worker, request: internal_pb.FlagLateRequest) -> None:
    await worker.FlagLate(request, timeout=CALL_SECONDS)


async def test_one_delivery_is_answered_once(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await interiors[0].send(to("bank/registry", answer_needed=True))
        await consign(workers[0], draft)
        await banks[0].accept(draft.delivery())
        replies = [await bank.draft(to("interior/registry"), relations=reply_to(draft)) for bank in banks]
        await asyncio.gather(*(bank.submit(reply) for bank, reply in zip(banks, replies, strict=True)))
        events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
        assert events.count({Event.ANSWERED}) == 1
        assert all(len(line.statements(reply.name)) == 1 for reply in replies)


async def test_deliveries_are_taken_in_once_and_a_letter_closes_once(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    for _ in range(ROUNDS):
        draft = await interiors[0].send(to("bank/registry"), to("bank/branch"))
        plans = await asyncio.gather(*(consign(worker, draft) for worker in workers * 2))
        assert all(plan == plans[0] for plan in plans)
        await asyncio.gather(banks[0].refuse(draft.delivery(1)), banks[1].refuse(draft.delivery(2)))
        close = internal_pb.CloseLetterRequest(letter=draft.name)
        closed = await asyncio.gather(*(worker.CloseLetter(close, timeout=CALL_SECONDS) for worker in workers * 2))
        assert {answer.state for answer in closed} == {letters.LETTER_STATE_CLOSED}
        assert [set(payload.events) for _, payload in line.statements(draft.name)][1:] == [{Event.CLOSED}]
        assert len(line.statements(draft.delivery(1))) == 2


async def test_what_is_being_decided_at_the_end_is_not_unclaimed(
    line: Line, held: Held, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    """A refusal by an earlier reading of the clock, not committed yet when its letter's time is over."""
    cosigned: dict[str, Any] = {"definition": "definitions/test-cosigned/1", "signers": ("وزیر", "معاون")}
    draft = await interiors[0].send(to("bank/registry"), **cosigned)
    await consign(workers[0], draft)
    request = await banks[0].refusing(draft.delivery(), reason=RETURN_REASON_DUPLICATE)
    close = internal_pb.CloseLetterRequest(letter=draft.name)
    with line.clock_ahead("2 hours"):
        async with held.at("receipt", "before_commit"):
            refusing = asyncio.ensure_future(refuse(banks[0], request))
            await held.reached()
            closing = asyncio.ensure_future(closed(workers[1], close))
            await eventually("the close waits or is done", lambda: closing.done() or line.sql(WAITING) == [(2,)])
        await refusing
        assert (await closing).state == letters.LETTER_STATE_CLOSED
    *_, (_, payload) = line.statements(draft.name)
    assert payload.events[Event.CLOSED].reason != "UNCLAIMED"


async def refuse(member: Member, request: recipient_pb.RefuseDeliveryRequest) -> None:
    await member.recipient.RefuseDelivery(request, timeout=CALL_SECONDS)


async def closed(worker: Worker, request: internal_pb.CloseLetterRequest) -> internal_pb.CloseLetterResponse:
    return await worker.CloseLetter(request, timeout=CALL_SECONDS)


async def test_deliveries_are_locked_by_name(
    line: Line, interiors: list[Member], banks: list[Member], workers: list[Worker]
) -> None:
    """Whoever waits for the first of two deliveries does not hold the second, however its letter names them."""
    drafts = [await interiors[0].send() for _ in range(2)]
    for draft in drafts:
        await consign(workers[0], draft)
        await banks[0].accept(draft.delivery())
    first, second = sorted(draft.delivery() for draft in drafts)
    for order in (drafts, drafts[::-1]):
        relations = [relation for draft in order for relation in reply_to(draft)]
        reply = await banks[0].draft(to("interior/registry"), relations=relations)
        with psycopg.connect(line.postgres.owner_url) as connection:
            lock = "SELECT FROM intake.delivery WHERE name = %s FOR UPDATE NOWAIT"
            connection.execute(lock, (first,))
            submitting = asyncio.ensure_future(submit(banks[0], reply))
            await eventually("the reply waits", lambda: line.sql(WAITING) == [(1,)])
            connection.execute(lock, (second,))
        await submitting
    events = [set(payload.events) for _, payload in line.statements(first)]
    assert events.count({Event.ANSWERED}) == 1


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def submit(member: Member, draft: Draft) -> None:
    await member.submit(draft)
