"""Manifests, good and bad."""

import base64
import hashlib

from tests.vectors.cases import strict
from tests.vectors.cases.vector import Tree, Vector, changed, dump, path_of, put

LETTER_UUID = "2f6a3f0e-5b1c-4d7e-9a43-0c7d1e5b8f21"


def sha256(text: str) -> str:
    """base64 of SHA-256, for a digest that stands for something."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


LEAST: Tree = {
    "type": "dabir.letter.v1",
    "letterUuid": LETTER_UUID,
    "hub": "log.dabir.example/1",
    "writtenAt": "2026-11-22T10:14:32Z",
    "definition": "definitions/administrative/1",
    "sender": {"body": "bodies/interior", "office": "bodies/interior/offices/central"},
    "signers": [{"position": "مدیرکل دفتر وزارتی", "certificateSha256": sha256("signer")}],
    "recipients": [{"office": "bodies/central-bank/offices/registry", "kind": "RECIPIENT_KIND_TO"}],
    "subject": "معرفی نماینده",
    "priority": "PRIORITY_NORMAL",
    "classification": "CLASSIFICATION_NORMAL",
    "documents": [
        {
            "index": 1,
            "role": "DOCUMENT_ROLE_MAIN",
            "fileName": "نامه.pdf",
            "mediaType": "application/pdf",
            "sizeBytes": 48213,
            "sha256": sha256("document 1"),
        }
    ],
}

FULL: Tree = {
    "type": "dabir.letter.v1",
    "letterUuid": LETTER_UUID,
    "hub": "log.dabir.example/1",
    "writtenAt": "2026-11-22T10:14:32Z",
    "definition": "definitions/bank-inquiry/12",
    "sender": {
        "body": "bodies/interior",
        "office": "bodies/interior/offices/central",
        "number": "د/77",
        "date": "2026-11-22",
    },
    "signers": [
        {
            "position": "قائم‌مقام وزیر",
            "capacity": "CAPACITY_ON_BEHALF",
            "onBehalfOf": "وزیر کشور",
            "decree": "حکم ۱۲/۴۵۶",
            "certificateSha256": sha256("signer"),
        },
        {"position": "مدیرکل حقوقی", "capacity": "CAPACITY_SELF", "certificateSha256": sha256("co-signer")},
    ],
    "recipients": [
        {
            "office": "bodies/central-bank/offices/registry",
            "position": "رئیس کل",
            "kind": "RECIPIENT_KIND_TO",
            "note": "یک خط",
            "documents": [1, 2],
            "acceptanceNeeded": True,
            "answerNeeded": True,
        },
        {"office": "bodies/sample-bank/offices/tehran-12", "kind": "RECIPIENT_KIND_COPY", "documents": [1]},
    ],
    "subject": "استعلام حساب‌ها — نامهٔ محرمانه",
    "abstract": "فهرست حساب‌ها اعلام شود.",
    "language": "fa",
    "keywords": ["حساب", "استعلام"],
    "relations": [
        {"kind": "RELATION_KIND_REPLY_TO", "letter": "letters/7b0c9a52-3d1e-4f60-8a7b-2c4d6e8f0a1b"},
        {"kind": "RELATION_KIND_CITES", "body": "شهرداری تهران", "number": "۱۲/۳۴۵", "date": "2025-03-21"},
    ],
    "priority": "PRIORITY_URGENT",
    "classification": "CLASSIFICATION_CONFIDENTIAL",
    "classificationBasis": "ماده ۲",
    "legalBasis": ["قانون آیین دادرسی، ماده ۲۱۲"],
    "acceptanceDue": "2026-11-23T10:00:00Z",
    "answerDue": "2026-11-25T10:00:00Z",
    "documents": [
        {
            "index": 1,
            "role": "DOCUMENT_ROLE_MAIN",
            "fileName": "letter.pdf",
            "mediaType": "application/pdf",
            "pages": 2,
            "sizeBytes": 48213,
            "sha256": sha256("document 1"),
        },
        {
            "index": 2,
            "role": "DOCUMENT_ROLE_ANNEX",
            "fileName": "accounts.json",
            "mediaType": "application/json",
            "sizeBytes": 912,
            "sha256": sha256("document 2"),
        },
    ],
    "handAnnexes": [{"description": "لوح فشرده", "count": 1}],
    "retentionSchedule": "administrative-10y",
    "payload": {"type": "urn:dabir:payload:account-inquiry:1", "document": 2},
}


def vectors() -> list[Vector]:
    good = [Vector("least", dump(LEAST)), Vector("every field", dump(FULL)), *_more_good()]
    return [*good, *strict.vectors(FULL), *_header(), *_signers(), *_recipients(), *_documents(), *_relations()]


def _more_good() -> list[Vector]:
    capacities = ("CAPACITY_DEPUTY", "CAPACITY_ACTING")
    found = [Vector(name, put(FULL, "signers.0.capacity", name)) for name in capacities]
    found += [Vector(f"{name} for nobody named", put(LEAST, "signers.0.capacity", name)) for name in capacities]
    found.append(Vector("500 recipients", changed(LEAST, lambda m: m.update(recipients=_offices(500)))))
    found.append(Vector("100 documents", changed(LEAST, lambda m: m.update(documents=_many_documents(100)))))
    found.append(Vector("subject of 500 characters", put(LEAST, "subject", "ن" * 500)))
    return found


def _offices(count: int) -> list[Tree]:
    return [{"office": f"bodies/body-{n}/offices/main", "kind": "RECIPIENT_KIND_TO"} for n in range(count)]


def _many_documents(count: int) -> list[Tree]:
    main, annex = LEAST["documents"][0], FULL["documents"][1]
    return [{**(annex if n else main), "index": n + 1} for n in range(count)]


_REQUIRED = [
    "letterUuid",
    "hub",
    "writtenAt",
    "definition",
    "sender",
    "signers",
    "recipients",
    "subject",
    "priority",
    "classification",
    "documents",
    "sender.body",
    "sender.office",
    "signers.0.position",
    "signers.0.certificateSha256",
    "recipients.0.office",
    "recipients.0.kind",
    "documents.0.index",
    "documents.0.role",
    "documents.0.fileName",
    "documents.0.mediaType",
    "documents.0.sizeBytes",
    "documents.0.sha256",
    "relations.0.kind",
    "relations.1.body",
    "relations.1.number",
    "relations.1.date",
    "handAnnexes.0.description",
    "handAnnexes.0.count",
    "payload.type",
    "payload.document",
]


def _header() -> list[Vector]:
    found = [
        Vector(f"no {place}", put(FULL, place, ...), "MISSING_FIELD", path_of(place.rpartition(".")[0]))
        for place in _REQUIRED
    ]
    bad = [
        ("no type", "type", ..., "WRONG_TYPE"),
        ("type of a receipt", "type", "dabir.receipt.v1", "WRONG_TYPE"),
        ("type of a later version", "type", "dabir.letter.v2", "WRONG_TYPE"),
        ("UUIDv7", "letterUuid", "01990f3e-5b1c-7d7e-9a43-0c7d1e5b8f21", "BAD_NAME"),
        ("UUID in capitals", "letterUuid", LETTER_UUID.upper(), "BAD_NAME"),
        ("UUID in braces", "letterUuid", f"{{{LETTER_UUID}}}", "BAD_NAME"),
        ("UUID of another variant", "letterUuid", LETTER_UUID.replace("-9a43", "-ca43"), "BAD_NAME"),
        ("hub with a scheme", "hub", "https://log.dabir.example/1", "BAD_NAME"),
        ("hub in capitals", "hub", "Log.dabir.example/1", "BAD_NAME"),
        ("definition without version", "definition", "definitions/administrative", "BAD_NAME"),
        ("definition of version 0", "definition", "definitions/administrative/0", "BAD_NAME"),
        ("definition climbing", "definition", "definitions/../1", "BAD_NAME"),
        ("body with a capital", "sender.body", "bodies/Interior", "BAD_NAME"),
        ("body of one letter", "sender.body", "bodies/i", "BAD_NAME"),
        ("body of 64 letters", "sender.body", "bodies/" + "i" * 64, "BAD_NAME"),
        ("office of another body", "sender.office", "bodies/justice/offices/central", "OFFICE_OF_OTHER_BODY"),
        ("number of 65 characters", "sender.number", "۷" * 65, "TOO_LONG"),
        ("office without its body", "sender.office", "offices/central", "BAD_NAME"),
        ("date without hyphens", "sender.date", "20261122", "BAD_DATE"),
        ("date by week", "sender.date", "2026-W47-7", "BAD_DATE"),
        ("Jalali date", "sender.date", "1405/09/01", "BAD_DATE"),
        ("day 31 of November", "sender.date", "2026-11-31", "BAD_DATE"),
        ("subject of 501 characters", "subject", "ن" * 501, "TOO_LONG"),
        ("abstract of 4,001 characters", "abstract", "ن" * 4_001, "TOO_LONG"),
        ("language as a word", "language", "Farsi!", "BAD_LANGUAGE"),
        ("33 keywords", "keywords", ["x"] * 33, "TOO_MANY"),
        ("keyword of 65 characters", "keywords.1", "x" * 65, "TOO_LONG"),
        ("classification basis of 501 characters", "classificationBasis", "x" * 501, "TOO_LONG"),
        ("17 legal bases", "legalBasis", ["x"] * 17, "TOO_MANY"),
        ("legal basis of 501 characters", "legalBasis.0", "x" * 501, "TOO_LONG"),
        ("33 annexes by hand", "handAnnexes", [{"description": "x", "count": 1}] * 33, "TOO_MANY"),
        ("annex by hand of 501 characters", "handAnnexes.0.description", "x" * 501, "TOO_LONG"),
        ("retention schedule with a space", "retentionSchedule", "ten years", "BAD_NAME"),
    ]
    return found + [_bad(*case) for case in bad]


def _bad(name: str, place: str, value: object, reason: str) -> Vector:
    return Vector(name, put(FULL, place, value), reason, path_of(place))


def _signers() -> list[Vector]:
    signer = FULL["signers"][0]
    many = [{"position": "x", "certificateSha256": sha256(str(n))} for n in range(9)]
    found = [
        _bad("9 signers", "signers", many, "TOO_MANY"),
        _bad("one certificate twice", "signers.1", signer, "DUPLICATE_SIGNER"),
        _bad("digest of 31 bytes", "signers.0.certificateSha256", base64.b64encode(bytes(31)).decode(), "BAD_DIGEST"),
        _bad("position of 201 characters", "signers.0.position", "x" * 201, "TOO_LONG"),
        _bad("principal of 201 characters", "signers.0.onBehalfOf", "x" * 201, "TOO_LONG"),
        _bad("decree of 201 characters", "signers.0.decree", "x" * 201, "TOO_LONG"),
    ]
    self_for = put(FULL, "signers.0.capacity", "CAPACITY_SELF")
    found.append(Vector("for another in one's own capacity", self_for, "FIELD_NOT_ALLOWED", "signers[0]"))
    absent = put(FULL, "signers.0.capacity", ...)
    found.append(Vector("for another without capacity", absent, "FIELD_NOT_ALLOWED", "signers[0]"))
    found.append(Vector("on behalf of nobody", put(FULL, "signers.0.onBehalfOf", ...), "MISSING_FIELD", "signers[0]"))
    return found


def _recipients() -> list[Vector]:
    office = FULL["recipients"][0]["office"]
    return [
        _bad("501 recipients", "recipients", _offices(501), "TOO_MANY"),
        _bad("copies only", "recipients", FULL["recipients"][1:], "NO_TO_RECIPIENT"),
        _bad("an office twice", "recipients.1.office", office, "DUPLICATE_RECIPIENT"),
        _bad("recipient is a body", "recipients.0.office", "bodies/central-bank", "BAD_NAME"),
        _bad("note of 2,001 characters", "recipients.0.note", "x" * 2_001, "TOO_LONG"),
        _bad("attention of 201 characters", "recipients.0.position", "x" * 201, "TOO_LONG"),
        _bad("without document 1", "recipients.0.documents", [2], "MAIN_NOT_GRANTED"),
        _bad("a document twice", "recipients.0.documents", [1, 2, 2], "NOT_ASCENDING"),
        _bad("documents in disorder", "recipients.0.documents", [2, 1], "NOT_ASCENDING"),
        _bad("a document that is not there", "recipients.0.documents", [1, 3], "NO_SUCH_DOCUMENT"),
    ]


def _documents() -> list[Vector]:
    return [
        _bad("101 documents", "documents", _many_documents(101), "TOO_MANY"),
        _bad("index 3 at place 2", "documents.1.index", 3, "WRONG_INDEX"),
        _bad("first is an annex", "documents.0.role", "DOCUMENT_ROLE_ANNEX", "WRONG_ROLE"),
        _bad("second is main", "documents.1.role", "DOCUMENT_ROLE_MAIN", "WRONG_ROLE"),
        _bad("document digest of 33 bytes", "documents.0.sha256", base64.b64encode(bytes(33)).decode(), "BAD_DIGEST"),
        _bad("file name with a path", "documents.0.fileName", "../letter.pdf", "BAD_FILE_NAME"),
        _bad("file name with a backslash", "documents.0.fileName", "c:\\letter.pdf", "BAD_FILE_NAME"),
        _bad("file name of dots", "documents.0.fileName", "..", "BAD_FILE_NAME"),
        _bad("file name of 256 characters", "documents.0.fileName", "x" * 256, "TOO_LONG"),
        _bad("media type without a slash", "documents.0.mediaType", "pdf", "BAD_MEDIA_TYPE"),
        _bad("media type with a parameter", "documents.0.mediaType", "text/plain; charset=utf-8", "BAD_MEDIA_TYPE"),
        _bad("payload of no URN", "payload.type", "https://example.org/schema", "BAD_URN"),
        _bad("payload in a document that is not there", "payload.document", 3, "NO_SUCH_DOCUMENT"),
    ]


def _relations() -> list[Vector]:
    both = {"kind": "RELATION_KIND_CITES", "letter": f"letters/{LETTER_UUID}", "number": "12"}
    return [
        _bad("33 relations", "relations", [FULL["relations"][0]] * 33, "TOO_MANY"),
        _bad("relation to a delivery", "relations.0.letter", f"letters/{LETTER_UUID}/deliveries/1", "BAD_NAME"),
        _bad("relation by letter and number", "relations.0", both, "FIELD_NOT_ALLOWED"),
        _bad("body's name of 201 characters", "relations.1.body", "x" * 201, "TOO_LONG"),
        _bad("relation's number of 65 characters", "relations.1.number", "x" * 65, "TOO_LONG"),
        _bad("relation's Jalali date", "relations.1.date", "1404/01/01", "BAD_DATE"),
    ]
