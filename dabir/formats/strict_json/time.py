"""Times: UTC with `Z`, in whole seconds, or with exactly six decimals."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.formats.strict_json.error import FormatError

# The only time written with microseconds, by json_name.
MICROSECOND_FIELDS = frozenset({"registeredAt"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WHOLE_SECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MICROSECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


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


def format_time(value: Timestamp, *, microseconds: bool = False, path: str = "") -> str:
    """The inverse of `parse_time`. Raises FormatError (BAD_TIME) for what the form cannot say exactly."""
    unit_nanos = 1_000 if microseconds else 1_000_000_000
    try:
        instant = EPOCH + timedelta(seconds=value.seconds)
    except OverflowError:
        raise FormatError("BAD_TIME", "lies outside the years 1 to 9999", path) from None
    if value.nanos < 0 or value.nanos % unit_nanos or value.nanos >= 1_000_000_000:
        raise FormatError("BAD_TIME", "must be in whole " + ("microseconds" if microseconds else "seconds"), path)
    text = instant.isoformat().removesuffix("+00:00")
    return f"{text}.{value.nanos // 1_000:06d}Z" if microseconds else f"{text}Z"
