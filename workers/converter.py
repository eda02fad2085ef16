"""How messages stand in Temporal: as plain JSON, as an operator types them and every tool shows them.

Protobuf's own encodings name the message beside it, which neither the UI nor the command line writes, and a result in
them the command line cannot print. The type is in the signature of whoever reads; they are still read.
"""

import dataclasses
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
)


class _Write(AdvancedJSONEncoder):
    def default(self, o: Any) -> Any:
        return MessageToDict(o) if isinstance(o, Message) else super().default(o)


class _Read(JSONTypeConverter):
    """Raises ParseError for what is not the message, or has a field that the message does not."""

    def to_typed_value(self, hint: type[Any], value: Any) -> Any:
        if isinstance(hint, type) and issubclass(hint, Message) and isinstance(value, dict):
            return ParseDict(value, hint())
        return JSONTypeConverter.Unhandled


class _PayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        plain = JSONPlainPayloadConverter(encoder=_Write, custom_type_converters=[_Read()])
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        # The first that takes a value writes it: nothing and bytes stay the SDK's, all else is plain.
        untyped, typed = usual[:2], usual[2:]
        super().__init__(*untyped, plain, *(one for one in typed if not isinstance(one, JSONPlainPayloadConverter)))


DATA_CONVERTER = dataclasses.replace(DataConverter.default, payload_converter_class=_PayloadConverter)
"""For every client and replayer of ours."""
