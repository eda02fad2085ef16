"""From bytes to a tree of JSON values, as written: nothing is judged yet but that it is small, shallow JSON."""

import json
import re
from typing import Any

from dabir.formats.strict_json.error import FormatError

MAX_DEPTH = 8
# Brackets outside strings. A string that never ends runs to the end of the text, so that the scan stays linear.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


class Pairs(list[tuple[str, Any]]):
    """A JSON object as read: keys in order, duplicates kept."""


class Number(str):
    """A JSON number as written, not yet judged: turning a million digits into an int is not for untrusted input."""

    __slots__ = ()


_DECODER = json.JSONDecoder(object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Number)


def read(data: bytes, *, max_bytes: int) -> Pairs:
    """The JSON object in `data`, its fields not yet judged. Size and depth are checked before parsing."""
    if len(data) > max_bytes:
        raise FormatError("TOO_LARGE", f"{len(data)} bytes; at most {max_bytes} are allowed, shorten it")
    if data.startswith(b"\xef\xbb\xbf"):
        raise FormatError("BYTE_ORDER_MARK", "begins with a byte order mark; write UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("NOT_UTF8", f"byte {error.start} is not UTF-8; write UTF-8") from None
    _check_depth(text)
    try:
        tree = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        if error.msg.startswith("Invalid control character"):
            raise FormatError(
                "CONTROL_CHARACTER", f"a string holds a control character at {place}; remove it"
            ) from None
        raise FormatError("NOT_JSON", f"not JSON at {place}: {error.msg}") from None
    if not isinstance(tree, Pairs):
        raise FormatError("WRONG_JSON_TYPE", "is not a JSON object; write one object")
    return tree


def _check_depth(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        bracket = text[found.start()]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise FormatError("TOO_DEEP", f"objects and lists stand more than {MAX_DEPTH} deep; flatten them")
        elif bracket in "]}":
            depth -= 1
