"""Whether bytes are DER, the one encoding of their content (ITU-T X.690 clauses 8 and 10 to 11).

BER that is not DER verifies in many tools and encodes differently elsewhere, so it is refused at the door. OCTET
STRINGs are not looked into: what they hold (a certificate's extension) has its own signature.
"""

import re

from dabir.formats.strict_json import FormatError

MAX_DEPTH = 24
# Ours have 21; reading one takes time that is quadratic in its length.
MAX_OID_BYTES = 64

_SEQUENCE, _SET = 16, 17
_UTC_TIME_FORM = re.compile(rb"[0-9]{12}Z")
_GENERALIZED_TIME_FORM = re.compile(rb"[0-9]{14}(\.[0-9]*[1-9])?Z")


def check_der(data: bytes) -> None:
    """One whole DER element and nothing after it. Raises FormatError (NOT_DER)."""
    end = _check_element(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise _not_der("bytes follow the end", end)


def _not_der(what: str, offset: int) -> FormatError:
    return FormatError("NOT_DER", f"{what} at byte {offset}; encode it in DER (X.690)")


def _check_element(data: bytes, start: int, end: int, depth: int) -> int:
    """Checks the element at `start` and returns where it ends."""
    if depth == 0:
        raise _not_der("elements stand too deep", start)
    identifier, offset = _identifier(data, start, end)
    length, offset = _length(data, offset, end)
    stop = offset + length
    if stop > end:
        raise _not_der("an element runs over its end", start)
    universal = data[start] & 0xC0 == 0
    constructed = bool(data[start] & 0x20)
    if universal and constructed != (identifier in (_SEQUENCE, _SET)):
        raise _not_der("a value is in pieces", start)
    if constructed:
        _check_children(data, offset, stop, depth, in_order=universal and identifier == _SET)
    elif universal:
        _check_primitive(identifier, data[offset:stop], start)
    return stop


def _identifier(data: bytes, offset: int, end: int) -> tuple[int, int]:
    if offset >= end:
        raise _not_der("an element is missing", offset)
    number = data[offset] & 0x1F
    if number == 0x1F:
        raise _not_der("a tag number above 30 stands", offset)
    return number, offset + 1


def _length(data: bytes, offset: int, end: int) -> tuple[int, int]:
    if offset >= end:
        raise _not_der("a length is missing", offset)
    first = data[offset]
    offset += 1
    if first < 0x80:
        return first, offset
    size = first & 0x7F
    if not 1 <= size <= 4 or offset + size > end:
        raise _not_der("a length is not definite", offset - 1)
    length = int.from_bytes(data[offset : offset + size], "big")
    if length < 0x80 or data[offset] == 0:
        raise _not_der("a length is not the shortest", offset - 1)
    return length, offset + size


def _check_children(data: bytes, offset: int, stop: int, depth: int, *, in_order: bool) -> None:
    before = b""
    while offset < stop:
        after = _check_element(data, offset, stop, depth - 1)
        child = data[offset:after]
        if in_order and child < before:
            raise _not_der("a set is out of order", offset)
        before, offset = child, after


def _check_primitive(identifier: int, content: bytes, offset: int) -> None:
    match identifier:
        case 1:  # BOOLEAN
            good = content in (b"\x00", b"\xff")
        case 2 | 10:  # INTEGER, ENUMERATED
            good = len(content) == 1 or (len(content) > 1 and not _has_spare_byte(content))
        case 3:  # BIT STRING
            good = _is_bit_string(content)
        case 5:  # NULL
            good = not content
        case 6:  # OBJECT IDENTIFIER
            good = _is_oid(content)
        case 23:  # UTCTime
            good = _UTC_TIME_FORM.fullmatch(content) is not None
        case 24:  # GeneralizedTime
            good = _GENERALIZED_TIME_FORM.fullmatch(content) is not None
        case _:
            good = True
    if not good:
        raise _not_der("a value is not in its one form", offset)


def _has_spare_byte(content: bytes) -> bool:
    return (content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)


def _is_bit_string(content: bytes) -> bool:
    if not content or content[0] > 7:
        return False
    if len(content) == 1:
        return content[0] == 0
    return content[-1] & ((1 << content[0]) - 1) == 0


def _is_oid(content: bytes) -> bool:
    if not 0 < len(content) <= MAX_OID_BYTES or content[-1] & 0x80:
        return False
    starts = (0, *(index + 1 for index in range(len(content) - 1) if not content[index] & 0x80))
    return all(content[start] != 0x80 for start in starts)
