"""After acceptance: a person reads, the recipient sends back."""

import hashlib
import uuid
from datetime import UTC, timedelta
from typing import Any

import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1 import receipt_pb2 as receipts
from dabir.formats.cades import sign_detached
from dabir.formats.signer import certificate_sha256, load_certificates
from dabir.formats.statement import Event
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as pb
from dabir.intake.v1 import sender_service_pb2 as sender_pb
from tests.contract.intake.line import CALL_SECONDS, CLEARED, Line
from tests.contract.intake.member import Draft, Member, now, refusal, reply_to, to
from tests.contract.intake.people import People, Worker, consign

ACCEPTED, RETURNED = letters.DELIVERY_STATE_ACCEPTED, letters.DELIVERY_STATE_RETURNED


async def taken_in(
    interior: Member, bank: Member, worker: Worker, *recipients: manifests.Recipient, **changes: Any
) -> Draft:
    """A letter of interior's that the bank's first recipient accepted."""
    draft = await interior.send(*recipients, **changes)
    await consign(worker, draft)
    await bank.accept(draft.delivery())
    return draft


async def sent(interior: Member, draft: Draft) -> letters.SentDelivery:
    request = sender_pb.ListSentDeliveriesRequest(parent=draft.name)
    return (await interior.sender.ListSentDeliveries(request, timeout=CALL_SECONDS)).deliveries[0]


# Returns.


async def test_a_return_is_stated_and_ends_the_delivery(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker, texts=(b"one\n", b"two\n"))
    downloaded = [receipts.ReceiptDocument(index=2, sha256=hashlib.sha256(b"two\n").digest())]
    request = await bank.returning(draft.delivery(), documents=downloaded)
    answer = await bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS)

    envelope = answer.delivery.envelope
    assert envelope.state == RETURNED
    assert envelope.reason == receipts.RETURN_REASON_UNREADABLE
    assert envelope.times.decided_at.ToDatetime() < envelope.times.returned_at.ToDatetime()
    assert answer.delivery.content.manifest == draft.data
    *_, (jws, payload) = line.statements(draft.delivery())
    assert jws == answer.statement.jws
    stated = payload.events[Event.RETURNED]
    assert stated.reason == "RETURN_REASON_UNREADABLE"
    assert stated.receipt_sha256 == hashlib.sha256(request.receipt).digest()
    assert [one.body for one in stated.parties] == ["bodies/bank"]

    seen = await sent(interior, draft)
    assert (seen.state, seen.reason) == (RETURNED, receipts.RETURN_REASON_UNREADABLE)
    assert seen.times.returned_at == envelope.times.returned_at
    asked = sender_pb.GetReceiptRequest(delivery=draft.delivery())
    accepted, returned = (await interior.sender.GetReceipt(asked, timeout=CALL_SECONDS)).receipts
    assert (returned.receipt, returned.signature) == (request.receipt, request.signature)
    assert returned.statement.jws == jws
    assert accepted.statement.jws == answer.delivery.content.consignment_acceptance.jws
    closed = await worker.CloseLetter(internal_pb.CloseLetterRequest(letter=draft.name), timeout=CALL_SECONDS)
    assert closed.state == letters.LETTER_STATE_CLOSED


async def test_the_same_return_gets_the_same_answer_also_when_the_window_is_over(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    request = await bank.returning(draft.delivery())
    first = await bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS)
    stored = line.stored()
    # By its digest: what it was signed with matters no more, nor the clock.
    request.signature = b"\x30\x00"
    with line.clock_ahead("11 days"):
        second = await bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS)
    assert second == first
    other = await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)
    assert other == first
    assert line.stored() == stored


async def test_a_return_after_an_answer_gets_the_answer(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker, to("bank/registry", answer_needed=True))
    await bank.send(to("interior/registry"), relations=reply_to(draft))
    *_, (answered, _) = line.statements(draft.delivery())
    request, stored = await bank.returning(draft.delivery()), line.stored()
    answer = await bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS)
    assert answer.delivery.envelope.state == letters.DELIVERY_STATE_ANSWERED
    assert answer.statement.jws == answered
    assert line.stored() == stored


async def test_what_was_refused_is_not_returned_and_what_was_returned_not_answered(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    refused = await bank.refuse(draft.delivery())
    request, stored = await bank.returning(draft.delivery()), line.stored()
    answer = await bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS)
    assert answer.statement.jws == refused.statement.jws
    assert line.stored() == stored

    other = await taken_in(interior, bank, worker)
    await bank.recipient.ReturnDelivery(await bank.returning(other.delivery()), timeout=CALL_SECONDS)
    reply = await bank.draft(to("interior/registry"), relations=reply_to(other))
    stored = line.stored()
    assert (await refusal(bank.submit(reply))).reason == "REPLY_TOO_LATE"
    assert line.stored() == stored


async def test_the_window_is_the_definitions(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await taken_in(interior, bank, worker)
    times = (await bank.envelope(draft.delivery())).times
    assert times.return_until.ToDatetime(UTC) - times.decided_at.ToDatetime(UTC) == timedelta(days=10)
    request, stored = await bank.returning(draft.delivery()), line.stored()
    with line.clock_ahead("10 days 1 minute"):
        over = await refusal(bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS))
    assert (over.code, over.reason) == ("FAILED_PRECONDITION", "RETURN_WINDOW_OVER")
    assert line.stored() == stored
    assert (await bank.envelope(draft.delivery())).state == ACCEPTED


async def test_before_acceptance_nothing_is_returned_or_read(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    request, stored = await bank.returning(draft.delivery()), line.stored()
    for call in (
        bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS),
        bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS),
    ):
        early = await refusal(call)
        assert (early.code, early.reason) == ("FAILED_PRECONDITION", "NOT_ACCEPTED")
    assert line.stored() == stored
    await bank.refuse(draft.delivery())
    stored = line.stored()
    refused = await refusal(bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS))
    assert refused.reason == "NOT_ACCEPTED"
    assert line.stored() == stored


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hub": "log.other.example/1"}, "WRONG_HUB"),
        ({"manifest_sha256": b"\1" * 32}, "RECEIPT_MISMATCH"),
        ({"documents": [receipts.ReceiptDocument(index=1, sha256=b"\1" * 32)]}, "RETURNED_DOCUMENT_WRONG"),
        ({"documents": [receipts.ReceiptDocument(index=2, sha256=b"\1" * 32)]}, "RETURNED_DOCUMENT_WRONG"),
        ({"reason": receipts.RETURN_REASON_NOT_COMPETENT}, "RETURN_REASON_NOT_PERMITTED"),
        ({"reason": receipts.RETURN_REASON_UNSPECIFIED}, "MISSING_FIELD"),
        ({"recall_sha256": b"\1" * 32}, "FIELD_NOT_ALLOWED"),
        ({"verdict": receipts.VERDICT_REFUSED, "reason": receipts.RETURN_REASON_DUPLICATE}, "VERDICT_WRONG"),
    ],
)
async def test_a_return_that_does_not_do(
    changes: Any, reason: str, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker, definition="definitions/circular/1")
    request, stored = await bank.returning(draft.delivery(), **changes), line.stored()
    refused = await refusal(bank.recipient.ReturnDelivery(request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert line.stored() == stored
    assert (await bank.envelope(draft.delivery())).state == ACCEPTED


async def test_only_the_recipients_seal_returns(
    line: Line, people: People, interior: Member, bank: Member, court: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    request, stored = await bank.returning(draft.delivery()), line.stored()
    for reason, signer in {
        "CERTIFICATE_PURPOSE_WRONG": bank.signer(),
        "CERTIFICATE_OF_ANOTHER_BODY": interior.seal(),
    }.items():
        wrong = pb.ReturnDeliveryRequest(
            name=request.name, receipt=request.receipt, signature=sign_detached(request.receipt, signer, now())
        )
        assert (await refusal(bank.recipient.ReturnDelivery(wrong, timeout=CALL_SECONDS))).reason == reason
    for somebody in (interior, court):
        foreign = await refusal(somebody.recipient.ReturnDelivery(request, timeout=CALL_SECONDS))
        assert (foreign.code, foreign.reason) == ("NOT_FOUND", "DELIVERY_NOT_FOUND")
    reader = await people.member("bank-reader")
    assert (await refusal(reader.recipient.ReturnDelivery(request, timeout=CALL_SECONDS))).reason == "ROLE_MISSING"
    assert (await refusal(bank.recipient.ReturnDelivery(request))).reason == "DEADLINE_REQUIRED"
    assert line.stored() == stored


async def test_a_return_past_the_due_of_its_answer_is_stated_as_late(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(
        *(interior, bank, worker, to("bank/registry", answer_needed=True)), definition="definitions/freeze-order/1"
    )
    with line.clock_ahead("3 hours"):
        answer = await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)
    assert answer.delivery.envelope.times.late_answer
    *_, (_, late), (_, returned) = line.statements(draft.delivery())
    assert set(late.events) == {Event.ANSWER_OVERDUE}
    assert set(returned.events) == {Event.RETURNED}


# Readings.


def reading(name: str, position: str = "مدیر عامل", request_id: str = "") -> pb.MarkReadRequest:
    return pb.MarkReadRequest(name=name, position=position, request_id=request_id or str(uuid.uuid4()))


async def test_each_reading_is_stated_and_the_first_one_shown(
    line: Line, people: People, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    assert not (await bank.envelope(draft.delivery())).HasField("first_reading")
    reader = await people.member("bank-reader")
    first = await bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS)
    second = await reader.recipient.MarkRead(reading(draft.delivery(), "کارشناس"), timeout=CALL_SECONDS)
    *_, (jws, payload), (other, later) = line.statements(draft.delivery())
    assert (jws, other) == (first.statement.jws, second.statement.jws)
    stated = payload.events[Event.CONTENT_ACCESS_TRACKING]
    assert (stated.operator, later.events[Event.CONTENT_ACCESS_TRACKING].operator) == ("مدیر عامل", "کارشناس")
    (certificate,) = load_certificates(line.tls("bank").certificate)[:1]
    assert [(one.body, one.certificate_sha256) for one in stated.parties] == [
        ("bodies/bank", certificate_sha256(certificate))
    ]
    shown = (await bank.envelope(draft.delivery())).first_reading
    assert (shown.position, shown.read_at.seconds) == ("مدیر عامل", payload.iat)
    assert (await sent(interior, draft)).first_reading == shown


async def test_readings_have_an_end_and_nothing_else_has(
    line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    for _ in range(198):
        await bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS)
    stored = line.stored()
    refused = await refusal(bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "TOO_MANY_READINGS")
    assert line.stored() == stored
    await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)


async def test_the_same_reading_is_stated_once(line: Line, interior: Member, bank: Member, worker: Worker) -> None:
    draft = await taken_in(interior, bank, worker)
    other = await taken_in(interior, bank, worker)
    request = reading(draft.delivery())
    first = await bank.recipient.MarkRead(request, timeout=CALL_SECONDS)
    stored = line.stored()
    assert (await bank.recipient.MarkRead(request, timeout=CALL_SECONDS)).statement.jws == first.statement.jws
    for changed in (
        reading(draft.delivery(), "دیگری", request.request_id),
        reading(other.delivery(), request_id=request.request_id),
    ):
        reused = await refusal(bank.recipient.MarkRead(changed, timeout=CALL_SECONDS))
        assert (reused.code, reused.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert line.stored() == stored


async def test_what_ended_may_still_be_read(interior: Member, bank: Member, worker: Worker) -> None:
    draft = await taken_in(interior, bank, worker)
    await bank.recipient.ReturnDelivery(await bank.returning(draft.delivery()), timeout=CALL_SECONDS)
    await bank.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS)
    assert (await bank.envelope(draft.delivery())).first_reading.position == "مدیر عامل"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"position": "x\u202e"}, "BIDI_CHARACTER"),
        ({"position": "x\n"}, "CONTROL_CHARACTER"),
        ({"position": ""}, "REQUEST_INVALID"),
        ({"position": "x" * 201}, "REQUEST_INVALID"),
        ({"request_id": "1"}, "REQUEST_INVALID"),
        ({"name": "letters/1/deliveries/1"}, "BAD_NAME"),
    ],
)
async def test_a_reading_that_does_not_do(
    changes: dict[str, str], reason: str, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    request = reading(draft.delivery())
    for field, value in changes.items():
        setattr(request, field, value)
    stored = line.stored()
    refused = await refusal(bank.recipient.MarkRead(request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert line.stored() == stored


async def test_anothers_delivery_is_not_read(
    line: Line, people: People, interior: Member, bank: Member, court: Member, worker: Worker
) -> None:
    draft = await taken_in(interior, bank, worker)
    stored = line.stored()
    for somebody in (interior, court):
        foreign = await refusal(somebody.recipient.MarkRead(reading(draft.delivery()), timeout=CALL_SECONDS))
        assert (foreign.code, foreign.reason) == ("NOT_FOUND", "DELIVERY_NOT_FOUND")
    assert line.stored() == stored
    secret = await (await people.member("interior-cleared")).send(classification=manifests.CLASSIFICATION_CONFIDENTIAL)
    await consign(worker, secret)
    assert "clearance_highly_confidential" in CLEARED
    await (await people.member("bank-cleared")).accept(secret.delivery())
    stored = line.stored()
    uncleared = await refusal(bank.recipient.MarkRead(reading(secret.delivery()), timeout=CALL_SECONDS))
    assert uncleared.reason == "DELIVERY_NOT_FOUND"
    assert line.stored() == stored
