"""Resource names (AIP-122), as they stand in signed bytes (docs/formats.md, "Names").

Every `split_…` takes a name and returns its parts; every function raises FormatError (BAD_NAME) for anything that is
not exactly a name of its kind, so a name that passed here can be stored, compared and shown.
"""

import re
from typing import Literal

from dabir.formats.strict_json import FormatError

Direction = Literal["out", "in", "out-confidential"]

_ID = "[a-z][a-z0-9-]{1,62}"
_UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_PLACE = "[1-9][0-9]{0,2}"
_YEAR = "[1-9][0-9]{3}"
_DIRECTION = "out|in|out-confidential"
_HOST = "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
MAX_RECIPIENTS = 500


def _match(pattern: str, name: str, form: str, path: str) -> re.Match[str]:
    found = re.fullmatch(pattern, name)
    if found is None:
        raise FormatError("BAD_NAME", f"{name[:100]!a} is not of the form {form}", path)
    return found


def check_id(value: str, path: str = "") -> str:
    """The id of a body or office: `[a-z][a-z0-9-]{1,62}`."""
    _match(_ID, value, "[a-z][a-z0-9-]{1,62}", path)
    return value


def check_uuid4(value: str, path: str = "") -> str:
    """A UUIDv4 in lower case with hyphens (RFC 9562)."""
    _match(_UUID4, value, "a UUIDv4 in lower case", path)
    return value


def check_uuid7(value: str, path: str = "") -> str:
    """A UUIDv7 in lower case with hyphens (RFC 9562)."""
    _match(_UUID7, value, "a UUIDv7 in lower case", path)
    return value


def check_hub(value: str, path: str = "") -> str:
    """A hub: the scheme-less URL of its log, e.g. `log.dabir.example/1`; at most 255 characters."""
    _match(rf"(?=.{{1,255}}\Z){_HOST}(?::[1-9][0-9]{{0,4}})?(?:/[A-Za-z0-9._~-]+)*", value, "host[:port][/path]", path)
    return value


def body(body_id: str) -> str:
    return f"bodies/{check_id(body_id)}"


def split_body(name: str, path: str = "") -> str:
    """`bodies/{body}` → body."""
    return _match(f"bodies/({_ID})", name, "bodies/{body}", path).group(1)


def office(body_id: str, office_id: str) -> str:
    return f"bodies/{check_id(body_id)}/offices/{check_id(office_id)}"


def split_office(name: str, path: str = "") -> tuple[str, str]:
    """`bodies/{body}/offices/{office}` → (body, office)."""
    found = _match(f"bodies/({_ID})/offices/({_ID})", name, "bodies/{body}/offices/{office}", path)
    return found.group(1), found.group(2)


def body_of(office_name: str) -> str:
    """The name of the body an office belongs to."""
    return f"bodies/{split_office(office_name)[0]}"


def letter(letter_uuid: str) -> str:
    return f"letters/{check_uuid4(letter_uuid)}"


def split_letter(name: str, path: str = "") -> str:
    """`letters/{uuid}` → uuid."""
    return _match(f"letters/({_UUID4})", name, "letters/{UUIDv4}", path).group(1)


def delivery(letter_name: str, place: int) -> str:
    """The delivery to the `place`-th recipient (1-based) of a letter."""
    split_letter(letter_name)
    if not 1 <= place <= MAX_RECIPIENTS:
        raise FormatError("BAD_NAME", f"a letter has at most {MAX_RECIPIENTS} deliveries, from 1; {place} is none")
    return f"{letter_name}/deliveries/{place}"


def split_delivery(name: str, path: str = "") -> tuple[str, int]:
    """`letters/{uuid}/deliveries/{n}` → (letter name, n)."""
    form = "letters/{UUIDv4}/deliveries/{1 to 500}"
    found = _match(f"(letters/{_UUID4})/deliveries/({_PLACE})", name, form, path)
    if int(found.group(2)) > MAX_RECIPIENTS:
        raise FormatError("BAD_NAME", f"{name} is not of the form {form}", path)
    return found.group(1), int(found.group(2))


def document(document_uuid: str) -> str:
    return f"documents/{check_uuid4(document_uuid)}"


def split_document(name: str, path: str = "") -> str:
    """`documents/{uuid}` → uuid."""
    return _match(f"documents/({_UUID4})", name, "documents/{UUIDv4}", path).group(1)


def definition(type_id: str, version: int) -> str:
    name = f"definitions/{type_id}/{version}"
    split_definition(name)
    return name


def split_definition(name: str, path: str = "") -> tuple[str, int]:
    """`definitions/{type}/{version}` → (type, version)."""
    found = _match(f"definitions/({_ID})/([1-9][0-9]{{0,5}})", name, "definitions/{type}/{version}", path)
    return found.group(1), int(found.group(2))


def statement(jti: str) -> str:
    return f"statements/{check_uuid7(jti)}"


def split_statement(name: str, path: str = "") -> str:
    """`statements/{uuid7}` → uuid7."""
    return _match(f"statements/({_UUID7})", name, "statements/{UUIDv7}", path).group(1)


def series(office_name: str, direction: Direction) -> str:
    """What is locked to take a number: a book's name without its year, `books/{body}/{office}/{direction}`."""
    body_id, office_id = split_office(office_name)
    name = f"books/{body_id}/{office_id}/{direction}"
    split_series(name)
    return name


def split_series(name: str, path: str = "") -> tuple[str, str]:
    """`books/{body}/{office}/{direction}` → (office name, direction)."""
    form = "books/{body}/{office}/{out|in|out-confidential}"
    found = _match(f"books/({_ID})/({_ID})/({_DIRECTION})", name, form, path)
    return f"bodies/{found.group(1)}/offices/{found.group(2)}", found.group(3)


def book(office_name: str, direction: Direction, year: int) -> str:
    """`books/{body}/{office}/{direction}/{year}`."""
    name = f"{series(office_name, direction)}/{year}"
    split_book(name)
    return name


def split_book(name: str, path: str = "") -> tuple[str, str, int]:
    """`books/{body}/{office}/{direction}/{year}` → (office name, direction, year)."""
    form = "books/{body}/{office}/{out|in|out-confidential}/{year}"
    found = _match(f"books/({_ID})/({_ID})/({_DIRECTION})/({_YEAR})", name, form, path)
    return f"bodies/{found.group(1)}/offices/{found.group(2)}", found.group(3), int(found.group(4))


def series_of(book_name: str) -> str:
    """The series of a book: its name without the year."""
    split_book(book_name)
    return book_name.rpartition("/")[0]


ChainKind = Literal["letter", "delivery", "body", "book"]


def chain_kind(name: str, path: str = "") -> ChainKind:
    """Which kind of chain a link names: a letter's, a delivery's, a body's or a book's."""
    if re.fullmatch(f"letters/{_UUID4}", name):
        return "letter"
    if name.startswith("letters/"):
        split_delivery(name, path)
        return "delivery"
    if name.startswith("bodies/"):
        split_body(name, path)
        return "body"
    split_book(name, path)
    return "book"
