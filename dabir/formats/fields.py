"""Rules that fields of several messages share. Each takes the value and its path and raises FormatError."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise

from google.protobuf.message import Message

from dabir.formats.strict_json import FormatError

SHA256_BYTES = 32
NONCE_BYTES = 16


def require(message: Message, names: Iterable[str], path: str = "") -> None:
    """Each of the fields (proto spelling) must be given."""
    for name in names:
        field = message.DESCRIPTOR.fields_by_name[name]
        given = message.HasField(name) if field.has_presence else bool(getattr(message, name))
        if not given:
            raise FormatError("MISSING_FIELD", f"{field.json_name} is missing; it must be given", path)


def refuse(message: Message, names: Iterable[str], why: str, path: str = "") -> None:
    """None of the fields (proto spelling) may be given; `why` completes "… is given, but"."""
    for name in names:
        field = message.DESCRIPTOR.fields_by_name[name]
        if message.HasField(name) if field.has_presence else bool(getattr(message, name)):
            raise FormatError("FIELD_NOT_ALLOWED", f"{field.json_name} is given, but {why}; remove it", path)


def check_type(found: str, expected: str) -> None:
    if found != expected:
        raise FormatError("WRONG_TYPE", f"must be {expected}", "type")


def check_length(text: str, most: int, path: str) -> None:
    """At most so many characters (Unicode code points)."""
    if len(text) > most:
        raise FormatError("TOO_LONG", f"has {len(text)} characters; at most {most} are allowed", path)


def check_count(items: Sequence[object], most: int, path: str) -> None:
    if len(items) > most:
        raise FormatError("TOO_MANY", f"has {len(items)} entries; at most {most} are allowed", path)


def check_sha256(value: bytes, path: str) -> None:
    if len(value) != SHA256_BYTES:
        raise FormatError("BAD_DIGEST", f"has {len(value)} bytes; a SHA-256 digest has {SHA256_BYTES}", path)


def check_nonce(value: bytes, path: str = "nonce") -> None:
    if len(value) != NONCE_BYTES:
        raise FormatError("BAD_NONCE", f"has {len(value)} bytes; draw {NONCE_BYTES} random bytes", path)


def check_date(text: str, path: str) -> None:
    """A Gregorian day, `YYYY-MM-DD`."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        raise FormatError("BAD_DATE", "must be a Gregorian date of the form 2026-11-22", path)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise FormatError("BAD_DATE", "is no day of the Gregorian calendar", path) from None


def check_ascending(numbers: Sequence[int], path: str) -> None:
    """Each number more than the one before, so that none stands twice."""
    for before, after in pairwise(numbers):
        if after <= before:
            raise FormatError(
                "NOT_ASCENDING", f"{after} stands after {before}; list each once, in ascending order", path
            )
