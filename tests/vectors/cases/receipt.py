"""Receipts and recalls, good and bad."""

import base64

from tests.vectors.cases.manifest import LETTER_UUID, sha256
from tests.vectors.cases.vector import Tree, Vector, changed, dump, path_of, put, replaced

LETTER = f"letters/{LETTER_UUID}"
OTHER_LETTER = "letters/7b0c9a52-3d1e-4f60-8a7b-2c4d6e8f0a1b"
NONCE = base64.b64encode(bytes(range(16))).decode("ascii")

ACCEPTED: Tree = {
    "type": "dabir.receipt.v1",
    "hub": "log.dabir.example/1",
    "delivery": f"{LETTER}/deliveries/1",
    "inNumber": {"book": "books/central-bank/registry/in/1405", "sequence": 17},
    "letter": LETTER,
    "manifestSha256": sha256("manifest"),
    "submissionAcceptanceSha256": sha256("submission acceptance"),
    "verdict": "VERDICT_ACCEPTED",
    "signedAt": "2026-11-22T10:20:05Z",
    "nonce": NONCE,
}
RETURNED: Tree = {
    **{key: value for key, value in ACCEPTED.items() if key not in ("verdict", "signedAt", "nonce")},
    "verdict": "VERDICT_RETURNED",
    "reason": "RETURN_REASON_ATTACHMENT_MISSING",
    "incomingNumber": "۱۴۰۵/و/۱۷",
    "incomingDate": "2026-11-22",
    "signedAt": "2026-11-22T10:20:05Z",
    "nonce": NONCE,
    "actingPerson": {"position": "مسئول دبیرخانه", "name": "م. نمونه"},
    "documents": [{"index": 1, "sha256": sha256("document 1")}, {"index": 2, "sha256": sha256("document 2")}],
}
REFUSED: Tree = {**ACCEPTED, "verdict": "VERDICT_REFUSED", "reason": "RETURN_REASON_NOT_COMPETENT"}
GRANTED: Tree = {**ACCEPTED, "verdict": "VERDICT_RECALL_GRANTED", "recallSha256": sha256("recall")}

RECALL: Tree = {
    "type": "dabir.recall.v1",
    "hub": "log.dabir.example/1",
    "letter": LETTER,
    "manifestSha256": sha256("manifest"),
    "deliveries": [f"{LETTER}/deliveries/1", f"{LETTER}/deliveries/12"],
    "reason": "شمارهٔ حساب اشتباه است.",
    "writtenAt": "2026-11-22T10:30:00Z",
    "nonce": NONCE,
}

REFUSAL_REASONS = ("WRONG_ADDRESSEE", "NOT_COMPETENT", "DUPLICATE", "CLASSIFICATION_NOT_ALLOWED")
RETURN_ONLY_REASONS = ("ATTACHMENT_MISSING", "UNREADABLE", "SIGNATURE_DOUBTED")


def receipts() -> list[Vector]:
    return [*_good(), *_reasons(), *_bad_fields(), *_bad_together()]


def _good() -> list[Vector]:
    return [
        Vector("accepted", dump(ACCEPTED)),
        Vector("refused", dump(REFUSED)),
        Vector("returned, every field", dump(RETURNED)),
        Vector("returned, nothing downloaded", put(RETURNED, "documents", ...)),
        Vector("returned, nothing downloaded, written out", put(RETURNED, "documents", [])),
        Vector("recall granted", dump(GRANTED)),
        Vector("recall refused", put(GRANTED, "verdict", "VERDICT_RECALL_REFUSED")),
        Vector("acting person by position only", put(RETURNED, "actingPerson.name", ...)),
    ]


def _reasons() -> list[Vector]:
    found = []
    for name in (*REFUSAL_REASONS, *RETURN_ONLY_REASONS):
        reason = f"RETURN_REASON_{name}"
        found.append(Vector(f"returned: {name}", put(RETURNED, "reason", reason)))
        wrong = ("REASON_NOT_ALLOWED", "reason") if name in RETURN_ONLY_REASONS else ("", "")
        found.append(Vector(f"refused: {name}", put(REFUSED, "reason", reason), *wrong))
    return found


_REQUIRED = [
    "hub",
    "delivery",
    "inNumber",
    "letter",
    "manifestSha256",
    "submissionAcceptanceSha256",
    "verdict",
    "signedAt",
    "nonce",
    "inNumber.book",
    "inNumber.sequence",
    "reason",
    "documents.0.index",
    "documents.0.sha256",
]


def _bad_fields() -> list[Vector]:
    found = [
        Vector(f"no {place}", put(RETURNED, place, ...), "MISSING_FIELD", path_of(place.rpartition(".")[0]))
        for place in _REQUIRED
    ]
    book = "books/central-bank/registry"
    bad = [
        ("no type", "type", ..., "WRONG_TYPE"),
        ("type of a letter", "type", "dabir.letter.v1", "WRONG_TYPE"),
        ("type of a recall", "type", "dabir.recall.v1", "WRONG_TYPE"),
        ("hub with a scheme", "hub", "https://log.dabir.example/1", "BAD_NAME"),
        ("delivery 0", "delivery", f"{LETTER}/deliveries/0", "BAD_NAME"),
        ("delivery 501", "delivery", f"{LETTER}/deliveries/501", "BAD_NAME"),
        ("delivery 01", "delivery", f"{LETTER}/deliveries/01", "BAD_NAME"),
        ("delivery in Persian digits", "delivery", f"{LETTER}/deliveries/۱", "BAD_NAME"),
        ("delivery of another letter", "delivery", f"{OTHER_LETTER}/deliveries/1", "DELIVERY_OF_OTHER_LETTER"),
        ("letter is a delivery", "letter", f"{LETTER}/deliveries/1", "BAD_NAME"),
        ("outgoing book", "inNumber.book", f"{book}/out/1405", "NOT_AN_IN_BOOK"),
        ("book without year", "inNumber.book", f"{book}/in", "BAD_NAME"),
        ("book of an unknown direction", "inNumber.book", f"{book}/inside/1405", "BAD_NAME"),
        ("manifest digest of 20 bytes", "manifestSha256", base64.b64encode(bytes(20)).decode(), "BAD_DIGEST"),
        (
            "acceptance digest of 48 bytes",
            "submissionAcceptanceSha256",
            base64.b64encode(bytes(48)).decode(),
            "BAD_DIGEST",
        ),
        ("nonce of 15 bytes", "nonce", base64.b64encode(bytes(15)).decode(), "BAD_NONCE"),
        ("incoming number of 65 characters", "incomingNumber", "x" * 65, "TOO_LONG"),
        ("Jalali incoming date", "incomingDate", "1405/09/01", "BAD_DATE"),
        ("signed with an offset", "signedAt", "2026-11-22T13:50:05+03:30", "BAD_TIME"),
        ("position of 201 characters", "actingPerson.position", "x" * 201, "TOO_LONG"),
        ("name of 201 characters", "actingPerson.name", "x" * 201, "TOO_LONG"),
        ("document digest of 31 bytes", "documents.0.sha256", base64.b64encode(bytes(31)).decode(), "BAD_DIGEST"),
        ("unknown verdict", "verdict", "VERDICT_READ", "UNKNOWN_ENUM_NAME"),
        ("unknown reason", "reason", "RETURN_REASON_DISLIKED", "UNKNOWN_ENUM_NAME"),
        ("note", "note", "x", "UNKNOWN_FIELD"),
    ]
    for name, place, value, reason in bad:
        path = "" if reason == "UNKNOWN_FIELD" else path_of(place)
        found.append(Vector(name, put(RETURNED, place, value), reason, path))
    return found


def _bad_together() -> list[Vector]:
    documents = RETURNED["documents"]
    many = [{"index": n, "sha256": sha256(str(n))} for n in range(1, 102)]
    spelled = replaced(RETURNED, '"documents"', '"documents":[],"documents"')
    return [
        Vector("accepted with a reason", put(ACCEPTED, "reason", REFUSED["reason"]), "FIELD_NOT_ALLOWED"),
        Vector("accepted with documents", put(ACCEPTED, "documents", documents), "FIELD_NOT_ALLOWED"),
        Vector("accepted with an empty list", put(ACCEPTED, "documents", []), "EMPTY_VALUE", "documents"),
        Vector("documents twice, once empty", spelled, "DUPLICATE_KEY"),
        Vector("documents an empty object", put(RETURNED, "documents", {}), "WRONG_JSON_TYPE", "documents"),
        Vector("accepted with a recall", put(ACCEPTED, "recallSha256", sha256("recall")), "FIELD_NOT_ALLOWED"),
        Vector("recall granted, of no recall", put(GRANTED, "recallSha256", ...), "MISSING_FIELD"),
        Vector("recall granted with a reason", put(GRANTED, "reason", REFUSED["reason"]), "FIELD_NOT_ALLOWED"),
        Vector(
            "recall digest of 31 bytes",
            put(GRANTED, "recallSha256", base64.b64encode(bytes(31)).decode()),
            "BAD_DIGEST",
            "recallSha256",
        ),
        Vector("a document twice", put(RETURNED, "documents.1.index", 1), "NOT_ASCENDING", "documents"),
        Vector("document 101", put(RETURNED, "documents.1.index", 101), "NO_SUCH_DOCUMENT", "documents[1]"),
        Vector("101 documents", put(RETURNED, "documents", many), "TOO_MANY", "documents"),
        Vector(
            "bidi override in the number",
            put(RETURNED, "incomingNumber", "\u202e71"),
            "BIDI_CHARACTER",
            "incomingNumber",
        ),
    ]


def recalls() -> list[Vector]:
    required = ["hub", "letter", "manifestSha256", "reason", "writtenAt", "nonce"]
    found = [Vector("two deliveries", dump(RECALL)), Vector("the whole letter", put(RECALL, "deliveries", ...))]
    found += [Vector(f"no {place}", put(RECALL, place, ...), "MISSING_FIELD") for place in required]
    bad = [
        ("type of a receipt", "type", "dabir.receipt.v1", "WRONG_TYPE", "type"),
        ("hub in capitals", "hub", "LOG.dabir.example/1", "BAD_NAME", "hub"),
        ("letter by UUID", "letter", LETTER_UUID, "BAD_NAME", "letter"),
        ("digest of 31 bytes", "manifestSha256", base64.b64encode(bytes(31)).decode(), "BAD_DIGEST", "manifestSha256"),
        ("no delivery listed", "deliveries", [], "EMPTY_VALUE", "deliveries"),
        (
            "delivery of another letter",
            "deliveries.1",
            f"{OTHER_LETTER}/deliveries/12",
            "DELIVERY_OF_OTHER_LETTER",
            "deliveries[1]",
        ),
        ("a delivery twice", "deliveries.1", f"{LETTER}/deliveries/1", "NOT_ASCENDING", "deliveries"),
        ("delivery is a letter", "deliveries.0", LETTER, "BAD_NAME", "deliveries[0]"),
        ("reason of 2,001 characters", "reason", "x" * 2_001, "TOO_LONG", "reason"),
        ("line feed in the reason", "reason", "a\nb", "CONTROL_CHARACTER", "reason"),
        ("nonce of 17 bytes", "nonce", base64.b64encode(bytes(17)).decode(), "BAD_NONCE", "nonce"),
    ]
    found += [Vector(name, put(RECALL, place, value), reason, path) for name, place, value, reason, path in bad]
    deliveries = [f"{LETTER}/deliveries/{n}" for n in range(1, 501)]
    found.append(Vector("500 deliveries", changed(RECALL, lambda recall: recall.update(deliveries=deliveries))))
    many = [*deliveries, deliveries[0]]
    found.append(Vector("501 deliveries", put(RECALL, "deliveries", many), "TOO_MANY", "deliveries"))
    return found
