"""What a recall must be, and where it stands with the deliveries it names."""

from typing import Any

import pytest

from dabir.common.v1 import receipt_pb2 as receipts
from services.intake.domain import errors
from services.intake.domain import recall as rules
from services.intake.domain import receipt_errors as refused
from tests.unit.intake.builders import HUB, LETTER, delivery, letter, recall


def said(**changes: Any) -> receipts.Recall:
    made = receipts.Recall(hub=HUB, letter=LETTER, manifest_sha256=b"\6" * 32)
    made.MergeFrom(receipts.Recall(**changes))
    return made


def test_a_recall_is_for_one_hub_and_letter() -> None:
    rules.check_recall(said(), letter(), hub=HUB)
    with pytest.raises(errors.WrongHub):
        rules.check_recall(said(hub="log.other.example/1"), letter(), hub=HUB)
    for field, changes in (
        ("letter", {"letter": "letters/other"}),
        ("manifestSha256", {"manifest_sha256": b"\0" * 32}),
    ):
        with pytest.raises(refused.RecallMismatch) as caught:
            rules.check_recall(said(**changes), letter(), hub=HUB)
        assert caught.value.metadata["field"] == field


def test_a_recall_names_deliveries_or_all() -> None:
    three = letter(recipient_count=3)
    assert rules.numbers(said(), three) == [1, 2, 3]
    assert rules.numbers(said(deliveries=[f"{LETTER}/deliveries/{n}" for n in (1, 3)]), three) == [1, 3]
    beyond = said(deliveries=[f"{LETTER}/deliveries/4"])
    with pytest.raises(errors.DeliveryNotFound, match="deliveries/4"):
        rules.check_recall(beyond, three, hub=HUB)


def test_a_delivery_is_recalled_once() -> None:
    three = letter(recipient_count=3)
    rules.check_new([1, 3], three, [recall(numbers=[2])])
    with pytest.raises(refused.DeliveryRecalled, match="deliveries/2"):
        rules.check_new([1, 2, 3], three, [recall(numbers=[2])])


def test_a_closed_letter_is_not_recalled() -> None:
    with pytest.raises(refused.LetterClosed):
        rules.check_new([1], letter(state="CLOSED"), [])


def test_a_letter_has_so_many_recalls() -> None:
    many = letter(recipient_count=10)
    asked = [recall(numbers=[n]) for n in range(1, rules.RECALLS_MAX + 1)]
    rules.check_new([10], many, asked[1:])
    with pytest.raises(refused.TooManyRecalls, match="has 8 recalls"):
        rules.check_new([10], many, asked)


@pytest.mark.parametrize(
    ("changes", "pending", "asked"),
    [
        ({"state": "CREATED"}, True, False),
        ({"state": "AVAILABLE"}, True, False),
        ({"state": "ACCEPTED"}, False, True),
        ({"state": "ACCEPTED", "recall_answer": 5}, False, False),
        ({"state": "WITHDRAWN"}, False, False),
        ({"state": "RETURNED"}, False, False),
        ({"state": "AVAILABLE", "number": 2}, False, False),
        ({"state": "ACCEPTED", "number": 2}, False, False),
    ],
)
def test_where_a_recall_stands(changes: Any, pending: bool, asked: bool) -> None:
    one = delivery(**changes)
    assert rules.is_pending(one, [recall()]) is pending
    assert rules.is_asked(one, [recall()]) is asked
