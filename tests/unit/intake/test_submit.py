"""What a letter must be to be registered."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1 import manifest_pb2 as manifests
from services.intake.domain import errors, submit
from services.intake.domain.submit import DocumentOutcome
from services.runtime.identity import Role
from tests.unit.intake.builders import HUB, LETTER, NOW, definition, delivery, manifest, recipient, stamp

SECOND = NOW.replace(microsecond=0)


def test_the_same_request_is_known_by_its_digest() -> None:
    first = submit.request_sha256(b"m", [b"a", b"b"], ["documents/1"])
    assert first == submit.request_sha256(b"m", [b"a", b"b"], ["documents/1"])
    others = [
        submit.request_sha256(b"n", [b"a", b"b"], ["documents/1"]),
        submit.request_sha256(b"m", [b"b", b"a"], ["documents/1"]),
        submit.request_sha256(b"m", [b"ab"], ["documents/1"]),
        submit.request_sha256(b"m", [b"a"], ["b", "documents/1"]),
        submit.request_sha256(b"m", [b"a", b"b"], ["documents/2"]),
    ]
    assert len({first, *others}) == 6


@pytest.mark.parametrize(
    ("classification", "roles", "cleared"),
    [
        (manifests.CLASSIFICATION_NORMAL, [], True),
        (manifests.CLASSIFICATION_CONFIDENTIAL, [], False),
        (manifests.CLASSIFICATION_CONFIDENTIAL, [Role.CLEARANCE_CONFIDENTIAL], True),
        (manifests.CLASSIFICATION_CONFIDENTIAL, [Role.CLEARANCE_HIGHLY_CONFIDENTIAL], True),
        (manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL, [Role.CLEARANCE_CONFIDENTIAL], False),
        (manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL, [Role.CLEARANCE_HIGHLY_CONFIDENTIAL], True),
        (manifests.CLASSIFICATION_SECRET, list(Role), False),
    ],
)
def test_a_clearance_is_needed(classification: Any, roles: list[Role], cleared: bool) -> None:
    letter = manifest(classification=classification)
    if cleared:
        submit.check_caller(letter, hub=HUB, caller_body="bodies/interior", roles=roles)
        return
    with pytest.raises(errors.ClearanceMissing):
        submit.check_caller(letter, hub=HUB, caller_body="bodies/interior", roles=roles)


def test_only_the_sender_sends_and_only_to_its_hub() -> None:
    with pytest.raises(errors.SenderNotCaller, match="you call as bodies/bank"):
        submit.check_caller(manifest(), hub=HUB, caller_body="bodies/bank", roles=[])
    with pytest.raises(errors.WrongHub):
        submit.check_caller(manifest(), hub="log.other.example/1", caller_body="bodies/interior", roles=[])


def test_there_is_one_signature_per_signer_and_one_name_per_document() -> None:
    submit.check_counts(manifest(), 1, 1)
    with pytest.raises(errors.SignatureCountWrong):
        submit.check_counts(manifest(), 2, 1)
    with pytest.raises(errors.DocumentCountWrong):
        submit.check_counts(manifest(), 1, 0)


@pytest.mark.parametrize(("hours", "taken"), [(0, True), (24, True), (-24, True), (24.001, False), (-24.001, False)])
def test_a_letter_is_written_within_a_day(hours: float, taken: bool) -> None:
    now = SECOND + timedelta(hours=hours)
    if taken:
        submit.check_written_at(manifest(), now)
        return
    with pytest.raises(errors.WrittenAtOutOfRange, match="2026-11-22T10:14:33Z"):
        submit.check_written_at(manifest(), now)


TWO = [
    manifests.Signer(position="وزیر", certificate_sha256=b"\1" * 32),
    manifests.Signer(position="معاون", certificate_sha256=b"\2" * 32),
]


@pytest.mark.parametrize(
    ("demanded", "changes", "refusal"),
    [
        ({"senders": ["bodies/court"]}, {}, errors.SenderNotPermitted),
        ({"senders": ["bodies/court", "bodies/interior"]}, {}, None),
        ({"min_signers": 2}, {}, errors.TooFewSigners),
        ({"min_signers": 2}, {"signers": TWO}, None),
        ({"required_positions": ["معاون"]}, {}, errors.SignerMissing),
        ({"required_positions": ["معاون"]}, {"signers": TWO}, None),
        (
            {"max_recipients": 1},
            {"recipients": [recipient(), recipient("bodies/b/offices/o")]},
            errors.TooManyRecipients,
        ),
        ({"classifications": [2]}, {}, errors.ClassificationNotPermitted),
        ({}, {"retention_schedule": "forever"}, errors.RetentionScheduleUnknown),
        ({}, {"retention_schedule": "administrative-10y"}, None),
    ],
)
def test_a_letter_keeps_to_its_definition(demanded: Any, changes: Any, refusal: type[Exception] | None) -> None:
    if refusal is None:
        submit.check_definition(manifest(**changes), definition(**demanded))
        return
    with pytest.raises(refusal, match="definitions/administrative/1"):
        submit.check_definition(manifest(**changes), definition(**demanded))


def _due(seconds: int) -> Timestamp:
    return stamp(SECOND + timedelta(seconds=seconds))


ASKED = [recipient(acceptance_needed=True, answer_needed=True), recipient("bodies/b/offices/o")]


def test_a_due_that_is_not_given_is_the_definitions() -> None:
    dues = submit.dues(manifest(recipients=ASKED), definition(), NOW)
    assert dues.acceptance == SECOND + timedelta(days=3)
    assert dues.answer == SECOND + timedelta(days=10)


def test_no_clock_runs_where_no_recipient_is_asked() -> None:
    assert submit.dues(manifest(), definition(), NOW) == submit.Dues(None, None)
    assert submit.dues(manifest(), definition("circular.1"), NOW) == submit.Dues(None, None)


def test_a_due_of_the_manifests_stands_within_the_definitions_bounds() -> None:
    given = manifest(recipients=ASKED, acceptance_due=_due(3601), answer_due=_due(3601))
    assert submit.dues(given, definition(), NOW).acceptance == SECOND + timedelta(seconds=3601)
    # 3,600 seconds from a registration in the midst of its second are a little less than an hour.
    for seconds, clock in ((3600, "acceptance"), (7_776_002, "acceptance")):
        with pytest.raises(errors.DueOutOfRange, match=f"{clock}Due is .* 3600 to 7776000 seconds"):
            submit.dues(manifest(recipients=ASKED, acceptance_due=_due(seconds)), definition(), NOW)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"recipients": [recipient(answer_needed=True)]}, errors.ClockNotOffered),
        ({"answer_due": _due(86_400)}, errors.ClockNotOffered),
        ({"acceptance_due": _due(86_400)}, errors.DueWithoutRecipient),
    ],
)
def test_a_clock_that_cannot_run_is_refused(changes: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        submit.dues(manifest(**changes), definition("circular.1"), NOW)


def test_only_an_immediate_letter_is_shown_when_nobody_accepts_it() -> None:
    immediate = manifest(priority=manifests.PRIORITY_IMMEDIATE)
    assert submit.urgent_unacked_at(immediate, definition(), NOW) == NOW + timedelta(minutes=30)
    assert submit.urgent_unacked_at(immediate, definition("circular.1"), NOW) is None
    assert submit.urgent_unacked_at(manifest(), definition(), NOW) is None


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [
        ("", "1405/345"),
        ("{year}/12/{sequence}", "1405/12/345"),
        ("م{sequence}/{book}", "م345/out-confidential"),
        ("{0}{sequence", "{0}{sequence"),
        # What no statement can carry is passed over.
        ("x" * 65, "1405/345"),
        ("\u202e{sequence}", "1405/345"),
    ],
)
def test_a_number_is_printed_by_its_offices_pattern(pattern: str, printed: str) -> None:
    assert submit.print_number(pattern, "books/interior/registry/out-confidential/1405", 345) == printed


def test_classified_letters_have_a_book_of_their_own() -> None:
    assert submit.out_direction(manifests.CLASSIFICATION_NORMAL) == "out"
    assert submit.out_direction(manifests.CLASSIFICATION_CONFIDENTIAL) == "out-confidential"


def test_unknown_offices_are_said_by_name() -> None:
    letter = manifest(recipients=[recipient(), recipient("bodies/b/offices/o"), recipient("bodies/c/offices/o")])
    submit.check_offices(letter, set())
    with pytest.raises(errors.RecipientUnknown) as refused:
        submit.check_offices(letter, {"bodies/b/offices/o", "bodies/c/offices/o"})
    assert [violation.field for violation in refused.value.field_violations] == [
        "recipients[1].office",
        "recipients[2].office",
    ]
    with pytest.raises(errors.SenderOfficeUnknown):
        submit.check_offices(letter, {"bodies/interior/offices/registry"})


REPLY = manifests.Relation(kind=manifests.RELATION_KIND_REPLY_TO, letter=LETTER)
PAPER = manifests.Relation(kind=manifests.RELATION_KIND_CITES, body="بانک", number="۱۲", date="2026-01-01")


def test_a_letter_that_is_not_ones_own_cannot_be_related_to() -> None:
    letter = manifest(relations=[PAPER, REPLY])
    submit.check_relations(letter, {LETTER})
    with pytest.raises(errors.RelatedLetterNotFound) as refused:
        submit.check_relations(letter, set())
    assert refused.value.field_violations[0].field == "relations[1].letter"


def _reply(**changes: Any) -> list[Any]:
    """A reply of the bank's to the delivery it got."""
    reply = manifest(
        sender=manifests.ManifestSender(body="bodies/bank", office="bodies/bank/offices/main"),
        recipients=[recipient(changes.pop("to", "bodies/interior/offices/registry"))],
        relations=[REPLY, REPLY],
    )
    return list(submit.answering(reply, [delivery(**changes)]))


def test_a_reply_answers_what_its_office_accepted() -> None:
    assert [one.name for one in _reply(state="ACCEPTED")] == [f"{LETTER}/deliveries/1"]


def test_a_second_answer_is_registered_and_the_first_stands() -> None:
    assert _reply(state="ANSWERED") == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"state": "AVAILABLE"}, errors.AcceptFirst),
        ({"state": "REFUSED"}, errors.ReplyTooLate),
        ({"state": "RETURNED"}, errors.ReplyTooLate),
        ({"state": "WITHDRAWN"}, errors.ReplyTooLate),
        ({"state": "CREATED", "available_at": None}, errors.ReplyingOfficeNotRecipient),
        ({"letter": "letters/other"}, errors.ReplyingOfficeNotRecipient),
        ({"state": "ACCEPTED", "to": "bodies/interior/offices/other"}, errors.ReplyNotAddressedToSender),
    ],
)
def test_a_reply_to_what_is_not_accepted_is_refused(changes: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        _reply(**changes)


def test_refused_documents_are_said_each() -> None:
    submit.check_documents([DocumentOutcome("documents/a", True, "", "")])
    with pytest.raises(errors.DocumentDigestMismatch, match="the first is documents/b") as refused:
        submit.check_documents(
            [
                DocumentOutcome("documents/a", True, "", ""),
                DocumentOutcome("documents/b", False, "DIGEST_MISMATCH", "Upload it again."),
                DocumentOutcome("documents/c", False, "DOCUMENT_REJECTED", "Damaged."),
            ]
        )
    assert refused.value.reason == "DIGEST_MISMATCH"
    assert [violation.field for violation in refused.value.field_violations] == ["documents[1]", "documents[2]"]
