"""What the workers call: plans, consignment, closing, open letters, operators' actions."""

import uuid
from datetime import UTC, timedelta
from typing import Any

import grpc.aio
import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1.internal_service_pb2_grpc import IntakeInternalServiceStub
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, refusal, to
from tests.contract.intake.people import People, Worker, consign

NOBODYS = "letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"


async def plan(worker: Worker, draft: Draft, *numbers: int) -> pb.LetterPlan:
    request = pb.GetLetterPlanRequest(letter=draft.name, deliveries=[draft.delivery(number) for number in numbers])
    return (await worker.GetLetterPlan(request, timeout=CALL_SECONDS)).plan


async def close(worker: Worker, draft: Draft) -> pb.CloseLetterResponse:
    return await worker.CloseLetter(pb.CloseLetterRequest(letter=draft.name), timeout=CALL_SECONDS)


async def test_a_plan_holds_what_is_to_come_and_no_content(interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.draft(
        to("bank/registry", acceptance_needed=True, answer_needed=True, note="محرمانه"),
        to("court/branch", kind=manifests.RECIPIENT_KIND_COPY),
        priority=manifests.PRIORITY_IMMEDIATE,
    )
    letter = (await interior.submit(draft)).letter
    found = await plan(worker, draft)
    assert found.registry_number == letter.registry_number.text
    assert found.sender_body == "bodies/interior"
    assert list(found.documents) == draft.documents
    registered_at = letter.registered_at.ToDatetime(UTC)
    assert found.retain_until.ToDatetime(UTC) - registered_at == timedelta(seconds=315_576_000)
    assert found.close_at.ToDatetime(UTC) - registered_at == timedelta(seconds=31_557_600)
    assert found.urgent_unacked_at.ToDatetime(UTC) - registered_at == timedelta(minutes=30)
    first, second = found.deliveries
    assert first.state == letters.DELIVERY_STATE_CREATED
    assert [at.seconds - letter.registered_at.seconds for at in first.remind_at] == [172_800, 255_600, 777_600, 860_400]
    assert (first.answer_needed, second.answer_needed) == (True, False)
    assert not second.remind_at
    assert (first.sequence, first.HasField("return_until")) == (0, False)
    for word in ("معرفی", "محرمانه", "1.txt"):
        assert word not in str(found)

    await consign(worker, draft)
    await bank.accept(draft.delivery(1))
    (accepted,) = (await plan(worker, draft, 1)).deliveries
    assert accepted.sequence == 2
    window = accepted.return_until.ToDatetime(UTC) - accepted.times.decided_at.ToDatetime(UTC)
    assert window == timedelta(days=10)
    assert len(accepted.remind_at) == 2


async def test_consigning_again_changes_nothing(line: Line, interior: Member, worker: Worker) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"), to("court/registry"))
    first = await consign(worker, draft, 2)
    assert [(one.delivery, one.state) for one in first] == [(draft.delivery(2), letters.DELIVERY_STATE_AVAILABLE)]
    both = await consign(worker, draft, 3, 2)
    assert [one.delivery for one in both] == [draft.delivery(3), draft.delivery(2)]
    assert both[1] == first[0]
    stored = line.stored()
    assert await consign(worker, draft, 3, 2) == both
    assert line.stored() == stored
    assert (await plan(worker, draft)).deliveries[0].state == letters.DELIVERY_STATE_CREATED


async def test_what_is_no_delivery_of_the_letter(line: Line, interior: Member, worker: Worker) -> None:
    draft, stored = await interior.send(), None
    stored = line.stored()
    assert (await refusal(consign(worker, draft, 2))).reason == "DELIVERY_NOT_FOUND"
    crossed = pb.ConsignDeliveriesRequest(letter=draft.name, deliveries=[f"{NOBODYS}/deliveries/1"])
    refused = await refusal(worker.ConsignDeliveries(crossed, timeout=CALL_SECONDS))
    assert refused.reason == "DELIVERY_OF_ANOTHER_LETTER"
    nobodys = pb.ConsignDeliveriesRequest(letter=NOBODYS, deliveries=[f"{NOBODYS}/deliveries/1"])
    assert (await refusal(worker.ConsignDeliveries(nobodys, timeout=CALL_SECONDS))).reason == "LETTER_NOT_FOUND"
    many = pb.ConsignDeliveriesRequest(letter=draft.name, deliveries=[draft.delivery(n) for n in range(1, 52)])
    assert (await refusal(worker.ConsignDeliveries(many, timeout=CALL_SECONDS))).reason == "REQUEST_INVALID"
    for call in (
        worker.GetLetterPlan(pb.GetLetterPlanRequest(letter=NOBODYS), timeout=CALL_SECONDS),
        worker.CloseLetter(pb.CloseLetterRequest(letter=NOBODYS), timeout=CALL_SECONDS),
    ):
        assert (await refusal(call)).reason == "LETTER_NOT_FOUND"
    late = pb.FlagLateRequest(delivery=f"{NOBODYS}/deliveries/1", clock=pb.DUE_CLOCK_ANSWER)
    assert (await refusal(worker.FlagLate(late, timeout=CALL_SECONDS))).reason == "DELIVERY_NOT_FOUND"
    assert line.stored() == stored


async def test_a_letter_closes_when_every_to_is_done(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    copy = to("court/branch", kind=manifests.RECIPIENT_KIND_COPY, acceptance_needed=True)
    draft = await interior.send(to("bank/registry"), to("bank/branch"), copy)
    await consign(worker, draft)
    await bank.refuse(draft.delivery(1))
    waiting = await close(worker, draft)
    assert waiting.state == letters.LETTER_STATE_OPEN
    assert list(waiting.waiting_deliveries) == [draft.delivery(2)]
    assert not waiting.HasField("next_at")
    accepted = await bank.accept(draft.delivery(2))
    waiting = await close(worker, draft)
    decided_at = accepted.delivery.envelope.times.decided_at.ToDatetime(UTC)
    assert waiting.next_at.ToDatetime(UTC) == decided_at + timedelta(days=10)

    with line.clock_ahead("11 days"):
        assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED
    stored = line.stored()
    assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED
    assert line.stored() == stored
    *_, (_, payload) = line.statements(draft.name)
    assert payload.events[Event.CLOSED].reason == ""
    # What comes later is still valid and stated.
    court = await consign(worker, draft, 3)
    assert court[0].state == letters.DELIVERY_STATE_AVAILABLE


async def test_a_letter_nobody_settles_closes_unclaimed(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send(
        to("bank/registry"), definition="definitions/test-cosigned/1", signers=("وزیر", "معاون")
    )
    await consign(worker, draft)
    with line.clock_ahead("2 hours"):
        assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED
    *_, (_, payload) = line.statements(draft.name)
    assert payload.events[Event.CLOSED].reason == "UNCLAIMED"
    assert line.sql("SELECT state, unclaimed FROM intake.letter WHERE name = %s", draft.name) == [("CLOSED", True)]
    assert (await bank.accept(draft.delivery())).delivery.envelope.state == letters.DELIVERY_STATE_ACCEPTED


async def test_open_letters_are_listed_oldest_first(interior: Member, bank: Member, worker: Worker) -> None:
    drafts = [await interior.send() for _ in range(3)]
    await consign(worker, drafts[1])
    await bank.refuse(drafts[1].delivery())
    await close(worker, drafts[1])
    found: list[str] = []
    request = pb.ListOpenLettersRequest(page_size=2)
    while True:
        answer = await worker.ListOpenLetters(request, timeout=CALL_SECONDS)
        assert len(answer.letters) <= 2
        found += answer.letters
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert [name for name in found if name in {draft.name for draft in drafts}] == [drafts[0].name, drafts[2].name]
    request.page_token = NOBODYS
    assert (await refusal(worker.ListOpenLetters(request, timeout=CALL_SECONDS))).reason == "PAGE_TOKEN_INVALID"


async def test_open_letters_that_a_recall_is_to_be_applied_to_are_named(
    interior: Member, bank: Member, worker: Worker
) -> None:
    one_of_two = await interior.send(to("bank/registry"), to("court/registry"))
    untouched, accepted, created = [await interior.send() for _ in range(3)]
    for draft in (one_of_two, accepted):
        await consign(worker, draft)
    await bank.accept(accepted.delivery())

    async def named() -> list[str]:
        answer = await worker.ListOpenLetters(pb.ListOpenLettersRequest(page_size=1000), timeout=CALL_SECONDS)
        assert untouched.name in answer.letters
        return list(answer.recall_pending_letters)

    before = await named()
    await interior.recall(one_of_two, 2)
    for draft in (accepted, created):
        await interior.recall(draft)
    assert await named() == [*before, one_of_two.name, created.name]
    for draft, number in ((one_of_two, 2), (created, 1)):
        request = pb.ApplyRecallRequest(letter=draft.name, deliveries=[draft.delivery(number)])
        await worker.ApplyRecall(request, timeout=CALL_SECONDS)
    assert await named() == before


def action(subject: str, **changes: Any) -> pb.RecordOperatorActionRequest:
    given = {"operator": "راهبر ۱", "action": "retry_now", "reason": "بانک تماس گرفت", **changes}
    return pb.RecordOperatorActionRequest(subject=subject, request_id=str(uuid.uuid4()), **given)


async def test_an_operators_action_is_stated(line: Line, interior: Member, worker: Worker) -> None:
    draft = await interior.send()
    for subject, chain in (
        (draft.name, draft.name),
        (draft.delivery(), draft.name),
        ("bodies/bank", "bodies/bank"),
    ):
        request = action(subject)
        first = await worker.RecordOperatorAction(request, timeout=CALL_SECONDS)
        stored = line.stored()
        second = await worker.RecordOperatorAction(request, timeout=CALL_SECONDS)
        assert second.statement.jws == first.statement.jws
        assert line.stored() == stored
        *_, (jws, payload) = line.statements(chain)
        assert jws == first.statement.jws
        stated = payload.events[Event.OPERATOR_ACTION]
        assert (stated.operator, stated.action, stated.reason) == ("راهبر ۱", "RETRY_NOW", "بانک تماس گرفت")
        assert bool(stated.recipients) == (subject != chain)


@pytest.mark.parametrize(
    ("subject", "changes", "reason"),
    [
        (NOBODYS, {}, "LETTER_NOT_FOUND"),
        ("bodies/nobody", {}, "BODY_NOT_FOUND"),
        ("documents/1", {}, "BAD_NAME"),
        ("books/bank/registry/in/1405", {}, "SUBJECT_NOT_RECORDABLE"),
        ("bodies/bank", {"action": "retry now!"}, "ACTION_NOT_A_CODE"),
        ("bodies/bank", {"operator": "x\u202e"}, "BIDI_CHARACTER"),
        ("bodies/bank", {"reason": ""}, "REQUEST_INVALID"),
    ],
)
async def test_an_action_that_cannot_be_recorded(
    subject: str, changes: Any, reason: str, line: Line, worker: Worker
) -> None:
    stored = line.stored()
    refused = await refusal(worker.RecordOperatorAction(action(subject, **changes), timeout=CALL_SECONDS))
    assert refused.reason == reason
    assert line.stored() == stored


async def test_a_request_id_stands_for_one_action(line: Line, interior: Member, worker: Worker) -> None:
    draft, request = await interior.send(), action("bodies/bank")
    await worker.RecordOperatorAction(request, timeout=CALL_SECONDS)
    stored = line.stored()
    for change in ({"reason": "other"}, {"subject": draft.name}):
        other = pb.RecordOperatorActionRequest()
        other.CopyFrom(request)
        other.MergeFrom(pb.RecordOperatorActionRequest(**change))
        refused = await refusal(worker.RecordOperatorAction(other, timeout=CALL_SECONDS))
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert line.stored() == stored


async def test_members_cannot_call_what_is_the_hubs(line: Line, people: People) -> None:
    async with line.channel("interior-cleared") as channel:
        stub = IntakeInternalServiceStub(channel)
        refused = await refusal(stub.GetLetterPlan(pb.GetLetterPlanRequest(letter=NOBODYS), timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
    assert isinstance(channel, grpc.aio.Channel)
