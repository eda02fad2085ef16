"""What intake states is what the event table allows, whatever the letter holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from dabir.common.v1 import receipt_pb2 as receipts
from dabir.common.v1.statement_pb2 import StatementEvent, StatementLink, StatementPayload, StatementSignature
from dabir.formats.payload import POLICY, check_payload
from dabir.formats.statement import Event
from services.intake.domain import statements
from services.intake.domain.signature import Checked
from tests.unit.intake.builders import HUB, LETTER, NOW, delivery, letter

DELIVERY = f"{LETTER}/deliveries/1"
SIGNATURE = StatementSignature(file_sha256=b"\1" * 32, certificates_sha256=[b"\2" * 32], crls_sha256=[b"\3" * 32])
SEAL = Checked(b"\2" * 32, SIGNATURE, {})
DUE = NOW.replace(microsecond=0) - timedelta(minutes=1)
IN = receipts.BookNumber(book="books/bank/main/in/1405", sequence=17)


def _stated(
    events: Sequence[Event], subject: str, fields: StatementEvent, toe: datetime = NOW, sequence: int = 2
) -> None:
    fields.policy, fields.source, fields.assurance = POLICY, "intake", "mtls"
    fields.links.append(StatementLink(chain=subject, sequence=sequence, previous=b"\4" * 32 if sequence > 1 else b""))
    if fields.HasField("number"):
        number = fields.number
        fields.links.append(StatementLink(chain=number.book, sequence=number.sequence, previous=b"\5" * 32))
    check_payload(
        StatementPayload(
            iss=HUB,
            iat=int(NOW.timestamp()),
            toe=int(toe.timestamp()),
            jti="019abcde-0000-7000-8000-000000000000",
            sub=subject,
            txn=subject.partition("/deliveries/")[0],
            events={event: fields if event == events[0] else StatementEvent() for event in events},
        )
    )


@pytest.mark.parametrize("due", [None, DUE])
def test_a_registration_keeps_to_the_table(due: datetime | None) -> None:
    of = letter(acceptance_due=due, answer_due=due)
    fields = statements.submission_acceptance(
        of, [delivery(), delivery(recipient_office="bodies/b2/offices/o2")], [SIGNATURE]
    )
    assert [list(one.documents) for one in fields.recipients] == [[1, 2], [1, 2]]
    _stated([Event.SUBMISSION_ACCEPTANCE], LETTER, fields, sequence=1)


@pytest.mark.parametrize("late", [False, True])
def test_becoming_available_keeps_to_the_table(late: bool) -> None:
    fields = statements.available(letter(), IN, "1405/17", NOW, hub_late=late)
    assert fields.reason == ("HUB_LATE" if late else "")
    _stated([Event.AVAILABLE], DELIVERY, fields)


def test_an_acceptance_lists_what_is_granted_and_no_more() -> None:
    fields = statements.consignment_acceptance(letter(), delivery(documents=[1]), b"\6" * 32, SEAL)
    assert [one.name for one in fields.documents] == letter().documents[:1]
    assert [one.body for one in fields.parties] == ["bodies/interior", "bodies/bank"]
    _stated([Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT], DELIVERY, fields)


def test_a_refusal_keeps_to_the_table() -> None:
    reason = receipts.RETURN_REASON_NOT_COMPETENT
    fields = statements.consignment_rejection(letter(), delivery(), reason, b"\6" * 32, SEAL)
    _stated([Event.CONSIGNMENT_REJECTION], DELIVERY, fields)


def test_lateness_is_stated_as_of_the_due() -> None:
    late = delivery(acceptance_due=DUE, answer_due=DUE)
    _stated([Event.ACCEPTANCE_REJECTION_EXPIRY], DELIVERY, statements.acceptance_expiry(late), toe=DUE)
    _stated([Event.ANSWER_OVERDUE], DELIVERY, statements.answer_overdue(late), toe=DUE)


def test_answers_and_ends_keep_to_the_table() -> None:
    _stated([Event.ANSWERED], DELIVERY, statements.answered(b"\7" * 32))
    _stated([Event.CLOSED], LETTER, statements.closed(unclaimed=False))
    _stated([Event.CLOSED], LETTER, statements.closed(unclaimed=True))


def test_what_comes_after_acceptance_keeps_to_the_table() -> None:
    _stated(
        [Event.CONTENT_ACCESS_TRACKING], DELIVERY, statements.content_access("bodies/bank", b"\2" * 32, "مدیر عامل")
    )
    reason = receipts.RETURN_REASON_UNREADABLE
    _stated([Event.RETURNED], DELIVERY, statements.returned(letter(), delivery(), reason, b"\6" * 32, SEAL))
    for verdict in (receipts.VERDICT_RECALL_GRANTED, receipts.VERDICT_RECALL_REFUSED):
        fields = statements.recall_answered(delivery(), b"\x09" * 32, verdict, b"\6" * 32, SEAL)
        assert [one.body for one in fields.parties] == ["bodies/bank"]
        _stated([Event.RECALL_ANSWERED], DELIVERY, fields)


def test_a_recall_keeps_to_the_table() -> None:
    fields = statements.recall(letter(), b"\x09" * 32, SEAL)
    assert [one.body for one in fields.parties] == ["bodies/interior"]
    _stated([Event.RECALL], LETTER, fields)
    _stated([Event.WITHDRAWN], DELIVERY, statements.withdrawn(b"\x09" * 32))


def test_an_operators_action_keeps_to_the_table() -> None:
    _stated([Event.OPERATOR_ACTION], LETTER, statements.operator_action("op", "RETRY_NOW", "why", None))
    one = statements.operator_action("op", "RETRY_NOW", "why", "bodies/bank/offices/main")
    _stated([Event.OPERATOR_ACTION], LETTER, one)
