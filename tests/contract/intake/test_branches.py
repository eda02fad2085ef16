"""Branches that a letter is written into: copies, relations, capacities, clearances, signers, types, late answers."""

from typing import Any

import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1 import receipt_pb2 as receipts
from dabir.documents.v1 import documents_pb2 as documents
from dabir.formats.cades import sign_detached
from dabir.formats.manifest import parse_manifest
from dabir.formats.statement import Event
from dabir.formats.strict_json import write
from dabir.intake.v1 import internal_service_pb2 as internal_pb
from dabir.intake.v1 import letter_pb2 as letters
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, now, refusal, reply_to, to
from tests.contract.intake.people import People, Worker, consign

COPY = manifests.RECIPIENT_KIND_COPY
BOTH = ("وزیر", "معاون")
KINDS = {
    "FOLLOW_UP": manifests.RELATION_KIND_FOLLOW_UP,
    "CORRECTS": manifests.RELATION_KIND_CORRECTS,
    "REPLACES": manifests.RELATION_KIND_REPLACES,
    "REVOKES": manifests.RELATION_KIND_REVOKES,
    "CITES": manifests.RELATION_KIND_CITES,
}
NOBODYS = "letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"


async def refused(member: Member, line: Line, draft: Draft) -> str:
    """Why a letter is not registered, with nothing stored; whatever its form, it is signed as it stands."""
    stored = line.stored()
    reason = (await refusal(member.submit(draft.signed(write(draft.manifest))))).reason
    assert line.stored() == stored
    return reason


async def close(worker: Worker, draft: Draft) -> letters.LetterState.ValueType:
    request = internal_pb.CloseLetterRequest(letter=draft.name)
    return (await worker.CloseLetter(request, timeout=CALL_SECONDS)).state


# Copies.


async def download(member: Member, document: str, delivery: letters.Delivery) -> bytes:
    """A document, by the acceptance of its letter."""
    request = documents.DownloadDocumentRequest(
        name=document, consignment_acceptance=delivery.content.consignment_acceptance.jws
    )
    return b"".join([part.data async for part in member.documents.DownloadDocument(request, timeout=CALL_SECONDS)])


async def test_a_copy_has_its_own_note_and_documents(
    line: Line, interior: Member, bank: Member, court: Member, worker: Worker
) -> None:
    draft = await interior.send(
        to("bank/registry", note="گزارش شش‌ماهه", answer_needed=True),
        to("bank/branch", kind=COPY, note="جهت نظارت"),
        to("court/registry", kind=COPY, note="جهت اطلاع،\nبی‌پیوست", documents=[1]),
        texts=(b"letter\n", b"annex\n"),
    )
    await consign(worker, draft)
    for member, number, indexes in ((bank, 1, [1, 2]), (bank, 2, [1, 2]), (court, 3, [1])):
        envelope = await member.envelope(draft.delivery(number))
        assert (envelope.recipient.note, list(envelope.recipient.documents)) == ("", [] if number < 3 else [1])
        content = (await member.accept(draft.delivery(number))).delivery.content
        assert [one.index for one in content.documents] == indexes
        (_, payload) = line.statements(draft.delivery(number))[-1]
        (granted,) = payload.events[Event.CONSIGNMENT_ACCEPTANCE].recipients
        assert list(granted.documents) == indexes
        # What was signed holds every note: nothing is cut out of it.
        notes = [one.note for one in parse_manifest(content.manifest).recipients]
        assert notes == ["گزارش شش‌ماهه", "جهت نظارت", "جهت اطلاع،\nبی‌پیوست"]
    delivery = await court.get(draft.delivery(3))
    assert await download(court, draft.documents[0], delivery) == b"letter\n"
    withheld = await refusal(download(court, draft.documents[1], delivery))
    assert withheld.code in ("NOT_FOUND", "PERMISSION_DENIED")
    # Copies never keep a letter open, and one may answer all the same.
    await court.send(to("interior/registry"), relations=reply_to(draft))
    assert (await court.envelope(draft.delivery(3))).state == letters.DELIVERY_STATE_ANSWERED
    assert await close(worker, draft) == letters.LETTER_STATE_OPEN
    await bank.send(to("interior/registry"), relations=reply_to(draft))
    assert await close(worker, draft) == letters.LETTER_STATE_CLOSED


@pytest.mark.parametrize(
    ("recipients", "reason"),
    [
        ([to("bank/registry", kind=COPY)], "NO_TO_RECIPIENT"),
        ([to("bank/registry"), to("bank/registry", kind=COPY)], "DUPLICATE_RECIPIENT"),
        ([to("bank/registry"), to("court/registry", kind=COPY, documents=[2])], "MAIN_NOT_GRANTED"),
        ([to("bank/registry"), to("court/registry", kind=COPY, documents=[1, 3])], "NO_SUCH_DOCUMENT"),
        ([to("bank/registry"), to("court/registry", kind=COPY, note="x" * 2_001)], "TOO_LONG"),
    ],
)
async def test_copies_that_do_not_do(
    recipients: list[manifests.Recipient], reason: str, line: Line, interior: Member
) -> None:
    draft = await interior.draft(texts=(b"letter\n", b"annex\n"))
    del draft.manifest.recipients[:]
    draft.manifest.recipients.extend(recipients)
    assert await refused(interior, line, draft) == reason


# Relations.


@pytest.mark.parametrize("kind", KINDS)
async def test_a_relation_changes_nothing_of_what_it_names(
    kind: str, line: Line, interior: Member, bank: Member, worker: Worker
) -> None:
    before = await interior.send(to("bank/registry", answer_needed=True))
    await consign(worker, before)
    await bank.accept(before.delivery())
    stated = line.statements(before.delivery())
    outside = manifests.Relation(kind=KINDS[kind], body="شهرداری نپیوسته", number="۱۲/ص/۳", date="2026-01-01")
    relations = [manifests.Relation(kind=KINDS[kind], letter=before.name), outside]
    for sender, recipient in ((interior, "bank/registry"), (bank, "interior/registry")):
        draft = await sender.send(to(recipient), relations=relations)
        await consign(worker, draft)
        reader = bank if sender is interior else interior
        content = (await reader.accept(draft.delivery())).delivery.content
        assert list(parse_manifest(content.manifest).relations) == relations
    assert line.statements(before.delivery()) == stated
    assert (await bank.envelope(before.delivery())).state == letters.DELIVERY_STATE_ACCEPTED


@pytest.mark.parametrize(
    ("relation", "reason"),
    [
        ({"letter": NOBODYS}, "RELATED_LETTER_NOT_FOUND"),
        ({"letter": NOBODYS, "body": "b", "number": "1", "date": "2026-01-01"}, "FIELD_NOT_ALLOWED"),
        ({"body": "b", "number": "1"}, "MISSING_FIELD"),
        ({"body": "b", "number": "1", "date": "2026-02-30"}, "BAD_DATE"),
        ({"body": "b", "number": "x" * 65, "date": "2026-01-01"}, "TOO_LONG"),
        ({}, "MISSING_FIELD"),
    ],
)
@pytest.mark.parametrize("kind", ["CORRECTS", "CITES"])
async def test_relations_that_do_not_do(
    kind: str, relation: dict[str, str], reason: str, line: Line, interior: Member
) -> None:
    draft = await interior.draft()
    draft.manifest.relations.add(kind=KINDS[kind], **relation)
    assert await refused(interior, line, draft) == reason


@pytest.mark.parametrize("kind", KINDS)
async def test_no_relation_reaches_a_letter_of_others(
    kind: str, line: Line, interior: Member, court: Member, worker: Worker
) -> None:
    """Not theirs, and not one that was withdrawn before it came into their mailbox."""
    foreign = await interior.send()
    await consign(worker, foreign)
    recalled = await interior.send(to("court/registry"))
    await interior.recall(recalled)
    apply = internal_pb.ApplyRecallRequest(letter=recalled.name, deliveries=[recalled.delivery()])
    await worker.ApplyRecall(apply, timeout=CALL_SECONDS)
    for letter in (foreign, recalled):
        draft = await court.draft(to("interior/registry"))
        draft.manifest.relations.add(kind=KINDS[kind], letter=letter.name)
        assert await refused(court, line, draft) == "RELATED_LETTER_NOT_FOUND"


async def test_an_order_to_unfreeze_overtakes_the_order_to_freeze(
    people: People, line: Line, bank: Member, court: Member, worker: Worker
) -> None:
    """The hub refuses and holds nothing: whoever gets it sees by the relation that the first order is still to come."""
    cleared = await people.member("bank-cleared")
    classified: dict[str, Any] = {
        "priority": manifests.PRIORITY_IMMEDIATE,
        "classification": manifests.CLASSIFICATION_CONFIDENTIAL,
    }
    recipient = to("bank/registry", acceptance_needed=True, answer_needed=True)
    freeze = await court.send(recipient, definition="definitions/freeze-order/1", **classified)
    revokes = [manifests.Relation(kind=manifests.RELATION_KIND_REVOKES, letter=freeze.name)]
    unfreeze = await court.draft(recipient, definition="definitions/unfreeze-order/1", relations=revokes, **classified)
    letter = (await court.submit(unfreeze)).letter
    assert letter.answer_due.seconds - letter.registered_at.seconds == 7_200
    await consign(worker, unfreeze)
    content = (await cleared.accept(unfreeze.delivery())).delivery.content
    assert parse_manifest(content.manifest).relations[0].letter == freeze.name
    assert (await refusal(cleared.get(freeze.delivery()))).reason == "DELIVERY_NOT_FOUND"
    await consign(worker, freeze)
    assert (await cleared.accept(freeze.delivery())).delivery.envelope.state == letters.DELIVERY_STATE_ACCEPTED
    first, second = [await cleared.envelope(one.delivery()) for one in (unfreeze, freeze)]
    assert first.in_number.sequence < second.in_number.sequence
    assert first.registered_at.ToDatetime() > second.registered_at.ToDatetime()


# Capacities.


@pytest.mark.parametrize(
    ("capacity", "fields"),
    [
        (manifests.CAPACITY_SELF, {}),
        (manifests.CAPACITY_ON_BEHALF, {"on_behalf_of": "وزیر کشور", "decree": "ح/۱۲"}),
        (manifests.CAPACITY_DEPUTY, {"on_behalf_of": "وزیر کشور"}),
        (manifests.CAPACITY_ACTING, {"decree": "ح/۱۳"}),
    ],
)
async def test_a_position_signs_in_a_capacity(
    capacity: manifests.Capacity.ValueType, fields: dict[str, Any], interior: Member, bank: Member, worker: Worker
) -> None:
    draft = await interior.draft(signers=["معاون"])
    draft.manifest.signers[0].MergeFrom(manifests.Signer(capacity=capacity, **fields))
    await interior.submit(draft.signed())
    await consign(worker, draft)
    content = (await bank.accept(draft.delivery())).delivery.content
    assert parse_manifest(content.manifest).signers[0] == draft.manifest.signers[0]


@pytest.mark.parametrize(
    ("capacity", "fields", "reason"),
    [
        (manifests.CAPACITY_ON_BEHALF, {}, "MISSING_FIELD"),
        (manifests.CAPACITY_SELF, {"on_behalf_of": "وزیر کشور"}, "FIELD_NOT_ALLOWED"),
        (manifests.CAPACITY_DEPUTY, {"on_behalf_of": "x" * 201}, "TOO_LONG"),
        # Whoever signs on behalf of a position signs as its own.
        (manifests.CAPACITY_ON_BEHALF, {"on_behalf_of": "معاون", "position": "وزیر"}, "CERTIFICATE_POSITION_WRONG"),
    ],
)
async def test_capacities_that_do_not_do(
    capacity: manifests.Capacity.ValueType, fields: dict[str, Any], reason: str, line: Line, interior: Member
) -> None:
    draft = await interior.draft(signers=["معاون"])
    draft.manifest.signers[0].MergeFrom(manifests.Signer(capacity=capacity, **fields))
    assert await refused(interior, line, draft) == reason


# Signers and clearances.


async def test_two_sign_where_the_definition_says_so(
    people: People, line: Line, court: Member, bank: Member, worker: Worker
) -> None:
    """A highly confidential order of two signers, through to its return."""
    order: dict[str, Any] = {
        "definition": "definitions/account-control/1",
        "classification": manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL,
        "priority": manifests.PRIORITY_URGENT,
    }
    recipient = to("bank/registry", acceptance_needed=True, answer_needed=True)
    stored = line.stored()
    alone = await refusal(court.send(recipient, **order))
    assert (alone.reason, alone.metadata["demanded"]) == ("TOO_FEW_SIGNERS", "2")
    twice = await court.draft(recipient, **order)
    twice.manifest.signers.append(twice.manifest.signers[0])
    twice.signers = [*twice.signers, *twice.signers]
    assert (await refusal(court.submit(twice.signed(write(twice.manifest))))).reason == "DUPLICATE_SIGNER"
    half = await court.draft(recipient, signers=BOTH, **order)
    half.signatures[1] = sign_detached(b"{}", half.signers[1], now())
    wrong = await refusal(court.submit(half))
    assert wrong.reason == "SIGNATURE_WRONG"
    assert "signatures[1]" in wrong.message
    half.signatures = half.signatures[:1]
    assert (await refusal(court.submit(half))).reason == "SIGNATURE_COUNT_WRONG"
    open_one = await court.draft(recipient, signers=BOTH, definition="definitions/account-control/1")
    assert (await refusal(court.submit(open_one))).reason == "CLASSIFICATION_NOT_PERMITTED"
    assert line.stored() == stored

    draft = await court.send(recipient, signers=BOTH, **order)
    registered = line.statements(draft.name)[0][1].events[Event.SUBMISSION_ACCEPTANCE]
    assert len(registered.signatures) == 2
    assert registered.number.book.startswith("books/court/registry/out-confidential/")
    await consign(worker, draft)
    cleared = await people.member("bank-cleared")
    await cleared.accept(draft.delivery())
    returned = await cleared.recipient.ReturnDelivery(await cleared.returning(draft.delivery()), timeout=CALL_SECONDS)
    assert returned.delivery.envelope.state == letters.DELIVERY_STATE_RETURNED


async def test_without_its_clearance_nothing_of_a_letter_is_recalled(
    people: People, line: Line, interior: Member, worker: Worker
) -> None:
    cleared = await people.member("interior-cleared")
    draft = await cleared.send(classification=manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL)
    stored = line.stored()
    assert (await refusal(interior.recall(draft))).reason == "LETTER_NOT_FOUND"
    assert line.stored() == stored
    await cleared.recall(draft)


# Types.


TYPES: dict[str, tuple[Any, ...]] = {
    "unfreeze-order": (("وزیر",), manifests.CLASSIFICATION_CONFIDENTIAL, 3_600, 7_200),
    "seizure": (("وزیر",), manifests.CLASSIFICATION_NORMAL, 86_400, 864_000),
    "account-control": (BOTH, manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL, 14_400, 172_800),
    "tax-inquiry": (("وزیر",), manifests.CLASSIFICATION_CONFIDENTIAL, 172_800, 864_000),
    "guarantee": (("وزیر",), manifests.CLASSIFICATION_NORMAL, 14_400, 86_400),
    "banking": (BOTH, manifests.CLASSIFICATION_CONFIDENTIAL, 259_200, 864_000),
}


@pytest.mark.parametrize("name", TYPES)
async def test_a_type_of_letter_sets_its_clocks(name: str, court: Member) -> None:
    signers, classification, acceptance_seconds, answer_seconds = TYPES[name]
    draft = await court.draft(
        to("bank/registry", acceptance_needed=True, answer_needed=True),
        definition=f"definitions/{name}/1",
        signers=signers,
        classification=classification,
    )
    letter = (await court.submit(draft)).letter
    registered_at = letter.registered_at.seconds
    assert letter.acceptance_due.seconds - registered_at == acceptance_seconds
    assert letter.answer_due.seconds - registered_at == answer_seconds


async def test_a_banks_letter_bears_two_signatures(line: Line, bank: Member) -> None:
    stored = line.stored()
    alone = await refusal(bank.send(to("interior/registry"), definition="definitions/banking/1"))
    assert alone.reason == "TOO_FEW_SIGNERS"
    assert line.stored() == stored


async def test_a_guarantee_is_refused_as_not_the_banks(interior: Member, bank: Member, worker: Worker) -> None:
    draft = await interior.send(to("bank/registry", acceptance_needed=True), definition="definitions/guarantee/1")
    await consign(worker, draft)
    refused_by_bank = await bank.refuse(draft.delivery())
    assert refused_by_bank.delivery.envelope.reason == receipts.RETURN_REASON_NOT_COMPETENT
    assert await close(worker, draft) == letters.LETTER_STATE_CLOSED


# After the end.


async def test_what_comes_after_an_unclaimed_end_is_still_stated(
    line: Line, interior: Member, court: Member, worker: Worker
) -> None:
    """Late answers, of what was accepted before the letter closed and of what was accepted after."""
    short: dict[str, Any] = {"definition": "definitions/test-cosigned/1", "signers": BOTH}
    drafts = [await interior.send(to("court/late", answer_needed=True), **short) for _ in range(2)]
    for draft in drafts:
        await consign(worker, draft)
    await court.accept(drafts[0].delivery())
    with line.clock_ahead("2 hours"):
        for draft in drafts:
            assert await close(worker, draft) == letters.LETTER_STATE_CLOSED
            assert line.statements(draft.name)[-1][1].events[Event.CLOSED].reason == "UNCLAIMED"
        await court.accept(drafts[1].delivery())
        for draft in drafts:
            await court.send(to("interior/registry"), relations=reply_to(draft), office="late")
            *_, (_, late), (_, answered) = line.statements(draft.delivery())
            assert set(late.events) == {Event.ANSWER_OVERDUE}
            assert set(answered.events) == {Event.ANSWERED}
            assert (await court.envelope(draft.delivery())).state == letters.DELIVERY_STATE_ANSWERED
            assert await close(worker, draft) == letters.LETTER_STATE_CLOSED
            assert len(line.statements(draft.name)) == 2


async def test_a_return_after_the_letter_closed_is_still_stated(
    line: Line, interior: Member, bank: Member, court: Member, worker: Worker
) -> None:
    draft = await interior.send(to("bank/registry"), to("court/registry", kind=COPY))
    await consign(worker, draft)
    await court.accept(draft.delivery(2))
    await bank.refuse(draft.delivery(1))
    assert await close(worker, draft) == letters.LETTER_STATE_CLOSED
    returned = await court.recipient.ReturnDelivery(await court.returning(draft.delivery(2)), timeout=CALL_SECONDS)
    assert returned.delivery.envelope.state == letters.DELIVERY_STATE_RETURNED
