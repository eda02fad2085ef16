"""Payloads of statements: one good one of every event, and what may not be said."""

import base64
from collections.abc import Callable
from typing import Any

from tests.vectors.cases.manifest import LETTER_UUID, sha256
from tests.vectors.cases.vector import Tree, Vector, changed, dump, path_of, put, replaced

LETTER = f"letters/{LETTER_UUID}"
DELIVERY = f"{LETTER}/deliveries/1"
BODY = "bodies/interior"
OUT = "books/interior/central/out/1405"
IN = "books/central-bank/registry/in/1405"
ETSI = "http://uri.etsi.org/19522/Event/"
OWN = "urn:dabir:event:"

SENDER: Tree = {"body": "bodies/interior", "certificateSha256": sha256("sender tls")}
RECIPIENT: Tree = {"body": "bodies/central-bank", "certificateSha256": sha256("recipient tls")}
SIGNATURE: Tree = {
    "fileSha256": sha256("signature file"),
    "certificatesSha256": [sha256("leaf"), sha256("issuer")],
    "crlsSha256": [sha256("crl")],
}
DOCUMENTS: list[Tree] = [
    {"name": "documents/0b8f3c1d-9a2e-4c5b-8d7f-6e1a2b3c4d5e", "sha256": sha256("document 1")},
    {"name": "documents/5d0c7e9a-1f2b-4a3c-9b8d-0e1f2a3b4c5d", "sha256": sha256("document 2")},
]
_MANIFEST = {"manifestSha256": sha256("manifest")}
_RECEIPT = {"receiptSha256": sha256("receipt")}
_SIGNATURES = {"signatures": [SIGNATURE]}


def _payload(uri: str, subject: str, source: str, fields: Tree, *, book: Tree | None = None, **rest: object) -> Tree:
    """A statement that is not the first of its chain; `book` is its link in a book."""
    links = [{"chain": subject, "sequence": 4, "previous": sha256("before")}, *([book] if book else [])]
    said: Tree = {"policy": "urn:dabir:policy:1", "source": source, "assurance": "mtls", "links": links, **fields}
    return {
        "iss": "log.dabir.example/1",
        "iat": 1795342473,
        "toe": rest.get("toe", 1795342473),
        "jti": "019abb1e-7c15-7d3a-8f21-3b5c7d9e1f02",
        "sub": subject,
        "txn": subject.partition("/deliveries/")[0],
        "events": {uri: said},
    }


def _link(book: str, sequence: int) -> Tree:
    return {"chain": book, "sequence": sequence, "previous": sha256("before in the book")}


def _number(book: str, sequence: int, text: str) -> Tree:
    return {"number": {"book": book, "sequence": sequence, "text": text}, "registeredAt": "2026-11-22T10:14:33.123456Z"}


def registered() -> Tree:
    fields = {
        **_number(OUT, 345, "1405/12/345"),
        **_MANIFEST,
        "definitionSha256": sha256("definition"),
        "parties": [SENDER],
        "documents": DOCUMENTS,
        "recipients": [
            {"office": "bodies/central-bank/offices/registry", "documents": [1, 2]},
            {"office": "bodies/sample-bank/offices/tehran-12", "documents": [1]},
        ],
        "acceptanceDue": "2026-11-23T10:00:00Z",
        "answerDue": "2026-11-25T10:00:00Z",
        "signatures": [SIGNATURE, {**SIGNATURE, "fileSha256": sha256("co-signature file")}],
    }
    tree = _payload(f"{ETSI}SubmissionAcceptance", LETTER, "intake", fields, book=_link(OUT, 345))
    tree["events"][f"{ETSI}SubmissionAcceptance"]["links"][0] = {"chain": LETTER, "sequence": 1}
    return tree


def accepted() -> Tree:
    fields = {
        **_MANIFEST,
        "parties": [SENDER, RECIPIENT],
        "documents": DOCUMENTS,
        "recipients": [{"office": "bodies/central-bank/offices/registry", "documents": [1, 2]}],
        **_SIGNATURES,
        **_RECEIPT,
    }
    tree = _payload(f"{ETSI}ConsignmentAcceptance", DELIVERY, "intake", fields)
    tree["events"][f"{ETSI}ContentConsignment"] = {}
    return tree


def _available(**fields: object) -> Tree:
    said = {**_number(IN, 17, "1405/و/17"), **_MANIFEST, **fields}
    return _payload(f"{OWN}available", DELIVERY, "intake", said, book=_link(IN, 17))


def _by_receipt(uri: str, **fields: object) -> Tree:
    return _payload(uri, DELIVERY, "intake", {**_MANIFEST, "parties": [RECIPIENT], **_SIGNATURES, **_RECEIPT, **fields})


def _delivery(uri: str, source: str = "intake", **fields: object) -> Tree:
    return _payload(uri, DELIVERY, source, fields)


def _at(tree: Tree, toe: int) -> Tree:
    return {**tree, "toe": toe}


DUE = "2026-11-22T10:00:00Z"
DUE_SECONDS = 1795341600

GOOD: dict[str, Callable[[], Tree]] = {
    "registered": registered,
    "available": _available,
    "available after its due": lambda: _available(reason="HUB_LATE"),
    "accepted": accepted,
    "refused": lambda: _by_receipt(f"{ETSI}ConsignmentRejection", reason="RETURN_REASON_NOT_COMPETENT"),
    "nothing signed by acceptance due": lambda: _at(
        _delivery(f"{ETSI}AcceptanceRejectionExpiry", acceptanceDue=DUE), DUE_SECONDS
    ),
    "read": lambda: _delivery(f"{ETSI}ContentAccessTracking", parties=[RECIPIENT], operator="رئیس دبیرخانه"),
    "returned": lambda: _by_receipt(f"{OWN}returned", reason="RETURN_REASON_UNREADABLE"),
    "answered": lambda: _delivery(f"{OWN}answered", answerSha256=sha256("reply")),
    "no answer by answer due": lambda: _at(_delivery(f"{OWN}answer-overdue", answerDue=DUE), DUE_SECONDS),
    "withdrawn": lambda: _delivery(f"{OWN}withdrawn", recallSha256=sha256("recall")),
    "recall answered": lambda: _payload(
        f"{OWN}recall-answered",
        DELIVERY,
        "intake",
        {
            "parties": [RECIPIENT],
            **_SIGNATURES,
            **_RECEIPT,
            "recallSha256": sha256("recall"),
            "reason": "VERDICT_RECALL_GRANTED",
        },
    ),
    "recall asked": lambda: _payload(
        f"{OWN}recall",
        LETTER,
        "intake",
        {**_MANIFEST, "parties": [SENDER], **_SIGNATURES, "recallSha256": sha256("recall")},
    ),
    "closed": lambda: _payload(f"{OWN}closed", LETTER, "intake", {}),
    "closed as unclaimed": lambda: _payload(f"{OWN}closed", LETTER, "intake", {"reason": "UNCLAIMED"}),
    "number void": lambda: _payload(
        f"{OWN}void",
        BODY,
        "intake",
        {"number": {"book": OUT, "sequence": 346, "text": "1405/12/346"}, "reason": "WRITTEN_ON_PAPER"},
    ),
    "book closed": lambda: _payload(
        f"{OWN}book-closed",
        BODY,
        "intake",
        {"book": {"name": OUT, "first": 1, "last": 9, "count": 9, "head": sha256("head")}},
    ),
    "operator's action": lambda: _payload(
        f"{OWN}operator-action",
        LETTER,
        "intake",
        {
            "recipients": [{"office": "bodies/central-bank/offices/registry"}],
            "reason": "بانک تلفنی خواست دوباره فرستاده شود",
            "operator": "o.sample",
            "action": "RESEND_NOTIFICATION",
        },
    ),
    "operator's action on a link": lambda: _payload(
        f"{OWN}operator-action",
        BODY,
        "intake",
        {"reason": "link up again", "operator": "o.sample", "action": "RESUME_LINK"},
    ),
    "handed over": lambda: _delivery(f"{ETSI}ContentHandover", "documents", parties=[RECIPIENT], documents=DOCUMENTS),
    "notified": lambda: _delivery(f"{ETSI}NotificationForAcceptance", "notifications", channel="webhook"),
    "not notified": lambda: _delivery(
        f"{ETSI}NotificationForAcceptanceFailure", "notifications", reason="ENDPOINT_GONE", channel="webhook"
    ),
    "certificate added": lambda: _payload(f"{OWN}certificate-added", BODY, "directory", {"parties": [SENDER]}),
    "certificate revoked": lambda: _payload(
        f"{OWN}certificate-revoked", BODY, "directory", {"parties": [SENDER], "reason": "KEY_COMPROMISE"}
    ),
}


def payloads() -> list[Vector]:
    """Payloads to be signed as they are: what is wrong with a bad one is inside."""
    good = [Vector(name, dump(make())) for name, make in GOOD.items()]
    return [*good, *_more_good(), *_envelope(), *_events(), *_fields(), *_links(), *_details(), *_strict()]


def _said(tree: Tree) -> Any:
    return next(iter(tree["events"].values()))


def _with(tree: Tree, place: str, value: object) -> bytes:
    """Like `put`, in what is said of the first event."""
    uri = next(iter(tree["events"]))
    inner = put(tree["events"][uri], place, value)
    text = dump(tree).decode("utf-8")
    return text.replace(dump(tree["events"][uri]).decode("utf-8"), inner.decode("utf-8"), 1).encode("utf-8")


def _more_good() -> list[Vector]:
    first_book = _with(registered(), "links.1", {"chain": OUT, "sequence": 345, "previous": sha256("x")})
    return [
        Vector("checkpoint", _with(registered(), "checkpoint", {"size": 12, "root": sha256("root")})),
        Vector(
            "without dues", changed(registered(), lambda t: [_said(t).pop(k) for k in ("acceptanceDue", "answerDue")])
        ),
        Vector("confidential book", dump(registered()).replace(b"/out/1405", b"/out-confidential/1405")),
        Vector("Gregorian book", dump(registered()).replace(b"/out/1405", b"/out/2026")),
        Vector("first of a first book", changed(registered(), _first_of_first_book)),
        Vector("first of a later year", changed(registered(), _first_of_later_year)),
        Vector("seen by the hub", _with(GOOD["closed"](), "assurance", "hub")),
        Vector("withdrawn before it was available", _with(GOOD["withdrawn"](), "links.0.sequence", 1)),
        Vector("previous in the book", first_book),
    ]


def _first_of_later_year(tree: Tree) -> None:
    said = _said(tree)
    said["links"][1]["sequence"] = said["number"]["sequence"] = 1


def _first_of_first_book(tree: Tree) -> None:
    _first_of_later_year(tree)
    del _said(tree)["links"][1]["previous"]


def _envelope() -> list[Vector]:
    tree = registered()
    found = [Vector(f"no {name}", put(tree, name, ...), "MISSING_FIELD") for name in tree]
    bad = [
        ("issuer with a scheme", "iss", "https://log.dabir.example/1", "BAD_NAME"),
        ("jti of version 4", "jti", LETTER_UUID, "BAD_NAME"),
        ("stated before it happened", "toe", 1795342474, "EVENT_IN_FUTURE"),
        ("subject of no kind", "sub", "documents/" + LETTER_UUID, "BAD_NAME"),
        ("letter's event about a delivery", "sub", DELIVERY, "WRONG_SUBJECT"),
        ("transaction of another letter", "txn", "letters/7b0c9a52-3d1e-4f60-8a7b-2c4d6e8f0a1b", "WRONG_TXN"),
    ]
    found += [Vector(name, put(tree, place, value), reason, place) for name, place, value, reason in bad]
    available = GOOD["available"]()
    found.append(Vector("transaction is the delivery", put(available, "txn", DELIVERY), "WRONG_TXN", "txn"))
    found.append(Vector("delivery's event about a letter", put(available, "sub", LETTER), "WRONG_SUBJECT", "sub"))
    found.append(Vector("audience", put(tree, "aud", "x"), "UNKNOWN_FIELD"))
    found.append(Vector("expiry", put(tree, "exp", 1795342479), "UNKNOWN_FIELD"))
    return found


def _events() -> list[Vector]:
    tree = registered()
    said = _said(tree)
    consignment, accepted_uri = f"{ETSI}ContentConsignment", f"{ETSI}ConsignmentAcceptance"
    alone = changed(accepted(), lambda t: t["events"].pop(consignment))
    only_second = changed(accepted(), lambda t: t["events"].pop(accepted_uri))
    filled = changed(accepted(), lambda t: t["events"].update({consignment: {"policy": "urn:dabir:policy:1"}}))
    twice = replaced(tree, '"events":{', f'"events":{{"{ETSI}SubmissionAcceptance":{{}},')
    return [
        Vector("no event", put(tree, "events", {}), "EMPTY_VALUE", "events"),
        Vector("events a list", put(tree, "events", [said]), "WRONG_JSON_TYPE", "events"),
        Vector("unknown event", put(tree, "events", {"urn:dabir:event:lost": said}), "UNKNOWN_EVENT", "events"),
        Vector("two events", put(tree, "events", {**tree["events"], f"{OWN}closed": {}}), "WRONG_EVENTS", "events"),
        Vector("acceptance without consignment", alone, "WRONG_EVENTS", "events"),
        Vector("consignment without acceptance", only_second, "WRONG_EVENTS", "events"),
        Vector("consignment that says something", filled, "FIELD_NOT_ALLOWED", "events"),
        Vector("one event twice", twice, "DUPLICATE_KEY", "events"),
        Vector("event is null", put(tree, "events", {f"{OWN}closed": None}), "WRONG_JSON_TYPE", "events"),
        Vector(
            "bidi override in an event", put(tree, "events", {f"{OWN}closed\u202e": {}}), "BIDI_CHARACTER", "events"
        ),
    ]


# Of each event, the fields that must stand: taken away one by one.
_MUST = {
    "registered": "number registeredAt manifestSha256 definitionSha256 parties documents recipients signatures",
    "available": "number registeredAt manifestSha256",
    "accepted": "manifestSha256 parties documents recipients signatures receiptSha256",
    "refused": "manifestSha256 parties signatures receiptSha256 reason",
    "nothing signed by acceptance due": "acceptanceDue",
    "read": "parties",
    "returned": "manifestSha256 parties signatures receiptSha256 reason",
    "answered": "answerSha256",
    "no answer by answer due": "answerDue",
    "withdrawn": "recallSha256",
    "recall answered": "parties signatures receiptSha256 recallSha256 reason",
    "recall asked": "manifestSha256 parties signatures recallSha256",
    "number void": "number reason",
    "book closed": "book",
    "operator's action": "operator action reason",
    "handed over": "parties documents",
    "notified": "channel",
    "not notified": "channel reason",
    "certificate added": "parties",
    "certificate revoked": "parties",
}


def _fields() -> list[Vector]:
    found = []
    for name, fields in _MUST.items():
        for field in fields.split():
            bad = _with(GOOD[name](), field, ...)
            found.append(Vector(f"{name}, no {field}", bad, "MISSING_FIELD", "events"))
    common = ("policy", "source", "assurance", "links")
    found += [Vector(f"no {field}", _with(registered(), field, ...), "MISSING_FIELD", "events") for field in common]
    surplus = [
        ("registered", "receiptSha256", sha256("x")),
        ("registered", "reason", "HUB_LATE"),
        ("available", "parties", [SENDER]),
        ("accepted", "reason", "HUB_LATE"),
        ("answered", "answerDue", DUE),
        ("closed", "operator", "x"),
        ("notified", "reason", "ENDPOINT_GONE"),
        ("certificate added", "reason", "KEY_COMPROMISE"),
    ]
    for name, field, value in surplus:
        bad = _with(GOOD[name](), field, value)
        found.append(Vector(f"{name}, with {field}", bad, "FIELD_NOT_ALLOWED", "events"))
    wrong = [
        ("policy", "urn:dabir:policy:2", "WRONG_POLICY"),
        ("source", "evidence", "WRONG_SOURCE"),
        ("assurance", "hearsay", "WRONG_ASSURANCE"),
    ]
    return found + [Vector(f"wrong {f}", _with(registered(), f, value), reason, f) for f, value, reason in wrong]


def _links() -> list[Vector]:
    tree, available = registered(), GOOD["available"]()
    said = _said(tree)
    swapped, first = [said["links"][1], said["links"][0]], [said["links"][0]]
    letter = {"chain": LETTER, "sequence": 1, "previous": sha256("x")}
    later_without = {"chain": OUT, "sequence": 345}
    in_book = [available_link := _said(available)["links"][0], _link(OUT, 17)]
    return [
        Vector("links in disorder", _with(tree, "links", swapped), "WRONG_LINKS", "links"),
        Vector("no link in the book", _with(tree, "links", first), "WRONG_LINKS", "links"),
        Vector(
            "link in another book",
            _with(tree, "links.1.chain", OUT.replace("central", "other")),
            "WRONG_LINKS",
            "links",
        ),
        Vector("three links", _with(tree, "links", [*said["links"], available_link]), "WRONG_LINKS", "links"),
        Vector("link without sequence", _with(tree, "links.0.sequence", ...), "MISSING_FIELD", "links[0]"),
        Vector("letter's first has a previous", _with(tree, "links.0", letter), "WRONG_PREVIOUS", "links[0].previous"),
        Vector("letter's second has none", _with(tree, "links.0.sequence", 2), "WRONG_PREVIOUS", "links[0].previous"),
        Vector("book's later has none", _with(tree, "links.1", later_without), "WRONG_PREVIOUS", "links[1].previous"),
        Vector(
            "delivery's first has none",
            _with(available, "links.0", {"chain": DELIVERY, "sequence": 1}),
            "WRONG_PREVIOUS",
            "links[0].previous",
        ),
        Vector("number is not its place", _with(tree, "number.sequence", 346), "WRONG_NUMBER", "number.sequence"),
        Vector(
            "registered in an incoming book",
            dump(tree).replace(b"/out/1405", b"/in/1405"),
            "WRONG_NUMBER",
            "number.book",
        ),
        Vector("available in an outgoing book", _out_book(available, in_book), "WRONG_NUMBER", "number.book"),
    ]


def _out_book(tree: Tree, links: list[Tree]) -> bytes:
    def change(other: Tree) -> None:
        _said(other)["links"] = links
        _said(other)["number"]["book"] = OUT

    return changed(tree, change)


def _many_recipients(count: int) -> list[Tree]:
    return [{"office": f"bodies/body-{n}/offices/main", "documents": [1]} for n in range(count)]


def _details() -> list[Vector]:
    short = base64.b64encode(bytes(31)).decode()
    cases: list[tuple[str, str, str, object, str, str]] = [
        ("number without text", "registered", "number.text", ..., "MISSING_FIELD", "number"),
        ("number text of 65 characters", "registered", "number.text", "1" * 65, "TOO_LONG", "number.text"),
        (
            "registered another second",
            "registered",
            "registeredAt",
            "2026-11-22T10:14:32.999999Z",
            "WRONG_TIME",
            "registeredAt",
        ),
        ("registered in milliseconds", "registered", "registeredAt", "2026-11-22T10:14:33.123Z", "BAD_TIME", ""),
        ("registered in whole seconds", "registered", "registeredAt", "2026-11-22T10:14:33Z", "BAD_TIME", ""),
        ("due in microseconds", "registered", "answerDue", "2026-11-25T10:00:00.000000Z", "BAD_TIME", ""),
        ("two senders", "registered", "parties", [SENDER, RECIPIENT], "WRONG_PARTIES", "parties"),
        ("acceptance by one party", "accepted", "parties", [RECIPIENT], "WRONG_PARTIES", "parties"),
        ("party without certificate", "registered", "parties", [{"body": BODY}], "MISSING_FIELD", "parties[0]"),
        (
            "party is an office",
            "registered",
            "parties.0.body",
            f"{BODY}/offices/central",
            "BAD_NAME",
            "parties[0].body",
        ),
        ("book of another body", "registered", "parties.0.body", "bodies/justice", "WRONG_BODY", "parties[0].body"),
        (
            "accepted by another body",
            "accepted",
            "parties.1.body",
            "bodies/sample-bank",
            "WRONG_BODY",
            "parties[1].body",
        ),
        (
            "certificate of another body",
            "certificate added",
            "parties.0.body",
            "bodies/justice",
            "WRONG_BODY",
            "parties[0].body",
        ),
        (
            "void in another body's book",
            "number void",
            "number.book",
            OUT.replace("interior", "justice"),
            "WRONG_BODY",
            "number.book",
        ),
        (
            "closing another body's book",
            "book closed",
            "book.name",
            OUT.replace("interior", "justice"),
            "WRONG_BODY",
            "book.name",
        ),
        ("book with a gap", "book closed", "book.count", 8, "WRONG_COUNT", "book"),
        ("book from 2", "book closed", "book.first", 2, "WRONG_COUNT", "book"),
        ("book without head", "book closed", "book.head", ..., "MISSING_FIELD", "book"),
        ("document by its place", "registered", "documents.0.name", "documents/1", "BAD_NAME", "documents[0].name"),
        ("a document twice", "registered", "documents.1", DOCUMENTS[0], "DUPLICATE_ENTRY", "documents"),
        ("document without digest", "registered", "documents.0.sha256", ..., "MISSING_FIELD", "documents[0]"),
        (
            "an office twice",
            "registered",
            "recipients.1.office",
            "bodies/central-bank/offices/registry",
            "DUPLICATE_ENTRY",
            "recipients",
        ),
        ("recipient without office", "registered", "recipients.1.office", ..., "MISSING_FIELD", "recipients[1]"),
        (
            "void in a book without year",
            "number void",
            "number.book",
            "books/interior/central/out",
            "BAD_NAME",
            "number.book",
        ),
        (
            "recipient is a body",
            "registered",
            "recipients.0.office",
            "bodies/central-bank",
            "BAD_NAME",
            "recipients[0].office",
        ),
        ("501 recipients", "registered", "recipients", _many_recipients(501), "TOO_MANY", "recipients"),
        ("opened without being said", "accepted", "recipients.0.documents", ..., "MISSING_FIELD", "recipients[0]"),
        ("accepted by two receipts", "accepted", "signatures", [SIGNATURE] * 2, "TOO_MANY", "signatures"),
        ("granted is not said", "registered", "recipients.0.documents", ..., "MISSING_FIELD", "recipients[0]"),
        (
            "main is not granted",
            "registered",
            "recipients.0.documents",
            [2],
            "MAIN_NOT_GRANTED",
            "recipients[0].documents",
        ),
        (
            "granted document 3 of 2",
            "registered",
            "recipients.0.documents",
            [1, 3],
            "NO_SUCH_DOCUMENT",
            "recipients[0].documents",
        ),
        (
            "granted and documents differ",
            "accepted",
            "recipients.0.documents",
            [1],
            "WRONG_COUNT",
            "recipients[0].documents",
        ),
        (
            "granted in disorder",
            "registered",
            "recipients.0.documents",
            [2, 1],
            "NOT_ASCENDING",
            "recipients[0].documents",
        ),
        (
            "accepted for two offices",
            "accepted",
            "recipients",
            [{"office": f"bodies/central-bank/offices/{o}"} for o in ("one", "two")],
            "TOO_MANY",
            "recipients",
        ),
        ("nine signatures", "registered", "signatures", [SIGNATURE] * 9, "TOO_MANY", "signatures"),
        (
            "signature without certificates",
            "registered",
            "signatures.0.certificatesSha256",
            ...,
            "MISSING_FIELD",
            "signatures[0]",
        ),
        ("digest of 31 bytes", "registered", "manifestSha256", short, "BAD_DIGEST", "events.manifestSha256"),
        ("previous of 31 bytes", "registered", "links.1.previous", short, "BAD_DIGEST", "events.links.previous"),
        (
            "list with a digest of 31 bytes",
            "registered",
            "signatures.0.crlsSha256.0",
            short,
            "BAD_DIGEST",
            "events.signatures.crlsSha256",
        ),
        (
            "root of 31 bytes",
            "registered",
            "checkpoint",
            {"size": 1, "root": short},
            "BAD_DIGEST",
            "events.checkpoint.root",
        ),
        ("refused because unreadable", "refused", "reason", "RETURN_REASON_UNREADABLE", "REASON_NOT_ALLOWED", "reason"),
        ("returned for no known reason", "returned", "reason", "UNREADABLE", "REASON_NOT_ALLOWED", "reason"),
        ("available for no known reason", "available", "reason", "LATE", "REASON_NOT_ALLOWED", "reason"),
        (
            "recall neither granted nor refused",
            "recall answered",
            "reason",
            "VERDICT_ACCEPTED",
            "REASON_NOT_ALLOWED",
            "reason",
        ),
        ("failure told in words", "not notified", "reason", "the endpoint is gone", "BAD_CODE", "reason"),
        ("action told in words", "operator's action", "action", "resend it", "BAD_CODE", "action"),
        ("channel in capitals", "notified", "channel", "WEBHOOK", "BAD_CODE", "channel"),
        ("operator of 201 characters", "operator's action", "operator", "x" * 201, "TOO_LONG", "operator"),
        ("operator's reason of 501 characters", "operator's action", "reason", "x" * 501, "TOO_LONG", "reason"),
        (
            "101 documents",
            "registered",
            "documents",
            [{"name": f"documents/{n:08x}-0000-4000-8000-000000000000", "sha256": sha256("x")} for n in range(101)],
            "TOO_MANY",
            "documents",
        ),
    ]
    found = []
    for name, event, place, value, reason, path in cases:
        uri = next(iter(GOOD[event]()["events"]))
        where = f"events['{uri}'].{path_of(place)}" if reason == "BAD_TIME" else path
        found.append(Vector(name, _with(GOOD[event](), place, value), reason, where))
    for event in ("nothing signed by acceptance due", "no answer by answer due"):
        bad = put(GOOD[event](), "toe", DUE_SECONDS + 1)
        found.append(Vector(f"{event}, effective another time", bad, "WRONG_TIME", "toe"))
    return found


def _strict() -> list[Vector]:
    tree = registered()
    return [
        Vector(
            "proto spelling",
            replaced(tree, '"registeredAt"', '"registered_at"'),
            "WRONG_SPELLING",
            f"events['{ETSI}SubmissionAcceptance']",
        ),
        Vector("int64 as protobuf prints it", put(tree, "iat", "1795342473"), "WRONG_JSON_TYPE", "iat"),
        Vector("iat with a fraction", put(tree, "iat", 1795342473.5), "NOT_PLAIN_DIGITS", "iat"),
        Vector("payload not JSON", b"{", "NOT_JSON"),
        Vector("two payloads", dump(tree) + dump(tree), "NOT_JSON"),
    ]
