"""What a receipt must be, and what it may still decide."""

import itertools
import uuid
from datetime import timedelta
from typing import Any

import pytest

from dabir.common.v1 import receipt_pb2 as receipts
from services.intake.domain import errors
from services.intake.domain import receipt as rules
from services.intake.domain import receipt_errors as refused
from tests.unit.intake.builders import HUB, LETTER, NOW, definition, delivery, letter, recall


def receipt(**changes: Any) -> receipts.Receipt:
    made = receipts.Receipt(
        hub=HUB,
        delivery=f"{LETTER}/deliveries/1",
        in_number=receipts.BookNumber(book="books/bank/main/in/1405", sequence=17),
        letter=LETTER,
        manifest_sha256=b"\6" * 32,
        submission_acceptance_sha256=b"\x08" * 32,
        verdict=receipts.VERDICT_ACCEPTED,
    )
    made.MergeFrom(receipts.Receipt(**changes))
    return made


def _check(signed: receipts.Receipt, *verdicts: Any) -> None:
    rules.check_receipt(signed, verdicts or (receipts.VERDICT_ACCEPTED,), delivery(), letter(), hub=HUB)


def test_a_receipt_is_for_one_delivery_and_one_call() -> None:
    _check(receipt())
    with pytest.raises(errors.WrongHub):
        _check(receipt(hub="log.other.example/1"))
    with pytest.raises(refused.VerdictWrong, match="says VERDICT_ACCEPTED, this call takes VERDICT_REFUSED"):
        _check(receipt(), receipts.VERDICT_REFUSED)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("delivery", {"delivery": f"{LETTER}/deliveries/2"}),
        ("letter", {"letter": "letters/other"}),
        ("manifestSha256", {"manifest_sha256": b"\0" * 32}),
        ("submissionAcceptanceSha256", {"submission_acceptance_sha256": b"\0" * 32}),
        ("inNumber", {"in_number": receipts.BookNumber(sequence=18)}),
        ("inNumber", {"in_number": receipts.BookNumber(book="books/bank/main/in/1406")}),
    ],
)
def test_a_receipt_agrees_with_the_envelope(field: str, changes: Any) -> None:
    with pytest.raises(refused.ReceiptMismatch) as caught:
        _check(receipt(**changes))
    assert caught.value.metadata["field"] == field


def test_a_refusal_gives_a_reason_that_the_definition_permits() -> None:
    refusal = receipt(verdict=receipts.VERDICT_REFUSED, reason=receipts.RETURN_REASON_NOT_COMPETENT)
    rules.check_content(refusal, delivery(), letter(), definition())
    with pytest.raises(refused.RefusalReasonNotPermitted):
        rules.check_content(refusal, delivery(), letter(), definition("circular.1"))


def returned(**changes: Any) -> receipts.Receipt:
    given = {"verdict": receipts.VERDICT_RETURNED, "reason": receipts.RETURN_REASON_UNREADABLE, **changes}
    return receipt(**given)


def test_a_call_may_take_two_verdicts() -> None:
    _check(receipt(verdict=receipts.VERDICT_RECALL_REFUSED), *rules.RECALL_VERDICTS)
    with pytest.raises(refused.VerdictWrong, match="takes VERDICT_RECALL_GRANTED or VERDICT_RECALL_REFUSED"):
        _check(receipt(), *rules.RECALL_VERDICTS)


def test_a_return_gives_a_reason_that_the_definition_permits() -> None:
    rules.check_content(returned(), delivery(), letter(), definition())
    with pytest.raises(refused.ReturnReasonNotPermitted, match="RETURN_REASON_NOT_COMPETENT"):
        rules.check_content(
            returned(reason=receipts.RETURN_REASON_NOT_COMPETENT), delivery(), letter(), definition("circular.1")
        )
    # Reasons of returns are not those of refusals.
    refusal = receipt(verdict=receipts.VERDICT_REFUSED, reason=receipts.RETURN_REASON_UNREADABLE)
    with pytest.raises(refused.RefusalReasonNotPermitted):
        rules.check_content(refusal, delivery(), letter(), definition())


@pytest.mark.parametrize(
    ("granted", "index", "sha256", "right"),
    [
        ([], 1, b"\2" * 32, True),
        ([], 2, b"\7" * 32, True),
        ([], 2, b"\2" * 32, False),
        ([], 3, b"\2" * 32, False),
        ([1], 2, b"\7" * 32, False),
    ],
)
def test_a_return_names_what_was_downloaded(granted: list[int], index: int, sha256: bytes, right: bool) -> None:
    named = returned(documents=[receipts.ReceiptDocument(index=index, sha256=sha256)])
    if right:
        rules.check_content(named, delivery(documents=granted), letter(), definition())
    else:
        with pytest.raises(refused.ReturnedDocumentWrong, match=f"document {index} of"):
            rules.check_content(named, delivery(documents=granted), letter(), definition())


def test_the_window_is_over_at_its_end() -> None:
    accepted = delivery(state="ACCEPTED", return_until=NOW)
    rules.check_window(accepted, NOW - timedelta(microseconds=1))
    with pytest.raises(refused.ReturnWindowOver, match="until 2026-11-22T10:14:33"):
        rules.check_window(accepted, NOW)


DECIDES = {
    (receipts.VERDICT_ACCEPTED, "AVAILABLE"),
    (receipts.VERDICT_REFUSED, "AVAILABLE"),
    (receipts.VERDICT_RETURNED, "ACCEPTED"),
    (receipts.VERDICT_RECALL_GRANTED, "ACCEPTED"),
    (receipts.VERDICT_RECALL_REFUSED, "ACCEPTED"),
}
STATES = ("AVAILABLE", "ACCEPTED", "REFUSED", "RETURNED", "ANSWERED", "WITHDRAWN")
AFTER_ACCEPTANCE = (receipts.VERDICT_RETURNED, *rules.RECALL_VERDICTS)


@pytest.mark.parametrize(("verdict", "state"), list(itertools.product((1, 2, 3, 4, 5), STATES)))
def test_who_is_second_decides_nothing(verdict: Any, state: str) -> None:
    said = receipt(verdict=verdict, recall_sha256=b"\x09" * 32 if verdict in rules.RECALL_VERDICTS else b"")
    one = delivery(state=state)
    if state == "AVAILABLE" and verdict in AFTER_ACCEPTANCE:
        with pytest.raises(refused.NotAccepted, match="is AVAILABLE"):
            rules.may_decide(said, one, recall())
    else:
        assert rules.may_decide(said, one, recall()) is ((verdict, state) in DECIDES)


def test_a_recall_is_answered_once_and_only_if_there_is_one() -> None:
    said = receipt(verdict=receipts.VERDICT_RECALL_REFUSED, recall_sha256=b"\x09" * 32)
    accepted = delivery(state="ACCEPTED")
    assert rules.may_decide(said, accepted, recall())
    assert not rules.may_decide(said, delivery(state="ACCEPTED", recall_answer=5), recall())
    with pytest.raises(refused.NoRecall):
        rules.may_decide(said, accepted, None)
    with pytest.raises(refused.ReceiptMismatch) as caught:
        rules.may_decide(said, accepted, recall(sha256=b"\x0a" * 32))
    assert caught.value.metadata["field"] == "recallSha256"


def test_what_a_receipt_is_answered_with() -> None:
    decision, ended, answered = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    accepted = delivery(state="ACCEPTED", decision=decision)
    assert rules.outcome(receipts.VERDICT_ACCEPTED, accepted) == decision
    withdrawn = delivery(state="WITHDRAWN", ended_by=ended)
    assert {rules.outcome(verdict, withdrawn) for verdict in receipts.Verdict.values()} == {ended}
    returned = delivery(state="RETURNED", decision=decision, ended_by=ended, recall_answered_by=answered)
    assert rules.outcome(receipts.VERDICT_REFUSED, returned) == decision
    assert rules.outcome(receipts.VERDICT_RETURNED, returned) == ended
    assert rules.outcome(receipts.VERDICT_RECALL_GRANTED, returned) == answered
    assert rules.outcome(receipts.VERDICT_RETURNED, delivery(state="REFUSED", decision=decision)) == decision
