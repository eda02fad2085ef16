"""What `--json` answers with: plain objects, names as in the API, instants as UTC text, enums in English words."""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.cli import words
from dabir.client import trust
from dabir.client.life import StatedReceipt
from dabir.client.opening import Held
from dabir.client.recalling import StatedRecall
from dabir.client.trust import Proven
from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.intake.v1 import letter_pb2


def instant(given: Timestamp) -> str | None:
    """Raises VerificationError."""
    return _text(trust.instant(given)) if given.ByteSize() else None


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def letter(given: letter_pb2.Letter) -> dict[str, Any]:
    return {
        "name": given.name,
        "number": given.registry_number.text,
        "book": given.registry_number.book,
        "sequence": given.registry_number.sequence,
        "registered_at": instant(given.registered_at),
        "state": words.of(words.LETTER_STATES, given.state)[1],
        "sender_office": given.sender_office,
        "definition": given.definition,
        "priority": words.of(words.PRIORITIES, given.priority)[1],
        "classification": words.of(words.CLASSIFICATIONS, given.classification)[1],
        "subject": given.subject,
        "recipients": given.recipient_count,
        "manifest_sha256": given.manifest_sha256.hex(),
    }


def sent_delivery(given: letter_pb2.SentDelivery) -> dict[str, Any]:
    return {
        "name": given.name,
        "recipient_office": given.recipient_office,
        "state": words.of(words.DELIVERY_STATES, given.state)[1],
        **_course(given),
    }


def envelope(given: letter_pb2.Envelope) -> dict[str, Any]:
    return {
        "name": given.delivery,
        "letter": given.letter,
        "sender_office": given.sender_office,
        "recipient_office": given.recipient_office,
        "in_number": given.in_number.text,
        "number": given.registry_number.text,
        "registered_at": instant(given.registered_at),
        "state": words.of(words.DELIVERY_STATES, given.state)[1],
        "priority": words.of(words.PRIORITIES, given.priority)[1],
        "classification": words.of(words.CLASSIFICATIONS, given.classification)[1],
        **_course(given),
    }


def _course(given: letter_pb2.SentDelivery | letter_pb2.Envelope) -> dict[str, Any]:
    """What happened to a delivery."""
    reading, recall = given.first_reading, given.recall
    read = {"position": reading.position, "read_at": instant(reading.read_at)}
    asked = {
        "sha256": recall.sha256.hex(),
        "asked_at": instant(recall.asked_at),
        "verdict": words.of(words.VERDICTS, recall.verdict)[1] if recall.verdict else None,
        "answered_at": instant(recall.answered_at),
    }
    return {
        "reason": words.of(words.REASONS, given.reason)[1] if given.reason else None,
        "answer": given.answer or None,
        "read": read if given.HasField("first_reading") else None,
        "recall": asked if given.HasField("recall") else None,
        **_times(given.times),
    }


def _times(given: letter_pb2.DeliveryTimes) -> dict[str, Any]:
    return {
        "available_at": instant(given.available_at),
        "decided_at": instant(given.decided_at),
        "answered_at": instant(given.answered_at),
        "returned_at": instant(given.returned_at),
        "withdrawn_at": instant(given.withdrawn_at),
        "return_until": instant(given.return_until),
        "acceptance_due": instant(given.acceptance_due),
        "answer_due": instant(given.answer_due),
        "late_acceptance": given.late_acceptance,
        "late_answer": given.late_answer,
    }


def statement(given: Proven) -> dict[str, Any]:
    return {
        "name": given.name,
        "position": given.position or None,  # of a fresh statement the ledger gives it a moment later
        "event": given.event.value,
        "subject": given.subject,
        "stated_at": _text(given.stated_at),
        "took_effect_at": _text(given.took_effect_at),
        "number": given.says.number.text or None,
        "reason": given.says.reason or None,
        "operator": given.says.operator or None,
        "sha256": given.digest.hex(),
    }


def receipt(given: StatedReceipt) -> dict[str, Any]:
    return {
        "delivery": given.receipt.receipt.delivery,
        "verdict": receipt_pb2.Verdict.Name(given.receipt.receipt.verdict),
        "incoming_number": given.receipt.receipt.incoming_number or None,
        "sha256": given.receipt.sha256.hex(),
        "statement": given.statement.name,
    }


def recall(given: StatedRecall) -> dict[str, Any]:
    return {
        "letter": given.recall.letter,
        "deliveries": list(given.recall.deliveries),
        "reason": given.recall.reason,
        "sha256": given.sha256.hex(),
        "statement": given.statement.name,
    }


def signer(given: manifest_pb2.Signer) -> dict[str, Any]:
    return {
        "position": given.position,
        "capacity": words.of(words.CAPACITIES, given.capacity or manifest_pb2.CAPACITY_SELF)[1],
        "on_behalf_of": given.on_behalf_of or None,
        "decree": given.decree or None,
    }


def relation(given: manifest_pb2.Relation) -> dict[str, Any]:
    """By letter, or by what is written on a letter outside Dabir."""
    return {
        "kind": words.of(words.RELATIONS, given.kind)[1],
        "letter": given.letter or None,
        "body": given.body or None,
        "number": given.number or None,
        "date": given.date or None,
    }


def held(given: Held) -> dict[str, Any]:
    return {
        "kind": words.of(words.RELATIONS, given.kind)[1],
        "letter": given.letter,
        "delivery": given.delivery or None,
    }
