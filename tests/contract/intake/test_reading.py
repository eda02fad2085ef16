"""What each may see: lists and pages, clearances, and that what is another's does not exist."""

import uuid
from typing import Any

import grpc.aio
import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.intake.v1 import letter_pb2 as letters
from dabir.intake.v1 import recipient_service_pb2 as recipient_pb
from dabir.intake.v1 import sender_service_pb2 as pb
from services.runtime.logs import REQUEST_ID
from tests.contract.intake.line import CALL_SECONDS
from tests.contract.intake.member import Draft, Member, refusal, to
from tests.contract.intake.people import People, Worker, consign

NOBODYS = "letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"


async def test_a_letter_as_its_sender_sees_it(interior: Member, worker: Worker) -> None:
    draft = await interior.draft()
    answer = await interior.submit(draft)
    found = await interior.sender.GetLetter(pb.GetLetterRequest(name=draft.name), timeout=CALL_SECONDS)
    assert found.letter == answer.letter
    assert found.manifest == draft.data
    assert list(found.signatures) == draft.signatures
    assert list(found.documents) == draft.documents
    assert found.submission_acceptance.jws == answer.submission_acceptance.jws


async def test_definitions_are_for_everybody(people: People) -> None:
    reader = await people.member("bank-reader")
    request = pb.GetDefinitionRequest(name="definitions/freeze-order/1")
    found = await reader.sender.GetDefinition(request, timeout=CALL_SECONDS)
    assert found.definition.acceptance.default_seconds == 1_800
    assert b"freeze-order" in found.file
    missing = pb.GetDefinitionRequest(name="definitions/freeze-order/99")
    refused = await refusal(reader.sender.GetDefinition(missing, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "DEFINITION_NOT_FOUND")


async def _pages(call: Any, request: Any, rows: str) -> list[list[Any]]:
    """Every page of a list."""
    pages = []
    while True:
        answer = await call(request, timeout=CALL_SECONDS)
        pages.append(list(getattr(answer, rows)))
        if not answer.next_page_token:
            return pages
        request.page_token = answer.next_page_token


async def test_letters_are_listed_page_by_page_newest_first(people: People) -> None:
    post = await people.member("post")
    sent = [(await post.send(office="patient")).name for _ in range(5)]
    request = pb.ListLettersRequest(office="bodies/post/offices/patient", page_size=2)
    pages = await _pages(post.sender.ListLetters, request, "letters")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [letter.name for page in pages for letter in page] == sent[::-1]
    closed = pb.ListLettersRequest(office=request.office, state=letters.LETTER_STATE_CLOSED)
    assert not (await post.sender.ListLetters(closed, timeout=CALL_SECONDS)).letters


async def test_sent_deliveries_are_listed_page_by_page_by_number(interior: Member) -> None:
    draft = await interior.send(to("bank/registry"), to("bank/branch"), to("court/registry"))
    request = pb.ListSentDeliveriesRequest(parent=draft.name, page_size=2)
    pages = await _pages(interior.sender.ListSentDeliveries, request, "deliveries")
    assert [[delivery.name for delivery in page] for page in pages] == [
        [draft.delivery(1), draft.delivery(2)],
        [draft.delivery(3)],
    ]


async def test_envelopes_are_listed_page_by_page_newest_first(people: People, interior: Member, worker: Worker) -> None:
    post, arrived = await people.member("post"), []
    for _ in range(3):
        draft = await interior.send(to("post/patient"))
        await consign(worker, draft)
        arrived.append(draft.delivery())
    await interior.send(to("post/patient"))
    request = recipient_pb.ListDeliveriesRequest(office="bodies/post/offices/patient", page_size=2)
    pages = await _pages(post.recipient.ListDeliveries, request, "deliveries")
    assert [len(page) for page in pages] == [2, 1]
    assert [envelope.delivery for page in pages for envelope in page] == arrived[::-1]
    await post.accept(arrived[0])
    request = recipient_pb.ListDeliveriesRequest(office=request.office, state=letters.DELIVERY_STATE_ACCEPTED)
    (accepted,) = (await post.recipient.ListDeliveries(request, timeout=CALL_SECONDS)).deliveries
    assert accepted.delivery == arrived[0]


async def test_a_page_token_is_bound_to_its_query_and_caller(people: People, interior: Member) -> None:
    post = await people.member("post")
    for _ in range(2):
        await post.send(office="branch")
    request = pb.ListLettersRequest(office="bodies/post/offices/branch", page_size=1)
    token = (await post.sender.ListLetters(request, timeout=CALL_SECONDS)).next_page_token
    for member, changed in (
        (post, pb.ListLettersRequest(page_token=token)),
        (interior, pb.ListLettersRequest(office=request.office, page_token=token)),
        (post, pb.ListLettersRequest(office=request.office, page_token=token[:-4])),
        (post, pb.ListLettersRequest(office=request.office, page_token=NOBODYS)),
    ):
        refused = await refusal(member.sender.ListLetters(changed, timeout=CALL_SECONDS))
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


async def bytes_of(call: Any) -> tuple[Any, ...]:
    """Everything that a refused caller is told, less the request id."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = [(key, value) for key, value in caught.value.trailing_metadata() or () if key != REQUEST_ID]
    return caught.value.code(), caught.value.details(), *metadata


def _calls(member: Member, letter: str) -> dict[str, Any]:
    """Every call of a member's that names a letter or delivery."""
    delivery = f"{letter}/deliveries/1"
    return {
        "GetLetter": member.sender.GetLetter(pb.GetLetterRequest(name=letter), timeout=CALL_SECONDS),
        "ListSentDeliveries": member.sender.ListSentDeliveries(
            pb.ListSentDeliveriesRequest(parent=letter), timeout=CALL_SECONDS
        ),
        "GetReceipt": member.sender.GetReceipt(pb.GetReceiptRequest(delivery=delivery), timeout=CALL_SECONDS),
        "GetDelivery": member.recipient.GetDelivery(
            recipient_pb.GetDeliveryRequest(name=delivery), timeout=CALL_SECONDS
        ),
        "AcceptDelivery": member.recipient.AcceptDelivery(
            recipient_pb.AcceptDeliveryRequest(name=delivery, receipt=b"{}", signature=b"x"), timeout=CALL_SECONDS
        ),
        "RefuseDelivery": member.recipient.RefuseDelivery(
            recipient_pb.RefuseDeliveryRequest(name=delivery, receipt=b"{}", signature=b"x"), timeout=CALL_SECONDS
        ),
        "ReturnDelivery": member.recipient.ReturnDelivery(
            recipient_pb.ReturnDeliveryRequest(name=delivery, receipt=b"{}", signature=b"x"), timeout=CALL_SECONDS
        ),
        "AnswerRecall": member.recipient.AnswerRecall(
            recipient_pb.AnswerRecallRequest(name=delivery, receipt=b"{}", signature=b"x"), timeout=CALL_SECONDS
        ),
        "MarkRead": member.recipient.MarkRead(
            recipient_pb.MarkReadRequest(name=delivery, request_id=str(uuid.uuid4()), position="x"),
            timeout=CALL_SECONDS,
        ),
        "RecallLetter": member.sender.RecallLetter(
            pb.RecallLetterRequest(letter=letter, recall=b"{}", signature=b"x"), timeout=CALL_SECONDS
        ),
    }


async def _same_as_nothing(member: Member, draft: Draft, calls: set[str]) -> None:
    """That a letter's name is answered exactly as one that never was, but for the name."""
    hidden, nothing = _calls(member, draft.name), _calls(member, NOBODYS)
    told = {method: str(await bytes_of(call)) for method, call in nothing.items()}
    found = {}
    for method, call in hidden.items():
        if method not in calls:
            call.cancel()
            continue
        found[method] = str(await bytes_of(call)).replace(draft.name, NOBODYS)
        assert "NOT_FOUND" in found[method]
    assert found == {method: told[method] for method in calls}


OF_SENDER = {"GetLetter", "ListSentDeliveries", "RecallLetter"}
OF_RECIPIENT = {"GetDelivery", "AcceptDelivery", "RefuseDelivery", "ReturnDelivery", "AnswerRecall", "MarkRead"}
EVERY = {"GetReceipt", *OF_SENDER, *OF_RECIPIENT}
NAMELESS = {"SubmitLetter", "ListLetters", "GetDefinition", "ListDeliveries"}
"""Calls that name no letter: what they give is tested by itself."""


def test_every_call_of_members_is_tried_with_anothers_letter() -> None:
    services = (pb.DESCRIPTOR.services_by_name, recipient_pb.DESCRIPTOR.services_by_name)
    methods = {method.name for found in services for service in found.values() for method in service.methods}
    assert methods == EVERY | NAMELESS


async def test_what_is_anothers_does_not_exist(interior: Member, court: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send()
    await consign(worker, draft)
    await _same_as_nothing(court, draft, EVERY)
    # The recipient is not the sender, nor the sender the recipient.
    await _same_as_nothing(bank, draft, OF_SENDER)
    await _same_as_nothing(interior, draft, OF_RECIPIENT)


async def test_what_is_not_in_the_mailbox_does_not_exist_for_its_recipient(interior: Member, bank: Member) -> None:
    draft = await interior.send()
    await _same_as_nothing(bank, draft, EVERY)


async def test_what_is_classified_does_not_exist_without_the_clearance(
    people: People, interior: Member, bank: Member, worker: Worker
) -> None:
    sender, cleared = await people.member("interior-cleared"), await people.member("bank-cleared")
    half = await people.member("bank-half-cleared")
    for classification, hidden_from in (
        (manifests.CLASSIFICATION_CONFIDENTIAL, [bank]),
        (manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL, [bank, half]),
    ):
        draft = await sender.send(classification=classification)
        await consign(worker, draft)
        stated = people.line.sql("SELECT classification FROM ledger.statement WHERE txn = %s", draft.name)
        assert stated == [(classification,)] * 2
        await _same_as_nothing(interior, draft, {*OF_SENDER, "GetReceipt"})
        listed = await interior.sender.ListLetters(pb.ListLettersRequest(page_size=200), timeout=CALL_SECONDS)
        assert draft.name not in {letter.name for letter in listed.letters}
        for member in hidden_from:
            await _same_as_nothing(member, draft, {*OF_RECIPIENT, "GetReceipt"})
            request = recipient_pb.ListDeliveriesRequest(page_size=200)
            mailbox = await member.recipient.ListDeliveries(request, timeout=CALL_SECONDS)
            assert draft.name not in {envelope.letter for envelope in mailbox.deliveries}
        relation = manifests.Relation(kind=manifests.RELATION_KIND_CITES, letter=draft.name)
        citing = await interior.draft(relations=[relation])
        assert (await refusal(interior.submit(citing))).reason == "RELATED_LETTER_NOT_FOUND"
        assert (await cleared.envelope(draft.delivery())).classification == classification
    assert (await half.recipient.ListDeliveries(request, timeout=CALL_SECONDS)).deliveries


@pytest.mark.parametrize("name", ["letters/x", "letters/", NOBODYS.upper(), f"{NOBODYS}/deliveries/0", "x' OR '1'='1"])
async def test_what_is_no_name_is_said(name: str, interior: Member) -> None:
    refused = await refusal(interior.sender.GetLetter(pb.GetLetterRequest(name=name), timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "BAD_NAME")
