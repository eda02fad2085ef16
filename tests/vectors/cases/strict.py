"""Strict JSON's own rules, shown on a manifest; every message keeps them."""

from tests.vectors.cases.vector import Tree, Vector, dump, put, replaced

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def vectors(good: Tree) -> list[Vector]:
    """`good` is a manifest with a note, an abstract, two recipients and two documents."""
    return [*_encoding(good), *_objects(good), *_values(good), *_times(good), *_characters(good)]


def _encoding(good: Tree) -> list[Vector]:
    data = dump(good)
    return [
        Vector("whitespace between tokens", data.replace(b',"', b' ,\r\n\t"')),
        Vector("non-ASCII escaped", dump(good).replace("نامه".encode(), rb"\u0646\u0627\u0645\u0647")),
        Vector("byte order mark", b"\xef\xbb\xbf" + data, "BYTE_ORDER_MARK"),
        Vector("UTF-16", data.decode("utf-8").encode("utf-16-le"), "NOT_UTF8"),
        Vector("overlong UTF-8", data.replace(b'"fa"', b'"f\xc0\xa1"'), "NOT_UTF8"),
        Vector("surrogate in UTF-8", data.replace(b'"fa"', b'"f\xed\xa0\x80"'), "NOT_UTF8"),
        Vector("empty", b"", "NOT_JSON"),
        Vector("not JSON", b"<letter/>", "NOT_JSON"),
        Vector("trailing comma", data[:-1] + b",}", "NOT_JSON"),
        Vector("comment", b"/* */" + data, "NOT_JSON"),
        Vector("two values", data + b"{}", "NOT_JSON"),
        Vector("cut off", data[:-20], "NOT_JSON"),
        Vector("a list", b"[" + data + b"]", "WRONG_JSON_TYPE"),
        Vector("a string", b'"dabir.letter.v1"', "WRONG_JSON_TYPE"),
        Vector("nine deep", b'{"a":' * 9 + b"1" + b"}" * 9, "TOO_DEEP"),
        Vector("a thousand deep", b"[" * 1_000, "TOO_DEEP"),
    ]


def _objects(good: Tree) -> list[Vector]:
    text = dump(good).decode("utf-8")
    uuid = good["letterUuid"]
    return [
        Vector("unknown field", put(good, "sealed", True), "UNKNOWN_FIELD"),
        Vector("unknown field inside", put(good, "sender.name", "x"), "UNKNOWN_FIELD", "sender"),
        Vector("wrong case", replaced(good, '"letterUuid"', '"LetterUuid"'), "UNKNOWN_FIELD"),
        Vector("field number", put(good, "2", uuid), "UNKNOWN_FIELD"),
        Vector("proto spelling", replaced(good, '"letterUuid"', '"letter_uuid"'), "WRONG_SPELLING"),
        Vector("duplicate key", f'{{"subject":"a",{text[1:]}'.encode(), "DUPLICATE_KEY"),
        Vector("duplicate key by an escape", f'{{"s\\u0075bject":"a",{text[1:]}'.encode(), "DUPLICATE_KEY"),
        Vector("duplicate key in both spellings", f'{{"letter_uuid":"{uuid}",{text[1:]}'.encode(), "DUPLICATE_KEY"),
        Vector("duplicate unknown key", f'{{"x":1,"x":2,{text[1:]}'.encode(), "DUPLICATE_KEY"),
        Vector(
            "duplicate key inside", replaced(good, '"pages":2', '"pages":2,"pages":2'), "DUPLICATE_KEY", "documents[0]"
        ),
    ]


def _values(good: Tree) -> list[Vector]:
    size, digest = "documents.0.sizeBytes", "documents.0.sha256"
    path, digest_path = "documents[0].sizeBytes", "documents[0].sha256"
    sha256 = good["documents"][0]["sha256"]
    return [
        Vector("false written out", put(good, "recipients.1.answerNeeded", False)),
        Vector("largest integer", put(good, size, 2**53 - 1)),
        Vector("null", put(good, "abstract", None), "NULL_VALUE", "abstract"),
        Vector("null for an object", put(good, "sender", None), "NULL_VALUE", "sender"),
        Vector("null in a list", put(good, "keywords.0", None), "NULL_VALUE", "keywords[0]"),
        Vector("empty string", put(good, "abstract", ""), "EMPTY_VALUE", "abstract"),
        Vector("empty list", put(good, "recipients.0.documents", []), "EMPTY_VALUE", "recipients[0].documents"),
        Vector("empty object", put(good, "payload", {}), "EMPTY_VALUE", "payload"),
        Vector("zero", put(good, "documents.0.pages", 0), "EMPTY_VALUE", "documents[0].pages"),
        Vector("object for a string", put(good, "subject", {}), "WRONG_JSON_TYPE", "subject"),
        Vector("string for an object", put(good, "sender", "x"), "WRONG_JSON_TYPE", "sender"),
        Vector("string for a list", put(good, "keywords", "x"), "WRONG_JSON_TYPE", "keywords"),
        Vector("object for a list", put(good, "keywords", {"0": "x"}), "WRONG_JSON_TYPE", "keywords"),
        Vector("number for a string", put(good, "subject", 7), "WRONG_JSON_TYPE", "subject"),
        Vector("string for a number", put(good, size, "48213"), "WRONG_JSON_TYPE", path),
        Vector(
            "number for a flag",
            put(good, "recipients.0.answerNeeded", 1),
            "WRONG_JSON_TYPE",
            "recipients[0].answerNeeded",
        ),
        Vector(
            "string for a flag",
            put(good, "recipients.0.answerNeeded", "true"),
            "WRONG_JSON_TYPE",
            "recipients[0].answerNeeded",
        ),
        Vector("true for a number", put(good, size, True), "WRONG_JSON_TYPE", path),
        Vector("fraction", put(good, size, 48213.5), "NOT_PLAIN_DIGITS", path),
        Vector("fraction of zeros", replaced(good, "48213", "48213.0"), "NOT_PLAIN_DIGITS", path),
        Vector("exponent", replaced(good, "48213", "48e3"), "NOT_PLAIN_DIGITS", path),
        Vector("negative", put(good, size, -1), "NOT_PLAIN_DIGITS", path),
        Vector("minus zero", replaced(good, "48213", "-0"), "NOT_PLAIN_DIGITS", path),
        Vector("NaN", replaced(good, "48213", "NaN"), "NOT_PLAIN_DIGITS", path),
        Vector("Infinity", replaced(good, "48213", "Infinity"), "NOT_PLAIN_DIGITS", path),
        Vector("leading zero", replaced(good, "48213", "048213"), "NOT_JSON"),
        Vector("plus sign", replaced(good, "48213", "+48213"), "NOT_JSON"),
        Vector("Persian digits", replaced(good, "48213", "۴۸۲۱۳"), "NOT_JSON"),
        Vector("2^53", put(good, size, 2**53), "OUT_OF_RANGE", path),
        Vector("ten thousand digits", replaced(good, "48213", "9" * 10_000), "OUT_OF_RANGE", path),
        Vector("2^31 pages", put(good, "documents.0.pages", 2**31), "OUT_OF_RANGE", "documents[0].pages"),
        Vector("enum number", put(good, "priority", 1), "WRONG_JSON_TYPE", "priority"),
        Vector("enum short name", put(good, "priority", "NORMAL"), "UNKNOWN_ENUM_NAME", "priority"),
        Vector("enum lower case", put(good, "priority", "priority_normal"), "UNKNOWN_ENUM_NAME", "priority"),
        Vector("enum unspecified", put(good, "priority", "PRIORITY_UNSPECIFIED"), "UNKNOWN_ENUM_NAME", "priority"),
        Vector("base64 without padding", put(good, digest, sha256.rstrip("=")), "BAD_BASE64", digest_path),
        Vector("base64 of URLs", put(good, digest, "_" + sha256[1:]), "BAD_BASE64", digest_path),
        Vector("base64 not canonical", put(good, digest, "A" * 42 + "B="), "BAD_BASE64", digest_path),
        Vector("base64 with a line end", put(good, digest, sha256[:20] + " " + sha256[20:]), "BAD_BASE64", digest_path),
        Vector("hexadecimal", put(good, digest, "ab" * 31 + "x"), "BAD_BASE64", digest_path),
    ]


def _times(good: Tree) -> list[Vector]:
    bad = {
        "offset": "2026-11-22T13:44:32+03:30",
        "zero offset": "2026-11-22T10:14:32+00:00",
        "no zone": "2026-11-22T10:14:32",
        "fraction of a second": "2026-11-22T10:14:32.5Z",
        "microseconds": "2026-11-22T10:14:32.000000Z",
        "lower-case z": "2026-11-22T10:14:32z",
        "space for T": "2026-11-22 10:14:32Z",
        "no seconds": "2026-11-22T10:14Z",
        "day 31 of November": "2026-11-31T10:14:32Z",
        "hour 24": "2026-11-22T24:00:00Z",
        "leap second": "2026-12-31T23:59:60Z",
        "year 0": "0000-01-01T00:00:00Z",
        "five-digit year": "12026-11-22T10:14:32Z",
        "Persian digits": "۲۰۲۶-11-22T10:14:32Z",
    }
    found = [
        Vector(f"time: {name}", put(good, "writtenAt", text), "BAD_TIME", "writtenAt") for name, text in bad.items()
    ]
    found.append(Vector("time: number", put(good, "writtenAt", 1795342472), "BAD_TIME", "writtenAt"))
    found.append(Vector("time: leap day", put(good, "writtenAt", "2028-02-29T00:00:00Z")))
    return found


def _characters(good: Tree) -> list[Vector]:
    found = [
        Vector("joiners", put(good, "subject", "نامه\u200cها و \u200d")),
        Vector("line feed in the abstract and a note", put(good, "abstract", "یک\nدو")),
        Vector("right-to-left mark", put(good, "subject", "x\u200fy\u200e")),
        Vector("not normalised", put(good, "subject", "e\u0301 \u00e9")),
        Vector("beyond the first plane", put(good, "subject", "\U0001f600")),
        Vector("line feed in the subject", put(good, "subject", "یک\nدو"), "CONTROL_CHARACTER", "subject"),
        Vector("carriage return in the abstract", put(good, "abstract", "a\r\nb"), "CONTROL_CHARACTER", "abstract"),
        Vector("raw line feed", replaced(good, "یک خط", "یک\nخط"), "CONTROL_CHARACTER"),
        Vector("tab", put(good, "subject", "a\tb"), "CONTROL_CHARACTER", "subject"),
        Vector("U+0000", put(good, "subject", "a\x00b"), "CONTROL_CHARACTER", "subject"),
        Vector("U+001F", put(good, "keywords.0", "a\x1fb"), "CONTROL_CHARACTER", "keywords[0]"),
        Vector("U+0080", put(good, "subject", "a\x80b"), "CONTROL_CHARACTER", "subject"),
        Vector("U+0085", put(good, "subject", "a\x85b"), "CONTROL_CHARACTER", "subject"),
        Vector("U+009F", put(good, "subject", "a\x9fb"), "CONTROL_CHARACTER", "subject"),
        Vector("U+FEFF inside", put(good, "subject", "a\ufeffb"), "BYTE_ORDER_MARK", "subject"),
        Vector("lone surrogate", replaced(good, '"fa"', '"\\ud800"'), "LONE_SURROGATE", "language"),
    ]
    for character in BIDI:
        name = f"U+{ord(character):04X}"
        found.append(
            Vector(name, put(good, "recipients.0.note", f"a{character}b"), "BIDI_CHARACTER", "recipients[0].note")
        )
    return found
