"""Strict JSON: the one form in which signed messages are written (docs/formats.md, "Strict JSON").

`parse` and `write` know protobuf messages only by their descriptors. protobuf's own JSON parser and printer are no
check and no writer of this form: it takes `"12"`, `1e3`, enum numbers and both spellings of a key.
"""

from typing import TypeVar

from google.protobuf.message import Message

from dabir.formats.strict_json.builder import build
from dabir.formats.strict_json.error import FormatError
from dabir.formats.strict_json.reader import Pairs, read
from dabir.formats.strict_json.text import check_text
from dabir.formats.strict_json.time import format_time, parse_time
from dabir.formats.strict_json.writer import write

__all__ = ["FormatError", "Pairs", "build", "check_text", "format_time", "parse", "parse_time", "read", "write"]

M = TypeVar("M", bound=Message)


def parse(data: bytes, message_type: type[M], *, max_bytes: int) -> M:
    """Reads strict JSON into a new `message_type`. Raises FormatError; never anything else, whatever the bytes."""
    return build(read(data, max_bytes=max_bytes), message_type)
