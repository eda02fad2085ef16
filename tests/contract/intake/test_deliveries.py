"""From the mailbox to the receipt: envelopes, acceptance, refusal, lateness."""

import dataclasses
import hashlib
from datetime import UTC, timedelta
from typing import Any

import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats.cades import sign_detached
from dabir.formats.signer import FileSigner
from dabir.formats.statement import Event, digest
from dabir.formats.strict_json import write
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as pb
from dabir.intake.v1 import sender_service_pb2 as sender_pb
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, now, refusal, reply_to, to
from tests.contract.intake.people import People, Worker, consign

ACCEPTED, REFUSED = letters.DELIVERY_STATE_ACCEPTED, letters.DELIVERY_STATE_REFUSED
AVAILABLE = letters.DELIVERY_STATE_AVAILABLE


async def arrived(interior: Member, worker: Worker, *recipients: manifests.Recipient, **changes: Any) -> Draft:
    """A letter of interior's that lies in its recipients' mailboxes."""
    draft = await interior.send(*recipients, **changes)
    await consign(worker, draft)
    return draft


async def test_an_envelope_tells_neither_subject_nor_content(interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(
        interior, worker, to("bank/registry", note="یادداشت", position="مدیر عامل", acceptance_needed=True)
    )
    delivery = await bank.get(draft.delivery())
    assert not delivery.HasField("content")
    envelope = delivery.envelope
    shown = str(envelope)
    assert "معرفی" not in shown
    assert "1.txt" not in shown
    assert envelope.recipient.position == "مدیر عامل"
    assert envelope.recipient.note == ""
    assert envelope.state == AVAILABLE
    assert envelope.manifest_sha256 == hashlib.sha256(draft.data).digest()
    assert envelope.sender_office == "bodies/interior/offices/registry"
    assert envelope.in_number.book == "books/bank/registry/in/1405"
    assert envelope.times.acceptance_due.seconds - envelope.registered_at.seconds == 259_200


async def test_a_delivery_enters_the_incoming_book(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    ((registration, _),) = line.statements(draft.name)
    ((_, payload),) = line.statements(draft.delivery())
    stated, envelope = payload.events[Event.AVAILABLE], await bank.envelope(draft.delivery())
    assert [link.chain for link in stated.links] == [draft.delivery(), envelope.in_number.book]
    assert stated.links[0].previous == digest(registration) == envelope.submission_acceptance_sha256
    assert stated.number.sequence == envelope.in_number.sequence
    assert stated.reason == ""


async def test_acceptance_opens_the_content(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker, to("bank/registry", documents=[1]), texts=(b"one\n", b"two\n"))
    request = await bank.accepting(draft.delivery())
    answer = await bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS)

    content = answer.delivery.content
    assert answer.delivery.envelope.state == ACCEPTED
    assert content.manifest == draft.data
    assert list(content.signatures) == draft.signatures
    assert [(one.index, one.document) for one in content.documents] == [(1, draft.documents[0])]
    assert content.consignment_acceptance.jws == answer.statement.jws
    (_, (jws, payload)) = line.statements(draft.delivery())
    assert jws == answer.statement.jws
    assert set(payload.events) == {Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT}
    stated = payload.events[Event.CONSIGNMENT_ACCEPTANCE]
    assert stated.receipt_sha256 == hashlib.sha256(request.receipt).digest()
    assert [one.body for one in stated.parties] == ["bodies/interior", "bodies/bank"]
    assert [one.name for one in stated.documents] == draft.documents[:1]
    assert await bank.get(draft.delivery()) == answer.delivery

    asked = sender_pb.GetReceiptRequest(delivery=draft.delivery())
    (kept,) = (await interior.sender.GetReceipt(asked, timeout=CALL_SECONDS)).receipts
    assert (kept.receipt, kept.signature) == (request.receipt, request.signature)
    assert kept.statement.jws == jws
    (own,) = (await bank.sender.GetReceipt(asked, timeout=CALL_SECONDS)).receipts
    assert own.receipt == request.receipt


async def test_a_refusal_opens_nothing(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    answer = await bank.refuse(draft.delivery())
    assert answer.delivery.envelope.state == REFUSED
    assert not answer.delivery.HasField("content")
    (_, (_, payload)) = line.statements(draft.delivery())
    assert payload.events[Event.CONSIGNMENT_REJECTION].reason == "RETURN_REASON_NOT_COMPETENT"
    listed = await interior.sender.ListSentDeliveries(
        sender_pb.ListSentDeliveriesRequest(parent=draft.name), timeout=CALL_SECONDS
    )
    assert listed.deliveries[0].reason == receipts.RETURN_REASON_NOT_COMPETENT


async def test_the_same_receipt_gets_the_same_answer(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await arrived(interior, worker)
    request = await bank.accepting(draft.delivery())
    first = await bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS)
    stored = line.stored()
    # By its digest: what it was signed with matters no more.
    again = pb.AcceptDeliveryRequest(name=request.name, receipt=request.receipt, signature=b"\x30\x00")
    second = await bank.recipient.AcceptDelivery(again, timeout=CALL_SECONDS)
    assert second.statement.jws == first.statement.jws
    assert line.stored() == stored


async def test_who_is_second_gets_the_outcome(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    refusing = await bank.refusing(draft.delivery())
    accepted = await bank.accept(draft.delivery())
    stored = line.stored()
    answer = await bank.recipient.RefuseDelivery(refusing, timeout=CALL_SECONDS)
    assert answer.delivery.envelope.state == ACCEPTED
    assert answer.delivery.content.manifest == draft.data
    assert answer.statement.jws == accepted.statement.jws
    assert line.stored() == stored


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hub": "log.other.example/1"}, "WRONG_HUB"),
        ({"manifest_sha256": b"\1" * 32}, "RECEIPT_MISMATCH"),
        ({"submission_acceptance_sha256": b"\1" * 32}, "RECEIPT_MISMATCH"),
        ({"in_number": receipts.BookNumber(book="books/bank/registry/in/1405", sequence=9_999)}, "RECEIPT_MISMATCH"),
        ({"verdict": receipts.VERDICT_REFUSED, "reason": receipts.RETURN_REASON_DUPLICATE}, "VERDICT_WRONG"),
        ({"reason": receipts.RETURN_REASON_DUPLICATE}, "FIELD_NOT_ALLOWED"),
        ({"nonce": b"\1"}, "BAD_NONCE"),
        ({"type": "dabir.letter.v1"}, "WRONG_TYPE"),
    ],
)
async def test_a_receipt_that_does_not_do(
    changes: Any, reason: str, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await arrived(interior, worker)
    stored, request = line.stored(), await bank.accepting(draft.delivery(), **changes)
    refused = await refusal(bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert line.stored() == stored
    assert (await bank.envelope(draft.delivery())).state == AVAILABLE


async def test_a_refusal_keeps_to_the_definition(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker, to("bank/registry"), definition="definitions/circular/1")
    stored = line.stored()
    refused = await refusal(bank.refuse(draft.delivery()))
    assert refused.reason == "REFUSAL_REASON_NOT_PERMITTED"
    assert line.stored() == stored


async def test_only_the_bodys_seal_signs_a_receipt(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    request, stored = await bank.accepting(draft.delivery()), line.stored()
    tls = line.tls("bank")
    cases = {
        "CERTIFICATE_PURPOSE_WRONG": bank.signer(),
        "CERTIFICATE_OF_ANOTHER_BODY": interior.seal(),
    }
    for reason, signer in cases.items():
        request.signature = sign_detached(request.receipt, signer, now())
        assert (await refusal(bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS))).reason == reason
    request.signature = sign_detached(request.receipt, FileSigner(tls.key, tls.certificate), now())
    wrong = await refusal(bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS))
    assert wrong.reason == "CERTIFICATE_PURPOSE_WRONG"
    request.signature = sign_detached(b"{}", bank.seal(), now())
    assert (await refusal(bank.recipient.AcceptDelivery(request, timeout=CALL_SECONDS))).reason == "SIGNATURE_WRONG"
    assert line.stored() == stored


async def test_a_receipt_of_another_delivery(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker, to("bank/registry"), to("bank/branch"))
    first, stored = await bank.accepting(draft.delivery(1)), line.stored()
    crossed = pb.AcceptDeliveryRequest(name=draft.delivery(2), receipt=first.receipt, signature=first.signature)
    refused = await refusal(bank.recipient.AcceptDelivery(crossed, timeout=CALL_SECONDS))
    assert (refused.reason, refused.metadata["field"]) == ("RECEIPT_MISMATCH", "delivery")
    assert line.stored() == stored


async def test_no_deadline_and_no_right(
    line: Line, people: People, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await arrived(interior, worker)
    request, stored = await bank.accepting(draft.delivery()), line.stored()
    assert (await refusal(bank.recipient.AcceptDelivery(request))).reason == "DEADLINE_REQUIRED"
    reader = await people.member("bank-reader")
    assert (await refusal(reader.recipient.AcceptDelivery(request, timeout=CALL_SECONDS))).reason == "ROLE_MISSING"
    assert line.stored() == stored
    assert (await reader.envelope(draft.delivery())).state == AVAILABLE


# Lateness.


async def late_letter(interior: Member, worker: Worker) -> Draft:
    """A letter whose acceptance is due in an hour; its chains are its own, so the clock may be set ahead."""
    recipient = to("bank/registry", acceptance_needed=True, answer_needed=True)
    return await arrived(
        interior, worker, recipient, definition="definitions/test-cosigned/1", signers=("وزیر", "معاون")
    )


async def test_a_late_acceptance_is_stated_before_it(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await late_letter(interior, worker)
    with line.clock_ahead("15 minutes"):
        answer = await bank.accept(draft.delivery())
    assert answer.delivery.envelope.state == ACCEPTED
    assert answer.delivery.envelope.times.late_acceptance
    _, (_, late), (_, accepted) = line.statements(draft.delivery())
    due = answer.delivery.envelope.times.acceptance_due
    assert set(late.events) == {Event.ACCEPTANCE_REJECTION_EXPIRY}
    assert late.toe == due.seconds < late.iat
    assert late.events[Event.ACCEPTANCE_REJECTION_EXPIRY].assurance == "hub"
    assert Event.CONSIGNMENT_ACCEPTANCE in accepted.events


async def test_a_late_refusal_is_late_with_both_clocks(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await late_letter(interior, worker)
    with line.clock_ahead("25 minutes"):
        request = await bank.refusing(draft.delivery(), reason=receipts.RETURN_REASON_DUPLICATE)
        answer = await bank.recipient.RefuseDelivery(request, timeout=CALL_SECONDS)
    times = answer.delivery.envelope.times
    assert times.late_acceptance
    assert times.late_answer
    events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
    assert events[1:] == [{Event.ACCEPTANCE_REJECTION_EXPIRY}, {Event.ANSWER_OVERDUE}, {Event.CONSIGNMENT_REJECTION}]


async def flag(worker: Worker, name: str, clock: internal_pb.DueClock.ValueType) -> internal_pb.DeliveryPlan:
    request = internal_pb.FlagLateRequest(delivery=name, clock=clock)
    return (await worker.FlagLate(request, timeout=CALL_SECONDS)).delivery


async def test_lateness_is_flagged_once(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft, clock = await late_letter(interior, worker), internal_pb.DUE_CLOCK_ACCEPTANCE
    early = await refusal(flag(worker, draft.delivery(), clock))
    assert (early.code, early.reason) == ("FAILED_PRECONDITION", "NOT_LATE_YET")
    with line.clock_ahead("15 minutes"):
        assert (await flag(worker, draft.delivery(), clock)).times.late_acceptance
        assert (await flag(worker, draft.delivery(), clock)).sequence == 2
        assert (await bank.accept(draft.delivery())).delivery.envelope.state == ACCEPTED
        answer = internal_pb.DUE_CLOCK_ANSWER
        assert (await refusal(flag(worker, draft.delivery(), answer))).reason == "NOT_LATE_YET"
    with line.clock_ahead("25 minutes"):
        assert (await flag(worker, draft.delivery(), answer)).times.late_answer
        assert (await flag(worker, draft.delivery(), answer)).sequence == 4
    events = [set(payload.events) for _, payload in line.statements(draft.delivery())]
    assert events[1] == {Event.ACCEPTANCE_REJECTION_EXPIRY}
    assert events[3] == {Event.ANSWER_OVERDUE}


async def test_a_timely_acceptance_is_never_late(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await late_letter(interior, worker)
    await bank.accept(draft.delivery())
    with line.clock_ahead("15 minutes"):
        plan = await flag(worker, draft.delivery(), internal_pb.DUE_CLOCK_ACCEPTANCE)
    assert not plan.times.late_acceptance
    assert plan.sequence == 2


async def test_what_the_hub_brought_late_is_not_the_recipients_fault(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    recipient = to("bank/late", acceptance_needed=True)
    draft = await interior.send(
        recipient, office="late", definition="definitions/test-cosigned/1", signers=("وزیر", "معاون")
    )
    with line.clock_ahead("15 minutes"):
        assert not (await flag(worker, draft.delivery(), internal_pb.DUE_CLOCK_ACCEPTANCE)).times.late_acceptance
        await consign(worker, draft)
        plan = await flag(worker, draft.delivery(), internal_pb.DUE_CLOCK_ACCEPTANCE)
        assert not plan.times.late_acceptance
        answer = await bank.accept(draft.delivery())
    assert not answer.delivery.envelope.times.late_acceptance
    (_, available), (_, accepted) = line.statements(draft.delivery())
    assert available.events[Event.AVAILABLE].reason == "HUB_LATE"
    assert Event.CONSIGNMENT_ACCEPTANCE in accepted.events


async def test_a_copy_without_a_flag_has_no_clock(interior: Member, worker: Worker) -> None:
    copy = to("court/branch", kind=manifests.RECIPIENT_KIND_COPY)
    draft = await arrived(interior, worker, to("bank/registry", acceptance_needed=True), copy)
    refused = await refusal(flag(worker, draft.delivery(2), internal_pb.DUE_CLOCK_ACCEPTANCE))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "NO_SUCH_CLOCK")


# Replies.


async def test_a_reply_answers(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker, to("bank/registry", answer_needed=True))
    await bank.accept(draft.delivery())
    reply = await bank.draft(to("interior/registry"), relations=reply_to(draft))
    answer = await bank.submit(reply)

    (answered,) = (
        await interior.sender.ListSentDeliveries(
            sender_pb.ListSentDeliveriesRequest(parent=draft.name), timeout=CALL_SECONDS
        )
    ).deliveries
    assert answered.state == letters.DELIVERY_STATE_ANSWERED
    assert answered.answer == reply.name
    assert answered.times.answered_at == answer.letter.registered_at
    *_, (_, payload) = line.statements(draft.delivery())
    assert payload.events[Event.ANSWERED].answer_sha256 == digest(answer.submission_acceptance.jws)
    closed = await worker.CloseLetter(internal_pb.CloseLetterRequest(letter=draft.name), timeout=CALL_SECONDS)
    assert closed.state == letters.LETTER_STATE_CLOSED

    # The same request again, and a further reply: the first answer stands.
    stored = line.stored()
    await bank.submit(reply)
    assert line.stored() == stored
    further = await bank.send(to("interior/registry"), relations=reply_to(draft))
    assert (await bank.get(draft.delivery())).envelope.state == letters.DELIVERY_STATE_ANSWERED
    assert line.sql("SELECT answer FROM intake.delivery WHERE name = %s", draft.delivery()) == [(reply.name,)]
    assert further.name != reply.name


async def test_a_late_answer_is_stated_before_it(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send(
        to("bank/late", answer_needed=True), definition="definitions/test-cosigned/1", signers=("وزیر", "معاون")
    )
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    with line.clock_ahead("25 minutes"):
        await bank.send(to("interior/registry"), office="late", relations=reply_to(draft))
    *_, (_, late), (_, answered) = line.statements(draft.delivery())
    assert set(late.events) == {Event.ANSWER_OVERDUE}
    assert set(answered.events) == {Event.ANSWERED}
    assert (await bank.envelope(draft.delivery())).times.late_answer


async def test_accept_first(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send()
    reply = await bank.draft(to("interior/registry"), relations=reply_to(draft))
    stored = line.stored()
    # Before it is in the mailbox the letter does not exist for its recipient.
    assert (await refusal(bank.submit(reply))).reason == "RELATED_LETTER_NOT_FOUND"
    assert line.stored() == stored
    await consign(worker, draft)
    stored = line.stored()
    first = await refusal(bank.submit(reply))
    assert (first.code, first.reason) == ("FAILED_PRECONDITION", "ACCEPT_FIRST")
    other = dataclasses.replace(await bank.draft(to("interior/registry"), office="branch", relations=reply_to(draft)))
    assert (await refusal(bank.submit(other))).reason == "REPLYING_OFFICE_NOT_RECIPIENT"
    assert line.stored() == stored
    await bank.accept(draft.delivery())
    aside = await bank.draft(to("court/registry"), relations=reply_to(draft))
    stored = line.stored()
    assert (await refusal(bank.submit(aside))).reason == "REPLY_NOT_ADDRESSED_TO_SENDER"
    assert line.stored() == stored


async def test_what_was_refused_is_not_answered(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    await bank.refuse(draft.delivery())
    reply = await bank.draft(to("interior/registry"), relations=reply_to(draft))
    stored = line.stored()
    assert (await refusal(bank.submit(reply))).reason == "REPLY_TOO_LATE"
    assert line.stored() == stored


async def test_times_are_the_hubs(interior: Member, bank: Member, worker: Worker) -> None:
    draft = await arrived(interior, worker)
    answer = await bank.accept(draft.delivery())
    times = answer.delivery.envelope.times
    available, decided = times.available_at.ToDatetime(UTC), times.decided_at.ToDatetime(UTC)
    assert available <= decided <= now() + timedelta(seconds=1)
    assert write(await bank.receipt(draft.delivery()))
