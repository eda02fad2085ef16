"""The events a statement may state, and for each which fields it carries (docs/formats.md, "Events").

The ETSI URIs are those of EN 319 522-1 V1.2.1; the others are ours. The table is the law: `check_payload` holds every
statement against it before it is signed and after it is read.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from dabir.common.v1 import receipt_pb2
from dabir.formats import names
from dabir.formats.receipt import REFUSAL_REASONS, RETURN_REASONS


class Event(StrEnum):
    """An event's URI."""

    SUBMISSION_ACCEPTANCE = "http://uri.etsi.org/19522/Event/SubmissionAcceptance"
    CONSIGNMENT_ACCEPTANCE = "http://uri.etsi.org/19522/Event/ConsignmentAcceptance"
    CONTENT_CONSIGNMENT = "http://uri.etsi.org/19522/Event/ContentConsignment"
    CONSIGNMENT_REJECTION = "http://uri.etsi.org/19522/Event/ConsignmentRejection"
    ACCEPTANCE_REJECTION_EXPIRY = "http://uri.etsi.org/19522/Event/AcceptanceRejectionExpiry"
    CONTENT_ACCESS_TRACKING = "http://uri.etsi.org/19522/Event/ContentAccessTracking"
    CONTENT_HANDOVER = "http://uri.etsi.org/19522/Event/ContentHandover"
    NOTIFICATION_FOR_ACCEPTANCE = "http://uri.etsi.org/19522/Event/NotificationForAcceptance"
    NOTIFICATION_FOR_ACCEPTANCE_FAILURE = "http://uri.etsi.org/19522/Event/NotificationForAcceptanceFailure"
    RECALL = "urn:dabir:event:recall"
    VOID = "urn:dabir:event:void"
    BOOK_CLOSED = "urn:dabir:event:book-closed"
    AVAILABLE = "urn:dabir:event:available"
    RETURNED = "urn:dabir:event:returned"
    ANSWERED = "urn:dabir:event:answered"
    ANSWER_OVERDUE = "urn:dabir:event:answer-overdue"
    WITHDRAWN = "urn:dabir:event:withdrawn"
    RECALL_ANSWERED = "urn:dabir:event:recall-answered"
    CLOSED = "urn:dabir:event:closed"
    CERTIFICATE_ADDED = "urn:dabir:event:certificate-added"
    CERTIFICATE_REVOKED = "urn:dabir:event:certificate-revoked"
    OPERATOR_ACTION = "urn:dabir:event:operator-action"


# What a reason looks like where no closed list says it.
REASON_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

_OUT = frozenset({"out", "out-confidential"})
_IN = frozenset({"in"})
_LETTER: frozenset[names.ChainKind] = frozenset({"letter"})
_DELIVERY: frozenset[names.ChainKind] = frozenset({"delivery"})
_BODY: frozenset[names.ChainKind] = frozenset({"body"})


def _reason_names(reasons: frozenset[receipt_pb2.ReturnReason.ValueType]) -> frozenset[str]:
    return frozenset(receipt_pb2.ReturnReason.Name(reason) for reason in reasons)


@dataclass(frozen=True)
class EventRule:
    """Who states an event, about what, and with which fields of `StatementEvent` (proto spelling)."""

    source: str
    """The service that states it."""
    subjects: frozenset[names.ChainKind]
    """What its subject, the first link's chain, may be."""
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    book: frozenset[str] = frozenset()
    """Directions of the book in which it takes its number, the second link; empty if it takes none."""
    parties: int = 0
    """How many parties it names: the one who acted, or sender and recipient."""
    reasons: frozenset[str] = frozenset()
    """The closed list of its reason; empty: any code, or text with OPERATOR_ACTION."""


def _rule(
    source: str,
    subjects: frozenset[names.ChainKind],
    must: str = "",
    may: str = "",
    *,
    book: frozenset[str] = frozenset(),
    parties: int = 0,
    reasons: frozenset[str] = frozenset(),
) -> EventRule:
    return EventRule(source, subjects, frozenset(must.split()), frozenset(may.split()), book, parties, reasons)


# Every event also must carry policy, source, assurance and links, and may carry checkpoint.
COMMON_MUST = frozenset({"policy", "source", "assurance", "links"})
COMMON_MAY = frozenset({"checkpoint"})

EVENT_FIELDS: dict[Event, EventRule] = {
    Event.SUBMISSION_ACCEPTANCE: _rule(
        "intake",
        _LETTER,
        "number registered_at manifest_sha256 definition_sha256 parties documents recipients signatures",
        "acceptance_due answer_due",
        book=_OUT,
        parties=1,
    ),
    Event.AVAILABLE: _rule(
        "intake", _DELIVERY, "number registered_at manifest_sha256", "reason", book=_IN, reasons=frozenset({"HUB_LATE"})
    ),
    Event.CONSIGNMENT_ACCEPTANCE: _rule(
        "intake", _DELIVERY, "manifest_sha256 parties recipients documents receipt_sha256 signatures", parties=2
    ),
    # The second entry of an acceptance; stands nowhere else and is always `{}`.
    Event.CONTENT_CONSIGNMENT: EventRule("intake", _DELIVERY),
    Event.CONSIGNMENT_REJECTION: _rule(
        "intake",
        _DELIVERY,
        "manifest_sha256 parties receipt_sha256 signatures reason",
        parties=1,
        reasons=_reason_names(REFUSAL_REASONS),
    ),
    Event.ACCEPTANCE_REJECTION_EXPIRY: _rule("intake", _DELIVERY, "acceptance_due"),
    Event.CONTENT_ACCESS_TRACKING: _rule("intake", _DELIVERY, "parties", "operator", parties=1),
    Event.RETURNED: _rule(
        "intake",
        _DELIVERY,
        "manifest_sha256 parties receipt_sha256 signatures reason",
        parties=1,
        reasons=_reason_names(RETURN_REASONS),
    ),
    Event.ANSWERED: _rule("intake", _DELIVERY, "answer_sha256"),
    Event.ANSWER_OVERDUE: _rule("intake", _DELIVERY, "answer_due"),
    Event.WITHDRAWN: _rule("intake", _DELIVERY, "recall_sha256"),
    Event.RECALL_ANSWERED: _rule(
        "intake",
        _DELIVERY,
        "parties recall_sha256 receipt_sha256 signatures reason",
        parties=1,
        reasons=frozenset({"VERDICT_RECALL_GRANTED", "VERDICT_RECALL_REFUSED"}),
    ),
    Event.RECALL: _rule("intake", _LETTER, "manifest_sha256 parties recall_sha256 signatures", parties=1),
    Event.CLOSED: _rule("intake", _LETTER, may="reason", reasons=frozenset({"UNCLAIMED"})),
    Event.VOID: _rule("intake", _BODY, "number reason"),
    Event.BOOK_CLOSED: _rule("intake", _BODY, "book"),
    Event.OPERATOR_ACTION: _rule("intake", _LETTER | _BODY, "operator action reason", "recipients"),
    Event.CONTENT_HANDOVER: _rule("documents", _DELIVERY, "parties documents", parties=1),
    Event.NOTIFICATION_FOR_ACCEPTANCE: _rule("notifications", _DELIVERY, "channel"),
    Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE: _rule("notifications", _DELIVERY, "channel reason"),
    Event.CERTIFICATE_ADDED: _rule("directory", _BODY, "parties", parties=1),
    Event.CERTIFICATE_REVOKED: _rule("directory", _BODY, "parties", "reason", parties=1),
}


def events_of(source: str) -> frozenset[Event]:
    """The events a service may state: what its seal's certificate lists."""
    return frozenset(event for event, rule in EVENT_FIELDS.items() if rule.source == source)
