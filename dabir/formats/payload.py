"""The rules of a statement's payload: the event table, the links and what must agree inside (docs/formats.md)."""

import re
from collections.abc import Sequence

from google.protobuf.message import Message

from dabir.common.v1.statement_pb2 import StatementEvent, StatementPayload
from dabir.formats import names
from dabir.formats.events import COMMON_MAY, COMMON_MUST, EVENT_FIELDS, REASON_CODE, Event, EventRule
from dabir.formats.fields import check_ascending, check_count, check_length, check_sha256, require
from dabir.formats.manifest import MAX_DOCUMENTS, MAX_SIGNERS
from dabir.formats.strict_json import FormatError

POLICY = "urn:dabir:policy:1"
ASSURANCES = ("mtls", "hub")

_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,62}")


def main_event(payload: StatementPayload) -> Event:
    """The event a payload states; of an acceptance's two, ConsignmentAcceptance. Raises FormatError (WRONG_EVENTS)."""
    stated = set(payload.events)
    if stated == {Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT}:
        return Event.CONSIGNMENT_ACCEPTANCE
    alone = stated - {Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_CONSIGNMENT}
    if len(stated) == 1 and alone:
        uri = alone.pop()
        if uri in EVENT_FIELDS:
            return Event(uri)
        raise FormatError("UNKNOWN_EVENT", f"{uri[:100]!a} is no event of Dabir", "events")
    message = "must hold one event, or ConsignmentAcceptance and ContentConsignment together"
    raise FormatError("WRONG_EVENTS", message, "events")


def check_payload(payload: StatementPayload) -> None:
    """Every rule of a statement that needs neither key nor ledger. Raises FormatError."""
    require(payload, ("iss", "iat", "toe", "jti", "sub", "txn", "events"))
    names.check_hub(payload.iss, "iss")
    names.check_uuid7(payload.jti, "jti")
    if payload.toe > payload.iat:
        raise FormatError("EVENT_IN_FUTURE", "is later than iat; an event is stated when it has happened", "toe")
    event = main_event(payload)
    rule = EVENT_FIELDS[event]
    _check_subject(payload, rule)
    if event == Event.CONSIGNMENT_ACCEPTANCE and payload.events[Event.CONTENT_CONSIGNMENT].ListFields():
        raise FormatError("FIELD_NOT_ALLOWED", "the entry of ContentConsignment must be {}", "events")
    stated = payload.events[event]
    _check_fields(stated, rule)
    _check_digests(stated, "events")
    _check_links(payload, stated, rule)
    _check_details(payload, stated, event)


def _check_subject(payload: StatementPayload, rule: EventRule) -> None:
    kind = names.chain_kind(payload.sub, "sub")
    if kind not in rule.subjects:
        raise FormatError(
            "WRONG_SUBJECT", f"is a {kind}; this event is about a {' or '.join(sorted(rule.subjects))}", "sub"
        )
    owner = names.split_delivery(payload.sub)[0] if kind == "delivery" else payload.sub
    if payload.txn != owner:
        raise FormatError("WRONG_TXN", f"must be {owner}", "txn")


def _check_fields(stated: StatementEvent, rule: EventRule) -> None:
    given = {field.name for field, _ in stated.ListFields()}
    missing = (rule.must | COMMON_MUST) - given
    if missing:
        raise FormatError("MISSING_FIELD", f"{_json_names(missing)} must be given with this event", "events")
    surplus = given - rule.must - rule.may - COMMON_MUST - COMMON_MAY
    if surplus:
        raise FormatError("FIELD_NOT_ALLOWED", f"{_json_names(surplus)} must not be given with this event", "events")
    if stated.policy != POLICY:
        raise FormatError("WRONG_POLICY", f"must be {POLICY}", "policy")
    if stated.source != rule.source:
        raise FormatError("WRONG_SOURCE", f"must be {rule.source}, the service that states this event", "source")
    if stated.assurance not in ASSURANCES:
        raise FormatError("WRONG_ASSURANCE", f"must be one of {', '.join(ASSURANCES)}", "assurance")


def _json_names(fields: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(StatementEvent.DESCRIPTOR.fields_by_name[name].json_name for name in fields))


def _check_digests(message: Message, path: str) -> None:
    """Every byte field of a statement is a SHA-256 digest."""
    for field, value in message.ListFields():
        place = f"{path}.{field.json_name}"
        for item in value if field.is_repeated else (value,):
            if isinstance(item, bytes):
                check_sha256(item, place)
            elif isinstance(item, Message):
                _check_digests(item, place)


def _check_links(payload: StatementPayload, stated: StatementEvent, rule: EventRule) -> None:
    expected = [payload.sub, stated.number.book] if rule.book else [payload.sub]
    if [link.chain for link in stated.links] != expected:
        raise FormatError("WRONG_LINKS", f"must name the chains {', '.join(expected)} in this order", "links")
    for index, link in enumerate(stated.links):
        path = f"links[{index}]"
        require(link, ("sequence",), path)
        kind = names.chain_kind(link.chain, f"{path}.chain")
        # A letter and a body begin with nothing before them; a delivery with its letter's SubmissionAcceptance; a
        # book with the head of the year before, unless it is the first.
        if link.previous and link.sequence == 1 and kind in ("letter", "body"):
            raise FormatError("WRONG_PREVIOUS", "must be absent at the first of a letter or body", f"{path}.previous")
        if not link.previous and (link.sequence > 1 or kind == "delivery"):
            raise FormatError("WRONG_PREVIOUS", "must be given: a statement stands before this one", f"{path}.previous")
    if rule.book:
        _check_number_taken(stated, rule)


def _check_number_taken(stated: StatementEvent, rule: EventRule) -> None:
    if stated.links[1].sequence != stated.number.sequence:
        raise FormatError("WRONG_NUMBER", "must be the sequence of its link in the book", "number.sequence")
    direction = names.split_book(stated.number.book, "number.book")[1]
    if direction not in rule.book:
        message = f"is an {direction} book; this event takes its number in {' or '.join(sorted(rule.book))}"
        raise FormatError("WRONG_NUMBER", message, "number.book")


def _check_details(payload: StatementPayload, stated: StatementEvent, event: Event) -> None:
    rule = EVENT_FIELDS[event]
    if "number" in rule.must:
        require(stated.number, ("book", "sequence", "text"), "number")
        names.split_book(stated.number.book, "number.book")
        check_length(stated.number.text, 64, "number.text")
    if "registered_at" in rule.must and stated.registered_at.seconds != payload.iat:
        raise FormatError("WRONG_TIME", "must be the instant whose whole second is iat", "registeredAt")
    _check_parties(stated, rule)
    _check_lists(stated)
    _check_words(stated, event)
    _check_agreement(payload, stated, event)


def _check_parties(stated: StatementEvent, rule: EventRule) -> None:
    if len(stated.parties) != rule.parties:
        raise FormatError(
            "WRONG_PARTIES", f"has {len(stated.parties)} entries; this event names {rule.parties}", "parties"
        )
    for index, party in enumerate(stated.parties):
        require(party, ("body", "certificate_sha256"), f"parties[{index}]")
        names.split_body(party.body, f"parties[{index}].body")


def _check_lists(stated: StatementEvent) -> None:
    check_count(stated.documents, MAX_DOCUMENTS, "documents")
    for index, document in enumerate(stated.documents):
        require(document, ("name", "sha256"), f"documents[{index}]")
        names.split_document(document.name, f"documents[{index}].name")
    _check_distinct([document.name for document in stated.documents], "documents")
    check_count(stated.recipients, names.MAX_RECIPIENTS, "recipients")
    for index, recipient in enumerate(stated.recipients):
        require(recipient, ("office",), f"recipients[{index}]")
        names.split_office(recipient.office, f"recipients[{index}].office")
        check_ascending(recipient.documents, f"recipients[{index}].documents")
    _check_distinct([recipient.office for recipient in stated.recipients], "recipients")
    check_count(stated.signatures, MAX_SIGNERS, "signatures")
    for index, signature in enumerate(stated.signatures):
        require(signature, ("file_sha256", "certificates_sha256"), f"signatures[{index}]")


def _check_distinct(items: Sequence[str], path: str) -> None:
    if len(set(items)) != len(items):
        raise FormatError("DUPLICATE_ENTRY", "names something twice; name each once", path)


def _check_words(stated: StatementEvent, event: Event) -> None:
    check_length(stated.operator, 200, "operator")
    if stated.action and REASON_CODE.fullmatch(stated.action) is None:
        raise FormatError("BAD_CODE", "must be a code in UPPER_SNAKE", "action")
    if stated.channel and _CHANNEL.fullmatch(stated.channel) is None:
        raise FormatError("BAD_CODE", "must be a channel such as webhook", "channel")
    if not stated.reason:
        return
    reasons = EVENT_FIELDS[event].reasons
    if event == Event.OPERATOR_ACTION:
        check_length(stated.reason, 500, "reason")
    elif reasons and stated.reason not in reasons:
        raise FormatError("REASON_NOT_ALLOWED", f"must be one of {', '.join(sorted(reasons))}", "reason")
    elif REASON_CODE.fullmatch(stated.reason) is None:
        raise FormatError("BAD_CODE", "must be a code in UPPER_SNAKE", "reason")


def _check_agreement(payload: StatementPayload, stated: StatementEvent, event: Event) -> None:
    match event:
        case Event.SUBMISSION_ACCEPTANCE:
            for index in range(len(stated.recipients)):
                _check_granted(stated, index, of=len(stated.documents))
            _same_body(
                stated.parties[0].body, names.body_of(names.split_book(stated.number.book)[0]), "parties[0].body"
            )
        case Event.CONSIGNMENT_ACCEPTANCE:
            check_count(stated.recipients, 1, "recipients")
            _check_granted(stated, 0, of=MAX_DOCUMENTS)
            if len(stated.recipients[0].documents) != len(stated.documents):
                raise FormatError(
                    "WRONG_COUNT", "must be as many as documents: those granted", "recipients[0].documents"
                )
            check_count(stated.signatures, 1, "signatures")
            _same_body(stated.parties[1].body, names.body_of(stated.recipients[0].office), "parties[1].body")
        case Event.ACCEPTANCE_REJECTION_EXPIRY:
            _effective_at(payload.toe, stated.acceptance_due.seconds)
        case Event.ANSWER_OVERDUE:
            _effective_at(payload.toe, stated.answer_due.seconds)
        case Event.CERTIFICATE_ADDED | Event.CERTIFICATE_REVOKED:
            _same_body(stated.parties[0].body, payload.sub, "parties[0].body")
        case Event.VOID:
            _same_body(names.body_of(names.split_book(stated.number.book)[0]), payload.sub, "number.book")
        case Event.BOOK_CLOSED:
            _check_closed_book(payload, stated)
        case _:
            pass


def _check_granted(stated: StatementEvent, index: int, *, of: int) -> None:
    """Which of the letter's documents an office gets is written out, never left to be understood as all."""
    path, granted = f"recipients[{index}]", stated.recipients[index].documents
    require(stated.recipients[index], ("documents",), path)
    if granted[0] != 1:
        raise FormatError(
            "MAIN_NOT_GRANTED", "must hold 1: every recipient gets the main document", f"{path}.documents"
        )
    if granted[-1] > of:
        raise FormatError("NO_SUCH_DOCUMENT", f"{granted[-1]} is not a document of this letter", f"{path}.documents")


def _same_body(found: str, expected: str, path: str) -> None:
    if found != expected:
        raise FormatError("WRONG_BODY", f"must be {expected}'s", path)


def _effective_at(toe: int, due: int) -> None:
    if toe != due:
        raise FormatError("WRONG_TIME", "must be the due that passed", "toe")


def _check_closed_book(payload: StatementPayload, stated: StatementEvent) -> None:
    book = stated.book
    require(book, ("name", "first", "last", "count", "head"), "book")
    _same_body(names.body_of(names.split_book(book.name, "book.name")[0]), payload.sub, "book.name")
    if book.first != 1 or book.count != book.last:
        raise FormatError("WRONG_COUNT", "a book runs from 1 without gaps, so count equals last", "book")
