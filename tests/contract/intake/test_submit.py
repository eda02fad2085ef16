"""SubmitLetter: numbers, statements, the same answer to the same request, definitions."""

import hashlib
from datetime import UTC, timedelta

import psycopg
import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats.statement import Event, digest
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2
from dabir.intake.v1 import sender_service_pb2 as sender_pb
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Member, now, refusal, stamp, to
from tests.contract.intake.people import People, Worker, consign


async def test_a_letter_takes_the_next_number_and_is_stated(line: Line, interior: Member) -> None:
    first = await interior.submit(await interior.draft(office="branch"))
    draft = await interior.draft(
        to("bank/registry", acceptance_needed=True, answer_needed=True, documents=[1]),
        to("court/registry", kind=manifests.RECIPIENT_KIND_COPY),
        office="branch",
        texts=(b"one\n", b"two\n"),
    )
    answer = await interior.submit(draft)

    number = answer.letter.registry_number
    assert number.sequence == first.letter.registry_number.sequence + 1
    assert number.text == f"1405/{number.sequence}"
    ((jws, payload),) = line.statements(draft.name)
    assert jws == answer.submission_acceptance.jws
    stated = payload.events[Event.SUBMISSION_ACCEPTANCE]
    assert (stated.number.book, stated.number.sequence) == (number.book, number.sequence)
    assert stated.links[1].previous == digest(first.submission_acceptance.jws)
    assert stated.registered_at == answer.letter.registered_at
    assert stated.manifest_sha256 == hashlib.sha256(draft.data).digest()
    assert [one.name for one in stated.documents] == draft.documents
    assert [(one.office, list(one.documents)) for one in stated.recipients] == [
        ("bodies/bank/offices/registry", [1]),
        ("bodies/court/offices/registry", [1, 2]),
    ]
    assert stated.signatures[0].file_sha256 == hashlib.sha256(draft.signatures[0]).digest()
    assert stated.acceptance_due.seconds == payload.iat + 259_200
    assert stated.answer_due.seconds == payload.iat + 864_000
    material = {bytes(row[0]) for row in line.sql("SELECT sha256 FROM intake.trust_material")}
    assert {*stated.signatures[0].certificates_sha256, *stated.signatures[0].crls_sha256} <= material


async def test_the_same_request_gets_the_same_answer(interior: Member, line: Line) -> None:
    draft = await interior.draft()
    first = await interior.submit(draft)
    stored = line.stored()
    second = await interior.submit(draft)
    second.submission_acceptance.position = first.submission_acceptance.position
    assert second == first
    assert line.stored() == stored


async def test_the_same_request_gets_the_same_answer_days_later(interior: Member, line: Line) -> None:
    draft = await interior.draft()
    first = await interior.submit(draft)
    with line.clock_ahead("2 days"):
        assert (await interior.submit(draft)).submission_acceptance.jws == first.submission_acceptance.jws
        late = await interior.draft()
        assert (await refusal(interior.submit(late))).reason == "WRITTEN_AT_OUT_OF_RANGE"


@pytest.mark.parametrize("change", ["manifest", "signatures", "documents"])
async def test_a_letter_id_stands_for_one_request(change: str, interior: Member, line: Line) -> None:
    draft = await interior.send()
    stored = line.stored()
    if change == "manifest":
        draft.manifest.subject = "دیگر"
        draft.signed()
    elif change == "signatures":
        draft.signed()
    else:
        draft.documents = [await interior.upload()]
    refused = await refusal(interior.submit(draft))
    assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "LETTER_ID_REUSED")
    assert "draw a new letterUuid" in refused.message
    assert line.stored() == stored


async def test_a_letter_id_of_anothers_is_reused_too(interior: Member, bank: Member, line: Line) -> None:
    taken = await interior.send()
    stored = line.stored()
    draft = await bank.draft(to("court/registry"), letter_uuid=taken.manifest.letter_uuid)
    assert (await refusal(bank.submit(draft))).reason == "LETTER_ID_REUSED"
    assert line.stored() == stored


async def test_a_classified_letter_is_numbered_in_its_own_book(people: People) -> None:
    cleared = await people.member("interior-cleared")
    answer = await cleared.submit(await cleared.draft(classification=manifests.CLASSIFICATION_CONFIDENTIAL))
    assert answer.letter.registry_number.book == "books/interior/registry/out-confidential/1405"


async def test_a_body_may_count_gregorian_years(people: People) -> None:
    post = await people.member("post")
    answer = await post.submit(await post.draft())
    assert answer.letter.registry_number.book == "books/post/registry/out/2026"
    assert answer.letter.registry_number.text == f"2026/12/{answer.letter.registry_number.sequence}"


async def test_a_type_of_letter_is_added_with_a_file_only(interior: Member, bank: Member, line: Line) -> None:
    definition, both = "definitions/test-cosigned/1", ("وزیر", "معاون")
    draft = await interior.draft(to("bank/registry", answer_needed=True), definition=definition, signers=both)
    answer = await interior.submit(draft)
    due, registered_at = answer.letter.answer_due.seconds, answer.letter.registered_at.seconds
    assert due - registered_at == 1_200
    assert len(line.statements(draft.name)[0][1].events[Event.SUBMISSION_ACCEPTANCE].signatures) == 2

    stored = line.stored()
    alone = await refusal(interior.submit(await interior.draft(definition=definition)))
    assert (alone.reason, alone.metadata["position"]) == ("SIGNER_MISSING", "معاون")
    banks = await bank.draft(to("court/registry"), definition=definition, signers=both)
    assert (await refusal(bank.submit(banks))).reason == "SENDER_NOT_PERMITTED"
    assert line.stored() == stored


async def test_the_joiners_that_persian_needs_are_kept(interior: Member) -> None:
    answer = await interior.submit(await interior.draft(subject="نامه‌ای به بانک‍ها"))
    assert answer.letter.subject == "نامه‌ای به بانک‍ها"


async def test_a_due_of_the_manifests_is_kept(interior: Member) -> None:
    due = stamp(now() + timedelta(days=2))
    draft = await interior.draft(to("bank/registry", answer_needed=True), answer_due=due)
    assert (await interior.submit(draft)).letter.answer_due == due


async def test_a_circular_goes_to_five_hundred_and_is_recalled(
    people: People, interior: Member, line: Line, worker: Worker
) -> None:
    offices = [f"bodies/post/offices/branch-{number}" for number in range(1, 501)]
    async with line.operator() as operator:
        for name in offices:
            office = directory.Office(name=name, display_name_fa=name, display_name_en=name)
            await operator.CreateOffice(directory.CreateOfficeRequest(office=office), timeout=CALL_SECONDS)
    recipients = [to(f"post/branch-{number}", acceptance_needed=True) for number in range(1, 501)]
    draft = await interior.send(*recipients, definition="definitions/circular/1")
    for first in range(1, 501, 50):
        plans = await consign(worker, draft, *range(first, first + 50))
        assert {plan.state for plan in plans} == {letter_pb2.DELIVERY_STATE_AVAILABLE}
    ((_, payload),) = line.statements(draft.name)
    assert [one.office for one in payload.events[Event.SUBMISSION_ACCEPTANCE].recipients] == offices
    rows = line.sql("SELECT number, sequence FROM intake.delivery WHERE letter = %s ORDER BY number", draft.name)
    assert rows == [(number, 1) for number in range(1, 501)]

    await (await people.member("post")).accept(draft.delivery(250))
    await interior.recall(draft)
    asked = internal_pb.GetLetterPlanRequest(letter=draft.name)
    plan = (await worker.GetLetterPlan(asked, timeout=CALL_SECONDS)).plan
    assert [one.delivery for one in plan.deliveries if not one.recall_pending] == [draft.delivery(250)]
    for first in range(1, 501, 50):
        names = [draft.delivery(number) for number in range(first, first + 50)]
        apply = internal_pb.ApplyRecallRequest(letter=draft.name, deliveries=names)
        applied = (await worker.ApplyRecall(apply, timeout=CALL_SECONDS)).deliveries
        assert [one.delivery for one in applied if one.state != letter_pb2.DELIVERY_STATE_WITHDRAWN] == [
            name for name in names if name == draft.delivery(250)
        ]
    listed = await interior.sender.ListSentDeliveries(
        sender_pb.ListSentDeliveriesRequest(parent=draft.name), timeout=CALL_SECONDS
    )
    assert len({one.recall.sha256 for one in listed.deliveries}) == 1


async def test_a_relation_to_an_own_letter_or_to_paper_is_taken(interior: Member) -> None:
    before = await interior.send()
    await interior.send(
        relations=[
            manifests.Relation(kind=manifests.RELATION_KIND_FOLLOW_UP, letter=before.name),
            manifests.Relation(kind=manifests.RELATION_KIND_CITES, body="شهرداری", number="۱۲/ص", date="2026-01-01"),
        ]
    )


async def test_when_directory_is_down_no_signature_is_taken(interior: Member, line: Line) -> None:
    draft = await interior.draft()
    stored = line.stored()
    line.stop("directory")
    try:
        refused = await refusal(interior.submit(draft))
    finally:
        await line.start("directory")
    assert refused.code == "UNAVAILABLE"
    assert line.stored() == stored
    await interior.submit(draft)


async def test_a_letter_is_found_by_its_number_once(line: Line, interior: Member) -> None:
    answer = await interior.submit(await interior.draft())
    number = answer.letter.registry_number
    with pytest.raises(psycopg.errors.UniqueViolation):
        line.sql(
            "UPDATE intake.letter SET sequence = sequence + 1 WHERE book = %s AND sequence = %s",
            number.book,
            number.sequence - 1,
        )
    assert answer.letter.state == letter_pb2.LETTER_STATE_OPEN
    assert answer.letter.registered_at.ToDatetime(UTC) <= now()
