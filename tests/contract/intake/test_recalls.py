"""A recall: before acceptance it withdraws, afterwards it is a request that the recipient grants or refuses."""

import hashlib
from typing import Any

import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats.cades import sign_detached
from dabir.formats.statement import Event, digest
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as pb
from dabir.intake.v1 import sender_service_pb2 as sender_pb
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, now, refusal, reply_to, to
from tests.contract.intake.people import People, Worker, consign

AVAILABLE, ACCEPTED = letters.DELIVERY_STATE_AVAILABLE, letters.DELIVERY_STATE_ACCEPTED
WITHDRAWN, RETURNED = letters.DELIVERY_STATE_WITHDRAWN, letters.DELIVERY_STATE_RETURNED
GRANTED, NOT_GRANTED = receipts.VERDICT_RECALL_GRANTED, receipts.VERDICT_RECALL_REFUSED
COPY = manifests.RECIPIENT_KIND_COPY


async def plan(worker: Worker, draft: Draft) -> internal_pb.LetterPlan:
    request = internal_pb.GetLetterPlanRequest(letter=draft.name)
    return (await worker.GetLetterPlan(request, timeout=CALL_SECONDS)).plan


async def apply(worker: Worker, draft: Draft, *numbers: int) -> list[internal_pb.DeliveryPlan]:
    request = internal_pb.ApplyRecallRequest(letter=draft.name, deliveries=[draft.delivery(n) for n in numbers])
    return list((await worker.ApplyRecall(request, timeout=CALL_SECONDS)).deliveries)


async def close(worker: Worker, draft: Draft) -> internal_pb.CloseLetterResponse:
    return await worker.CloseLetter(internal_pb.CloseLetterRequest(letter=draft.name), timeout=CALL_SECONDS)


async def answer_recall(
    bank: Member, name: str, verdict: receipts.Verdict.ValueType = GRANTED
) -> pb.AnswerRecallResponse:
    return await bank.recipient.AnswerRecall(await bank.answering_recall(name, verdict), timeout=CALL_SECONDS)


async def asked_for(interior: Member, bank: Member, worker: Worker, **changes: Any) -> Draft:
    """A letter to bank's registry, accepted, then recalled."""
    draft = await interior.send(to("bank/registry", **changes))
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    await interior.recall(draft)
    return draft


async def test_before_acceptance_a_recall_withdraws(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"), to("court/registry"))
    await consign(worker, draft, 1)
    request = interior.recalling(draft)
    recalled = await interior.sender.RecallLetter(request, timeout=CALL_SECONDS)

    (registration, _), (jws, payload) = line.statements(draft.name)
    assert jws == recalled.statement.jws
    stated, sha256 = payload.events[Event.RECALL], hashlib.sha256(request.recall).digest()
    assert stated.recall_sha256 == sha256
    assert stated.manifest_sha256 == hashlib.sha256(draft.data).digest()
    assert [one.body for one in stated.parties] == ["bodies/interior"]
    before = await plan(worker, draft)
    assert [(one.recall_pending, one.recall_asked) for one in before.deliveries] == [(True, False)] * 3
    assert (list(before.recalls_sha256), before.sequence) == ([sha256], 2)

    plans = await apply(worker, draft, 3, 1, 2)
    assert [(one.delivery, one.state) for one in plans] == [(draft.delivery(n), WITHDRAWN) for n in (3, 1, 2)]
    assert not any(one.recall_pending for one in plans)
    _, (_, withdrawn) = line.statements(draft.delivery(1))
    assert withdrawn.events[Event.WITHDRAWN].recall_sha256 == sha256
    # Of what never came to its recipient, the statement is the first of its chain.
    ((_, first),) = line.statements(draft.delivery(2))
    assert first.events[Event.WITHDRAWN].links[0].previous == digest(registration)
    told = line.sql(
        "SELECT recipient_body FROM ledger.statement WHERE event = %s AND txn = %s ORDER BY subject",
        *(Event.WITHDRAWN.value, draft.name),
    )
    assert told == [("bodies/bank",), (None,), (None,)]

    envelope = (await bank.get(draft.delivery(1))).envelope
    assert envelope.state == WITHDRAWN
    assert envelope.times.withdrawn_at.seconds == withdrawn.iat
    assert envelope.recall.sha256 == sha256
    assert not (await bank.get(draft.delivery(1))).HasField("recall")
    assert (await refusal(bank.get(draft.delivery(2)))).reason == "DELIVERY_NOT_FOUND"
    assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED


async def test_the_same_recall_gets_the_same_answer(line: Line, interior: Member, worker: Worker) -> None:
    draft = await interior.send()
    request = interior.recalling(draft)
    first = await interior.sender.RecallLetter(request, timeout=CALL_SECONDS)
    await apply(worker, draft, 1)
    await close(worker, draft)
    stored = line.stored()
    # By its digest: what it was signed with matters no more, nor that the letter is closed by now.
    request.signature = b"\x30\x00"
    again = await interior.sender.RecallLetter(request, timeout=CALL_SECONDS)
    assert again.statement.jws == first.statement.jws
    assert [one.state for one in await apply(worker, draft, 1)] == [WITHDRAWN]
    assert line.stored() == stored
    kept = await interior.sender.GetLetter(sender_pb.GetLetterRequest(name=draft.name), timeout=CALL_SECONDS)
    assert [(one.recall, one.statement.jws) for one in kept.recalls] == [(request.recall, first.statement.jws)]


async def test_a_recall_names_deliveries(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"))
    await consign(worker, draft)
    await interior.recall(draft, 2)
    assert [one.recall_pending for one in (await plan(worker, draft)).deliveries] == [False, True]
    refused = await refusal(apply(worker, draft, 2, 1))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "NO_RECALL")
    assert (await bank.envelope(draft.delivery(2))).state == AVAILABLE
    await apply(worker, draft, 2)
    assert (await bank.accept(draft.delivery(1))).delivery.envelope.state == ACCEPTED
    # The other one by a recall of its own; the recalled one not twice.
    stored = line.stored()
    for numbers in ((), (1, 2), (2,)):
        twice = await refusal(interior.recall(draft, *numbers))
        assert (twice.code, twice.reason) == ("ALREADY_EXISTS", "DELIVERY_RECALLED")
    assert line.stored() == stored
    await interior.recall(draft, 1)
    assert len((await plan(worker, draft)).recalls_sha256) == 2


async def test_whoever_would_accept_or_refuse_finds_it_withdrawn(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    """Also when nobody applied the recall yet."""
    draft = await interior.send(to("bank/registry"), to("bank/branch"))
    await consign(worker, draft)
    accepting = await bank.accepting(draft.delivery(1))
    await interior.recall(draft)
    accepted = await bank.recipient.AcceptDelivery(accepting, timeout=CALL_SECONDS)
    refused = await bank.refuse(draft.delivery(2))
    for number, answer in ((1, accepted), (2, refused)):
        assert answer.delivery.envelope.state == WITHDRAWN
        assert not answer.delivery.HasField("content")
        _, (jws, payload) = line.statements(draft.delivery(number))
        assert set(payload.events) == {Event.WITHDRAWN}
        assert answer.statement.jws == jws
    stored = line.stored()
    assert [one.state for one in await apply(worker, draft, 1, 2)] == [WITHDRAWN] * 2
    assert (await bank.accept(draft.delivery(1))).statement.jws == accepted.statement.jws
    assert line.stored() == stored
    assert line.sql("SELECT count(*) FROM intake.receipt WHERE delivery = %s", draft.delivery(1)) == [(0,)]


async def test_what_is_recalled_comes_into_no_mailbox(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    """Also when the workers consign before they apply the recall; no number is taken for it."""
    draft = await interior.send(to("bank/registry"), to("bank/branch"))
    await interior.recall(draft, 2)
    first, second = await consign(worker, draft)
    assert (first.state, second.state) == (AVAILABLE, WITHDRAWN)
    ((_, payload),) = line.statements(draft.delivery(2))
    assert set(payload.events) == {Event.WITHDRAWN}
    stored = line.stored()
    assert await consign(worker, draft) == [first, second]
    assert line.stored() == stored


async def test_a_recalled_delivery_past_its_due_is_stated_as_late(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send(
        to("bank/registry", acceptance_needed=True),
        definition="definitions/test-cosigned/1",
        signers=("وزیر", "معاون"),
    )
    await consign(worker, draft)
    with line.clock_ahead("15 minutes"):
        await interior.recall(draft)
        (withdrawn,) = await apply(worker, draft, 1)
    assert withdrawn.times.late_acceptance
    events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
    assert events[1:] == [{Event.ACCEPTANCE_REJECTION_EXPIRY}, {Event.WITHDRAWN}]


async def test_what_the_hub_withdraws_past_its_due_is_late_only_if_it_was_recalled_past_it(
    line: Line, interior: Member, worker: Worker
) -> None:
    """An outage of the workers between the two is not the recipient's fault."""
    draft = await interior.send(
        to("bank/registry", acceptance_needed=True, answer_needed=True),
        definition="definitions/test-cosigned/1",
        signers=("وزیر", "معاون"),
    )
    await consign(worker, draft)
    await interior.recall(draft)
    with line.clock_ahead("25 minutes"):
        for clock in (internal_pb.DUE_CLOCK_ACCEPTANCE, internal_pb.DUE_CLOCK_ANSWER):
            request = internal_pb.FlagLateRequest(delivery=draft.delivery(), clock=clock)
            await worker.FlagLate(request, timeout=CALL_SECONDS)
        (withdrawn,) = await apply(worker, draft, 1)
    assert not withdrawn.times.late_acceptance
    assert not withdrawn.times.late_answer
    assert [set(payload.events) for _, payload in line.statements(draft.delivery())][1:] == [{Event.WITHDRAWN}]


async def test_after_acceptance_a_recall_is_a_request(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    request = interior.recalling(draft)
    recalled = await interior.sender.RecallLetter(request, timeout=CALL_SECONDS)
    stored = line.stored()
    (applied,) = await apply(worker, draft, 1)
    assert (applied.state, applied.recall_pending, applied.recall_asked) == (ACCEPTED, False, True)
    assert line.stored() == stored

    shown = await bank.get(draft.delivery())
    assert (shown.recall.recall, shown.recall.signature) == (request.recall, request.signature)
    assert shown.recall.statement.jws == recalled.statement.jws
    assert shown.envelope.recall.sha256 == hashlib.sha256(request.recall).digest()
    assert shown.envelope.recall.verdict == receipts.VERDICT_UNSPECIFIED
    listed = await bank.recipient.ListDeliveries(pb.ListDeliveriesRequest(page_size=200), timeout=CALL_SECONDS)
    assert next(one for one in listed.deliveries if one.delivery == draft.delivery()).recall == shown.envelope.recall


async def test_a_granted_recall_withdraws(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await asked_for(interior, bank, worker)
    request = await bank.answering_recall(draft.delivery())
    answer = await bank.recipient.AnswerRecall(request, timeout=CALL_SECONDS)
    envelope = answer.delivery.envelope
    assert (envelope.state, envelope.recall.verdict) == (WITHDRAWN, GRANTED)
    assert envelope.times.withdrawn_at == envelope.recall.answered_at
    # What was opened stays open.
    assert answer.delivery.content.manifest == draft.data
    *_, (jws, payload) = line.statements(draft.delivery())
    assert jws == answer.statement.jws
    stated = payload.events[Event.RECALL_ANSWERED]
    assert stated.reason == "VERDICT_RECALL_GRANTED"
    assert stated.recall_sha256 == envelope.recall.sha256
    assert stated.receipt_sha256 == hashlib.sha256(request.receipt).digest()
    assert [one.body for one in stated.parties] == ["bodies/bank"]
    asked = sender_pb.GetReceiptRequest(delivery=draft.delivery())
    _, kept = (await interior.sender.GetReceipt(asked, timeout=CALL_SECONDS)).receipts
    assert (kept.receipt, kept.statement.jws) == (request.receipt, jws)
    stored = line.stored()
    assert await bank.recipient.AnswerRecall(request, timeout=CALL_SECONDS) == answer
    assert (await answer_recall(bank, draft.delivery(), NOT_GRANTED)).statement.jws == jws
    assert line.stored() == stored
    assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED


async def test_a_refused_recall_leaves_everything_open(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await asked_for(interior, bank, worker, answer_needed=True)
    answer = await answer_recall(bank, draft.delivery(), NOT_GRANTED)
    assert (answer.delivery.envelope.state, answer.delivery.envelope.recall.verdict) == (ACCEPTED, NOT_GRANTED)
    (waiting,) = (await plan(worker, draft)).deliveries
    assert (waiting.recall_pending, waiting.recall_asked) == (False, False)
    stored = line.stored()
    # The first answer stands.
    again = await answer_recall(bank, draft.delivery(), GRANTED)
    assert again.statement.jws == answer.statement.jws
    assert again.delivery.envelope.state == ACCEPTED
    assert line.stored() == stored
    returned = await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)
    assert returned.delivery.envelope.state == RETURNED
    assert (await answer_recall(bank, draft.delivery(), GRANTED)).statement.jws == answer.statement.jws


async def test_what_ended_before_its_recall_was_answered(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await asked_for(interior, bank, worker)
    returned = await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)
    answered = await asked_for(interior, bank, worker, answer_needed=True)
    await bank.send(to("interior/registry"), relations=reply_to(answered))
    *_, (reply, _) = line.statements(answered.delivery())
    stored = line.stored()
    for one, jws in ((draft, returned.statement.jws), (answered, reply)):
        outcome = await answer_recall(bank, one.delivery())
        assert outcome.statement.jws == jws
        assert outcome.delivery.envelope.state in (RETURNED, letters.DELIVERY_STATE_ANSWERED)
        assert [two.state for two in await apply(worker, one, 1)] == [outcome.delivery.envelope.state]
    assert line.stored() == stored


async def test_an_answer_to_no_recall(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"))
    await consign(worker, draft)
    await bank.accept(draft.delivery(1))
    await interior.recall(draft, 2)
    request = await bank.answering_recall(draft.delivery(1), recall_sha256=b"\1" * 32)
    early = await bank.answering_recall(draft.delivery(2))
    stored = line.stored()
    none = await refusal(bank.recipient.AnswerRecall(request, timeout=CALL_SECONDS))
    assert (none.code, none.reason) == ("FAILED_PRECONDITION", "NO_RECALL")
    # Its bytes are not shown before acceptance; it is withdrawn, not answered.
    waiting = await refusal(bank.recipient.AnswerRecall(early, timeout=CALL_SECONDS))
    assert (waiting.code, waiting.reason) == ("FAILED_PRECONDITION", "NOT_ACCEPTED")
    assert line.stored() == stored


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recall_sha256": b"\1" * 32}, "RECEIPT_MISMATCH"),
        ({"recall_sha256": b""}, "MISSING_FIELD"),
        ({"reason": receipts.RETURN_REASON_DUPLICATE}, "FIELD_NOT_ALLOWED"),
        ({"verdict": receipts.VERDICT_ACCEPTED, "recall_sha256": b""}, "VERDICT_WRONG"),
        ({"hub": "log.other.example/1"}, "WRONG_HUB"),
    ],
)
async def test_an_answer_to_a_recall_that_does_not_do(
    changes: Any, reason: str, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await asked_for(interior, bank, worker)
    request, stored = await bank.answering_recall(draft.delivery(), **changes), line.stored()
    refused = await refusal(bank.recipient.AnswerRecall(request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert line.stored() == stored
    assert (await bank.envelope(draft.delivery())).state == ACCEPTED


async def test_only_the_recipients_seal_answers_a_recall(
    line: Line, people: People, interior: Member, bank: Member, court: Member, worker: Worker
) -> None:
    draft = await asked_for(interior, bank, worker)
    request, stored = await bank.answering_recall(draft.delivery()), line.stored()
    for reason, signer in {
        "CERTIFICATE_PURPOSE_WRONG": bank.signer(),
        "CERTIFICATE_OF_ANOTHER_BODY": interior.seal(),
    }.items():
        wrong = pb.AnswerRecallRequest(
            name=request.name, receipt=request.receipt, signature=sign_detached(request.receipt, signer, now())
        )
        assert (await refusal(bank.recipient.AnswerRecall(wrong, timeout=CALL_SECONDS))).reason == reason
    foreign = await refusal(court.recipient.AnswerRecall(request, timeout=CALL_SECONDS))
    assert (foreign.code, foreign.reason) == ("NOT_FOUND", "DELIVERY_NOT_FOUND")
    reader = await people.member("bank-reader")
    assert (await refusal(reader.recipient.AnswerRecall(request, timeout=CALL_SECONDS))).reason == "ROLE_MISSING"
    assert line.stored() == stored


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"hub": "log.other.example/1"}, "INVALID_ARGUMENT", "WRONG_HUB"),
        ({"manifest_sha256": b"\1" * 32}, "INVALID_ARGUMENT", "RECALL_MISMATCH"),
        ({"letter": "letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"}, "INVALID_ARGUMENT", "RECALL_MISMATCH"),
        (
            {"deliveries": ["letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c/deliveries/1"]},
            "INVALID_ARGUMENT",
            "DELIVERY_OF_OTHER_LETTER",
        ),
        ({"reason": ""}, "INVALID_ARGUMENT", "MISSING_FIELD"),
        ({"nonce": b"\1"}, "INVALID_ARGUMENT", "BAD_NONCE"),
        ({"type": "dabir.receipt.v1"}, "INVALID_ARGUMENT", "WRONG_TYPE"),
    ],
)
async def test_a_recall_that_does_not_do(
    changes: Any, code: str, reason: str, line: Line, interior: Member, worker: Worker
) -> None:
    draft = await interior.send()
    request, stored = interior.recalling(draft, **changes), line.stored()
    refused = await refusal(interior.sender.RecallLetter(request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == (code, reason)
    assert line.stored() == stored


async def test_a_recall_of_what_is_not_there(
    line: Line, people: People, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    stored = line.stored()
    beyond = await refusal(interior.recall(draft, 1, 2))
    assert (beyond.code, beyond.reason) == ("NOT_FOUND", "DELIVERY_NOT_FOUND")
    for somebody in (bank, await people.member("court")):
        foreign = await refusal(somebody.recall(draft))
        assert (foreign.code, foreign.reason) == ("NOT_FOUND", "LETTER_NOT_FOUND")
    reader = await people.member("interior-reader")
    assert (await refusal(reader.recall(draft))).reason == "ROLE_MISSING"
    assert (await refusal(interior.sender.RecallLetter(interior.recalling(draft)))).reason == "DEADLINE_REQUIRED"
    assert (await refusal(apply(worker, draft, 1))).reason == "NO_RECALL"
    assert (await refusal(apply(worker, draft, 2))).reason == "DELIVERY_NOT_FOUND"
    nobodys = "letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"
    for letter, name, reason in (
        (nobodys, f"{nobodys}/deliveries/1", "LETTER_NOT_FOUND"),
        (draft.name, f"{nobodys}/deliveries/1", "DELIVERY_OF_ANOTHER_LETTER"),
    ):
        request = internal_pb.ApplyRecallRequest(letter=letter, deliveries=[name])
        assert (await refusal(worker.ApplyRecall(request, timeout=CALL_SECONDS))).reason == reason
    assert line.stored() == stored


async def test_only_the_senders_seal_recalls(line: Line, interior: Member, bank: Member) -> None:
    draft = await interior.send()
    request, stored = interior.recalling(draft), line.stored()
    for reason, signer in {
        "CERTIFICATE_PURPOSE_WRONG": interior.signer(),
        "CERTIFICATE_OF_ANOTHER_BODY": bank.seal(),
    }.items():
        request.signature = sign_detached(request.recall, signer, now())
        assert (await refusal(interior.sender.RecallLetter(request, timeout=CALL_SECONDS))).reason == reason
    request.signature = sign_detached(b"{}", interior.seal(), now())
    wrong = await refusal(interior.sender.RecallLetter(request, timeout=CALL_SECONDS))
    assert wrong.reason == "SIGNATURE_WRONG"
    assert line.stored() == stored


async def test_closing_and_recalling(line: Line, interior: Member, bank: Member, court: Member, worker: Worker) -> None:
    """A closed letter is not recalled, and one does not close while a copy is still to be withdrawn."""
    draft = await interior.send(to("bank/registry"), to("court/registry", kind=COPY), to("court/branch", kind=COPY))
    await consign(worker, draft, 1, 2)
    await interior.recall(draft, 2, 3)
    await bank.refuse(draft.delivery(1))
    waiting = await close(worker, draft)
    assert waiting.state == letters.LETTER_STATE_OPEN
    assert list(waiting.waiting_deliveries) == [draft.delivery(2), draft.delivery(3)]
    await apply(worker, draft, 2, 3)
    assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED
    stored = line.stored()
    late = await refusal(interior.recall(draft, 1))
    assert (late.code, late.reason) == ("FAILED_PRECONDITION", "LETTER_CLOSED")
    assert line.stored() == stored


async def test_a_recall_may_be_answered_after_the_letter_closed(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await asked_for(interior, bank, worker)
    with line.clock_ahead("11 days"):
        assert (await close(worker, draft)).state == letters.LETTER_STATE_CLOSED
    # What was stated then keeps its chain there.
    answer = await answer_recall(bank, draft.delivery())
    assert answer.delivery.envelope.state == WITHDRAWN
    *_, (_, payload) = line.statements(draft.delivery())
    assert set(payload.events) == {Event.RECALL_ANSWERED}


async def test_a_letter_has_so_many_recalls(line: Line, interior: Member, worker: Worker) -> None:
    offices = [f"{body}/{office}" for body in ("bank", "court", "post") for office in ("registry", "branch", "late")]
    draft = await interior.send(*(to(office) for office in offices))
    for number in range(1, 9):
        await interior.recall(draft, number)
    stored = line.stored()
    many = await refusal(interior.recall(draft, 9))
    assert (many.code, many.reason) == ("FAILED_PRECONDITION", "TOO_MANY_RECALLS")
    assert line.stored() == stored
