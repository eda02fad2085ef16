"""Strict JSON: the one form in which signed messages are written (docs/formats.md, "Strict JSON").

`parse` and `write` know protobuf messages only by their descriptors. protobuf's own JSON parser and printer are no
check and no writer of this form: it takes `"12"`, `1e3`, enum numbers and both spellings of a key.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

M = TypeVar("M", bound=Message)

MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
MAX_INT32 = 2**31 - 1
# The only fields whose strings may hold line feeds, and the only time written with microseconds, by json_name.
LINE_FEED_FIELDS = frozenset({"abstract", "note"})
MICROSECOND_FIELDS = frozenset({"registeredAt"})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORBIDDEN = re.compile("[\x00-\x1f\x80-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
# Brackets outside strings. A string that never ends runs to the end of the text, so that the scan stays linear.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_PLAIN_DIGITS = re.compile(r"0|[1-9][0-9]*")
_WHOLE_SECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MICROSECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class FormatError(ValueError):
    """Bytes that break a rule of docs/formats.md.

    `reason` is the rule in UPPER_SNAKE, `path` the place in the message (`recipients[3].note`, empty for the whole);
    `str()` is a sentence that says what is wrong and what to do.
    """

    def __init__(self, reason: str, message: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path}: {message}" if path else message)


class Pairs(list[tuple[str, Any]]):
    """A JSON object as read: keys in order, duplicates kept."""


class Number(str):
    """A JSON number as written, not yet judged: turning a million digits into an int is not for untrusted input."""

    __slots__ = ()


_DECODER = json.JSONDecoder(object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Number)


def parse(data: bytes, message_type: type[M], *, max_bytes: int) -> M:
    """Reads strict JSON into a new `message_type`. Raises FormatError; never anything else, whatever the bytes."""
    return build(read(data, max_bytes=max_bytes), message_type)


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


def build(tree: Pairs, message_type: type[M]) -> M:
    """Judges every field of `tree` by `message_type`'s descriptor and returns the message. Raises FormatError."""
    message = message_type()
    _fill(message, tree, "")
    return message


def _fill(message: Message, pairs: Pairs, path: str) -> None:
    by_spelling = _spellings(message)
    _check_duplicates((by_spelling[key].json_name if key in by_spelling else key for key, _ in pairs), path)
    for key, value in pairs:
        field = by_spelling.get(key)
        if field is None:
            raise FormatError("UNKNOWN_FIELD", f"the field {_shown(key)} does not exist here; remove it", path)
        if key != field.json_name:
            raise FormatError("WRONG_SPELLING", f"{_shown(key)} must be spelled {field.json_name}", path)
        _set_field(message, field, value, f"{path}.{key}" if path else key)


_spellings_by_type: dict[str, dict[str, FieldDescriptor]] = {}


def _spellings(message: Message) -> dict[str, FieldDescriptor]:
    """Every field under its json_name and under its proto spelling, so that a wrong spelling can be named."""
    found = _spellings_by_type.get(message.DESCRIPTOR.full_name)
    if found is None:
        fields = cast(list[FieldDescriptor], message.DESCRIPTOR.fields)
        found = {field.name: field for field in fields} | {field.json_name: field for field in fields}
        _spellings_by_type[message.DESCRIPTOR.full_name] = found
    return found


def _check_duplicates(keys: Iterable[str], path: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise FormatError("DUPLICATE_KEY", f"the key {_shown(key)} stands more than once; keep one", path)
        seen.add(key)


def _set_field(message: Message, field: FieldDescriptor, value: Any, path: str) -> None:
    if value is None:
        raise FormatError("NULL_VALUE", "is null; leave the field out instead", path)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(getattr(message, field.name), value, path)
    elif field.is_repeated:
        _fill_list(getattr(message, field.name), field, value, path)
    elif field.message_type is not None:
        _fill_message(getattr(message, field.name), field, value, path)
    else:
        setattr(message, field.name, _scalar(field, value, path))


def _fill_map(target: Any, value: Any, path: str) -> None:
    """A map of messages by string (the events of a statement). Its values alone may be empty objects."""
    if not isinstance(value, Pairs):
        raise FormatError("WRONG_JSON_TYPE", "must be an object", path)
    if not value:
        raise FormatError("EMPTY_VALUE", "is empty; leave the field out instead", path)
    _check_duplicates((key for key, _ in value), path)
    for key, entry in value:
        check_text(key, path)
        if not isinstance(entry, Pairs):
            raise FormatError("WRONG_JSON_TYPE", f"the value of {_shown(key)} must be an object", path)
        entry_message = target[key]
        _fill(entry_message, entry, f"{path}[{_shown(key)}]")


def _fill_list(target: Any, field: FieldDescriptor, value: Any, path: str) -> None:
    if not isinstance(value, list) or isinstance(value, Pairs):
        raise FormatError("WRONG_JSON_TYPE", "must be a list", path)
    if not value:
        raise FormatError("EMPTY_VALUE", "is an empty list; leave the field out instead", path)
    for index, item in enumerate(value):
        place = f"{path}[{index}]"
        if item is None:
            raise FormatError("NULL_VALUE", "is null; remove it", place)
        if field.message_type is not None:
            _fill_message(target.add(), field, item, place)
        else:
            target.append(_scalar(field, item, place))


def _fill_message(target: Message, field: FieldDescriptor, value: Any, path: str) -> None:
    if isinstance(target, Timestamp):
        _fill_timestamp(target, field, value, path)
        return
    if not isinstance(value, Pairs):
        raise FormatError("WRONG_JSON_TYPE", "must be an object", path)
    if not value:
        raise FormatError("EMPTY_VALUE", "is an empty object; leave the field out instead", path)
    _fill(target, value, path)


def _fill_timestamp(target: Timestamp, field: FieldDescriptor, value: Any, path: str) -> None:
    instant = parse_time(value, microseconds=field.json_name in MICROSECOND_FIELDS, path=path)
    since = instant - _EPOCH
    target.seconds = since.days * 86_400 + since.seconds
    target.nanos = since.microseconds * 1_000


def parse_time(value: Any, *, microseconds: bool = False, path: str = "") -> datetime:
    """`2026-11-22T10:14:32Z`, or with exactly six decimals if `microseconds`. Raises FormatError (BAD_TIME)."""
    form = "2026-11-22T10:14:32.123456Z" if microseconds else "2026-11-22T10:14:32Z"
    pattern = _MICROSECONDS if microseconds else _WHOLE_SECONDS
    if type(value) is not str or pattern.fullmatch(value) is None:
        raise FormatError("BAD_TIME", f"must be a UTC time of the form {form}", path)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise FormatError("BAD_TIME", f"is no instant of the calendar; write a UTC time as {form}", path) from None


def _scalar(field: FieldDescriptor, value: Any, path: str) -> str | int | bool | bytes:
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            if type(value) is not bool:
                raise FormatError("WRONG_JSON_TYPE", "must be true or false", path)
            return value
        case FieldDescriptor.TYPE_INT32:
            return _integer(value, MAX_INT32, path)
        case FieldDescriptor.TYPE_INT64:
            return _integer(value, MAX_INTEGER, path)
        case FieldDescriptor.TYPE_ENUM:
            return _enum(field, _text(value, path), path)
        case FieldDescriptor.TYPE_BYTES:
            return _base64(_text(value, path), path)
        case FieldDescriptor.TYPE_STRING:
            text = _text(value, path)
            check_text(text, path, line_feeds=field.json_name in LINE_FEED_FIELDS)
            return text
    raise TypeError(f"{field.full_name}: strict JSON has no form for this field type")


def _text(value: Any, path: str) -> str:
    if type(value) is not str:
        raise FormatError("WRONG_JSON_TYPE", "must be a string", path)
    if not value:
        raise FormatError("EMPTY_VALUE", "is an empty string; leave the field out instead", path)
    return value


def _integer(value: Any, maximum: int, path: str) -> int:
    if type(value) is not Number:
        raise FormatError("WRONG_JSON_TYPE", "must be a number", path)
    if _PLAIN_DIGITS.fullmatch(value) is None:
        raise FormatError(
            "NOT_PLAIN_DIGITS", "must be a whole number in plain digits: no sign, point or exponent", path
        )
    if value == "0":
        raise FormatError(
            "EMPTY_VALUE", "is 0, which counts as not given; leave the field out or give the number", path
        )
    # The length first: int() of very many digits takes quadratic time.
    if len(value) > len(str(maximum)) or int(value) > maximum:
        raise FormatError("OUT_OF_RANGE", f"is more than {maximum}", path)
    return int(value)


def _enum(field: FieldDescriptor, name: str, path: str) -> int:
    enum_type = cast(EnumDescriptor, field.enum_type)
    known = enum_type.values_by_name.get(name)
    if known is None or known.number == 0:
        names = ", ".join(value.name for value in enum_type.values if value.number != 0)
        raise FormatError("UNKNOWN_ENUM_NAME", f"{_shown(name)} is not one of {names}", path)
    return known.number


def _base64(text: str, path: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    # Padding bits that are not zero decode too: only the one canonical spelling is taken (RFC 4648 §3.5, §4).
    if not data or base64.b64encode(data) != text.encode("utf-8", "replace"):
        raise FormatError("BAD_BASE64", "must be base64 by RFC 4648 section 4, padded and canonical", path)
    return data


def check_text(text: str, path: str = "", *, line_feeds: bool = False) -> None:
    """Refuses characters that no string of the form may hold. Raises FormatError."""
    for found in _FORBIDDEN.finditer(text):
        character = found.group()
        if character == "\n" and line_feeds:
            continue
        code = f"U+{ord(character):04X}"
        if character < "\xa0":
            raise FormatError("CONTROL_CHARACTER", f"holds the control character {code}; remove it", path)
        if character == "\ufeff":
            raise FormatError("BYTE_ORDER_MARK", f"holds {code}; remove it", path)
        if "\ud800" <= character <= "\udfff":
            raise FormatError("LONE_SURROGATE", f"holds {code}, half of a character; write the whole one", path)
        raise FormatError("BIDI_CHARACTER", f"holds {code}, which changes how the text reads; remove it", path)


def _shown(key: str) -> str:
    """A stranger's text, safe and short enough to stand in a message."""
    return ascii(key if len(key) <= 64 else key[:64] + "…")


def write(message: Message) -> bytes:
    """The canonical form: fields in the proto's order, map keys sorted, no whitespace, nothing escaped without need.

    Fields that are not set, empty or false are left out. Raises FormatError where `parse` would refuse the result.
    """
    return _object(message, "").encode("utf-8")


def _object(message: Message, path: str) -> str:
    members = []
    for field, value in message.ListFields():
        place = f"{path}.{field.json_name}" if path else field.json_name
        members.append(f'"{field.json_name}":{_value(field, value, place)}')
    return "{" + ",".join(members) + "}"


def _value(field: FieldDescriptor, value: Any, path: str) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in value:
            check_text(key, path)
        return "{" + ",".join(f"{_string(k)}:{_object(value[k], f'{path}[{_shown(k)}]')}" for k in sorted(value)) + "}"
    if field.is_repeated:
        return "[" + ",".join(_single(field, item, f"{path}[{index}]") for index, item in enumerate(value)) + "]"
    return _single(field, value, path)


def _single(field: FieldDescriptor, value: Any, path: str) -> str:
    if isinstance(value, Timestamp):
        return f'"{format_time(value, microseconds=field.json_name in MICROSECOND_FIELDS, path=path)}"'
    if isinstance(value, Message):
        if not value.ListFields():
            raise FormatError("EMPTY_VALUE", "is an empty object; leave the field out instead", path)
        return _object(value, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not value:
        raise FormatError("EMPTY_VALUE", "is empty; leave it out instead", path)
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode("ascii")}"'
    if isinstance(value, str):
        check_text(value, path, line_feeds=field.json_name in LINE_FEED_FIELDS)
        return _string(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        if known is None:
            raise FormatError("UNKNOWN_ENUM_NAME", f"{value} is not a value of {field.enum_type.name}", path)
        return f'"{known.name}"'
    if not 0 < value <= MAX_INTEGER:
        raise FormatError("OUT_OF_RANGE", f"{value} is not between 1 and {MAX_INTEGER}", path)
    return str(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def format_time(value: Timestamp, *, microseconds: bool = False, path: str = "") -> str:
    """The inverse of `parse_time`. Raises FormatError (BAD_TIME) for what the form cannot say exactly."""
    unit_nanos = 1_000 if microseconds else 1_000_000_000
    try:
        instant = _EPOCH + timedelta(seconds=value.seconds)
    except OverflowError:
        raise FormatError("BAD_TIME", "lies outside the years 1 to 9999", path) from None
    if value.nanos < 0 or value.nanos % unit_nanos or value.nanos >= 1_000_000_000:
        raise FormatError("BAD_TIME", "must be in whole " + ("microseconds" if microseconds else "seconds"), path)
    text = instant.isoformat().removesuffix("+00:00")
    return f"{text}.{value.nanos // 1_000:06d}Z" if microseconds else f"{text}Z"
