"""Strict JSON beyond the vectors: round trips, arbitrary bytes, limits, and how much work a hostile input makes."""

import contextlib
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import DoubleValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dabir.common.v1 import manifest_pb2, receipt_pb2, statement_pb2
from dabir.formats import strict_json
from dabir.formats.manifest import MAX_MANIFEST_BYTES, parse_manifest
from dabir.formats.receipt import MAX_RECEIPT_BYTES, parse_recall, parse_receipt
from dabir.formats.strict_json import FormatError
from tests.vectors.cases.manifest import FULL
from tests.vectors.cases.vector import dump

MESSAGES: tuple[type[Message], ...] = (
    manifest_pb2.Manifest,
    receipt_pb2.Receipt,
    receipt_pb2.Recall,
    statement_pb2.StatementPayload,
)
FORBIDDEN = [*range(0x20), *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
ALLOWED = st.characters(codec="utf-8", exclude_characters=[chr(code) for code in FORBIDDEN])
TEXT = st.text(ALLOWED, min_size=1, max_size=20)


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message]) -> Message:
    """Any message that the form can say: each field absent, or with a value that counts as given."""
    message = message_type()
    for field in message.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in draw(st.lists(TEXT, max_size=2, unique=True)):
                getattr(message, field.name)[key].MergeFrom(draw(messages(statement_pb2.StatementEvent)))
        elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            _draw_time(draw, getattr(message, field.name), microseconds=field.json_name == "registeredAt")
        elif field.message_type is not None:
            _draw_messages(draw, message, field)
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(_scalars(field), max_size=3)))
        else:
            setattr(message, field.name, draw(_scalars(field)))
    return message


def _draw_messages(draw: st.DrawFn, message: Message, field: Any) -> None:
    types = {nested.DESCRIPTOR.full_name: nested for nested in _nested_types()}
    for _ in range(draw(st.integers(1, 2)) if field.is_repeated else 1):
        drawn = draw(messages(types[field.message_type.full_name]))
        if drawn.ListFields():
            target = getattr(message, field.name)
            (target.add() if field.is_repeated else target).MergeFrom(drawn)


def _nested_types() -> list[type[Message]]:
    modules = (manifest_pb2, receipt_pb2, statement_pb2)
    found = [value for module in modules for value in vars(module).values()]
    return [value for value in found if isinstance(value, type) and issubclass(value, Message)]


def _draw_time(draw: st.DrawFn, target: Any, *, microseconds: bool) -> None:
    target.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))
    target.nanos = draw(st.integers(0, 999_999)) * 1_000 if microseconds else 0


def _scalars(field: Any) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values if value.number])
    if field.type == field.TYPE_STRING:
        return st.text(st.one_of(ALLOWED, st.just("\n")), min_size=1, max_size=20) if field.name == "note" else TEXT
    kinds: dict[int, st.SearchStrategy[Any]] = {
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_BYTES: st.binary(min_size=1, max_size=40),
        field.TYPE_INT32: st.integers(1, 2**31 - 1),
        field.TYPE_INT64: st.integers(1, 2**53 - 1),
    }
    return kinds[field.type]


@pytest.mark.parametrize("message_type", MESSAGES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_is_written_reads_the_same(message_type: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(message_type))
    written = strict_json.write(message)
    assert strict_json.parse(written, message_type, max_bytes=1 << 20) == message
    assert json.dumps(json.loads(written), ensure_ascii=False, separators=(",", ":")).encode() == written


@pytest.mark.parametrize("message_type", MESSAGES)
@settings(deadline=None, max_examples=200)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_format_errors(message_type: type[Message], data: bytes) -> None:
    with pytest.raises(FormatError):
        strict_json.parse(data, message_type, max_bytes=100)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("parse", [parse_manifest, parse_receipt, parse_recall])
@settings(deadline=None, max_examples=150)
@given(place=st.sampled_from(sorted(FULL)), value=_JSON)
def test_any_json_in_any_place_raises_only_format_errors(
    parse: Callable[[bytes], Message], place: str, value: Any
) -> None:
    data = json.dumps({**FULL, place: value}, ensure_ascii=True).encode()
    with contextlib.suppress(FormatError):
        parse(data)


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, len(dump(FULL)) - 1), byte=st.integers(0, 255))
def test_one_changed_byte_raises_only_format_errors(at: int, byte: int) -> None:
    data = bytearray(dump(FULL))
    data[at] = byte
    with contextlib.suppress(FormatError):
        parse_manifest(bytes(data))


@pytest.mark.parametrize("code", FORBIDDEN, ids=lambda code: f"U+{code:04X}")
def test_every_forbidden_character_is_refused_both_ways(code: int) -> None:
    data = json.dumps({"subject": f"a{chr(code)}b"}, ensure_ascii=True).encode()
    with pytest.raises(FormatError) as raised:
        strict_json.parse(data, manifest_pb2.Manifest, max_bytes=1_000)
    assert raised.value.path == "subject"
    with pytest.raises(FormatError) as raised:
        strict_json.write(manifest_pb2.Manifest(subject=f"a{chr(code)}b"))
    assert raised.value.path == "subject"


def test_line_feeds_stand_in_abstract_and_note_only() -> None:
    allowed = manifest_pb2.Manifest(abstract="a\nb", recipients=[manifest_pb2.Recipient(note="a\nb")])
    written = strict_json.write(allowed)
    assert written == rb'{"recipients":[{"note":"a\nb"}],"abstract":"a\nb"}'
    assert strict_json.parse(written, manifest_pb2.Manifest, max_bytes=1_000) == allowed
    with pytest.raises(FormatError, match="U\\+000A"):
        strict_json.write(manifest_pb2.Manifest(classification_basis="a\nb"))


def test_writer_keeps_the_order_of_the_proto_and_escapes_nothing_without_need() -> None:
    message = manifest_pb2.Manifest(hub="h/1", type="t", subject='«"ن‌ا\\/»\x7f')
    assert strict_json.write(message).decode() == '{"type":"t","hub":"h/1","subject":"«\\"ن‌ا\\\\/»\x7f"}'


def test_fields_are_numbered_in_the_order_they_stand() -> None:
    """`ListFields` goes by number; the form goes by the order of the proto."""
    for message_type in _nested_types():
        numbers = [field.number for field in message_type.DESCRIPTOR.fields]
        assert numbers == sorted(numbers), message_type.DESCRIPTOR.full_name


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (manifest_pb2.Manifest(keywords=[""]), "EMPTY_VALUE"),
        (manifest_pb2.Manifest(priority=99), "UNKNOWN_ENUM_NAME"),  # type: ignore[arg-type]  # what is refused
        (manifest_pb2.Manifest(written_at=Timestamp(seconds=10**12)), "BAD_TIME"),
        (statement_pb2.StatementPayload(events={"a\u202eb": statement_pb2.StatementEvent()}), "BIDI_CHARACTER"),
        (manifest_pb2.Manifest(sender=manifest_pb2.ManifestSender()), "EMPTY_VALUE"),
        (manifest_pb2.Manifest(recipients=[manifest_pb2.Recipient(documents=[0])]), "EMPTY_VALUE"),
        (manifest_pb2.Manifest(documents=[manifest_pb2.ManifestDocument(size_bytes=2**53)]), "OUT_OF_RANGE"),
        (manifest_pb2.Manifest(documents=[manifest_pb2.ManifestDocument(size_bytes=-1)]), "OUT_OF_RANGE"),
    ],
)
def test_writer_refuses_what_the_parser_would(message: Message, reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        strict_json.write(message)
    assert raised.value.reason == reason


def test_a_message_with_a_field_type_that_has_no_form_is_a_defect() -> None:
    with pytest.raises(TypeError, match="no form"):
        strict_json.parse(b'{"value":1}', DoubleValue, max_bytes=100)


@pytest.mark.parametrize("nanos", [1, 500_000_000])
def test_writer_refuses_parts_of_seconds(nanos: int) -> None:
    message = manifest_pb2.Manifest()
    message.written_at.nanos = nanos
    with pytest.raises(FormatError) as raised:
        strict_json.write(message)
    assert raised.value.reason == "BAD_TIME"


@pytest.mark.parametrize(
    ("parse", "limit_bytes"),
    [(parse_manifest, MAX_MANIFEST_BYTES), (parse_receipt, MAX_RECEIPT_BYTES), (parse_recall, MAX_RECEIPT_BYTES)],
)
def test_size_is_checked_before_anything_is_read(parse: Callable[[bytes], Message], limit_bytes: int) -> None:
    with pytest.raises(FormatError) as raised:
        parse(b"\xff" * (limit_bytes + 1))
    assert raised.value.reason == "TOO_LARGE"
    with pytest.raises(FormatError) as raised:
        parse(b"\xff" * limit_bytes)
    assert raised.value.reason == "NOT_UTF8"


HOSTILE: dict[str, bytes] = {
    "brackets": b"[" * MAX_MANIFEST_BYTES,
    "unterminated string of escaped quotes": b'"' + rb"\"" * (MAX_MANIFEST_BYTES // 2 - 1),
    "quotes": b'"' * MAX_MANIFEST_BYTES,
    "backslashes": b'"' + b"\\" * (MAX_MANIFEST_BYTES - 1),
    "digits": b'{"priority":' + b"9" * (MAX_MANIFEST_BYTES - 13) + b"}",
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "one key often": b"{" + b",".join([b'"k":1'] * 40_000) + b"}",
    "line feeds before an error": b"\n" * (MAX_MANIFEST_BYTES - 1) + b"x",
    "empty lists": b"{" + b'"keywords":[' + b"[]," * 80_000 + b"[]]}",
    "long key": b'{"' + b"k" * (MAX_MANIFEST_BYTES - 10) + b'":1}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_is_read_in_linear_work(data: bytes) -> None:
    """Quadratic work on 256 KiB takes minutes; pytest's own timeout is the bound. The message stays short."""
    assert len(data) <= MAX_MANIFEST_BYTES
    with pytest.raises(FormatError) as raised:
        parse_manifest(data)
    assert len(str(raised.value)) < 400


def test_error_says_where_and_what_to_do() -> None:
    data = json.dumps({**FULL, "recipients": [{**FULL["recipients"][0], "note": "a\u202eb"}]}).encode()
    with pytest.raises(FormatError) as raised:
        parse_manifest(data)
    assert raised.value.reason == "BIDI_CHARACTER"
    assert raised.value.path == "recipients[0].note"
    assert str(raised.value) == "recipients[0].note: holds U+202E, which changes how the text reads; remove it"
