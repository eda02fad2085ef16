"""Instants as messages and sentences give them. Does no I/O: `domain` may import this module."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(instant: datetime) -> Timestamp:
    """An aware `instant`, whatever its zone."""
    said = Timestamp()
    said.FromDatetime(instant)
    return said


def optional_timestamp(instant: datetime | None) -> Timestamp | None:
    """What a message's field is left unset with when there is no instant."""
    return None if instant is None else timestamp(instant)


def text(instant: datetime) -> str:
    """An aware `instant` in a refusal: `2026-11-22T10:14:32Z`, with its microseconds when it has any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
