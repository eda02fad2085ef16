"""From a tree of JSON values to a protobuf message, every field judged by the message's descriptor."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.formats.strict_json.error import FormatError, shown
from dabir.formats.strict_json.reader import Number, Pairs
from dabir.formats.strict_json.text import LINE_FEED_FIELDS, check_text
from dabir.formats.strict_json.time import EPOCH, MICROSECOND_FIELDS, parse_time

M = TypeVar("M", bound=Message)

MAX_INTEGER = 2**53 - 1
MAX_INT32 = 2**31 - 1
_PLAIN_DIGITS = re.compile(r"0|[1-9][0-9]*")


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
            raise FormatError("UNKNOWN_FIELD", f"the field {shown(key)} does not exist here; remove it", path)
        if key != field.json_name:
            raise FormatError("WRONG_SPELLING", f"{shown(key)} must be spelled {field.json_name}", path)
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
            raise FormatError("DUPLICATE_KEY", f"the key {shown(key)} stands more than once; keep one", path)
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
            raise FormatError("WRONG_JSON_TYPE", f"the value of {shown(key)} must be an object", path)
        entry_message = target[key]
        _fill(entry_message, entry, f"{path}[{shown(key)}]")


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
    since = instant - EPOCH
    target.seconds = since.days * 86_400 + since.seconds
    target.nanos = since.microseconds * 1_000


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
        raise FormatError("UNKNOWN_ENUM_NAME", f"{shown(name)} is not one of {names}", path)
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
