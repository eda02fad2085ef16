"""From a protobuf message to the canonical bytes of the form."""

import base64
import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.formats.strict_json.builder import MAX_INTEGER
from dabir.formats.strict_json.error import FormatError, shown
from dabir.formats.strict_json.text import LINE_FEED_FIELDS, check_text
from dabir.formats.strict_json.time import MICROSECOND_FIELDS, format_time


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
        return "{" + ",".join(f"{_string(k)}:{_object(value[k], f'{path}[{shown(k)}]')}" for k in sorted(value)) + "}"
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
