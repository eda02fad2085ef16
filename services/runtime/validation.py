"""The last step of a call: its message against its form and the rules of its fields (`buf.validate` in the protos)."""

from collections.abc import Callable
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from services.runtime.errors import FieldViolation
from services.runtime.refusals import RequestInvalid, RequestMalformed

# No list of a request may hold more (the longest are Advance's refusals). Rules judge every element, also of a list
# that is too long: four megabytes of empty elements would take a minute and gigabytes.
_LIST_MAX_ELEMENTS = 1000


def parsed(rpc: str, parse: Callable[[bytes], Message], received: bytes) -> Message:
    """The message in `received`, its fields checked by their rules. Raises RequestMalformed, RequestInvalid."""
    try:
        message = parse(received)
    except DecodeError as error:
        raise RequestMalformed(message=f"request of {rpc}") from error
    if (field := overlong(message)) is not None:
        said = f"It holds more than {_LIST_MAX_ELEMENTS} elements."
        raise RequestInvalid(fields=field, field_violations=[FieldViolation(field, said)])
    violations = [
        FieldViolation(path(violation.proto.field), violation.proto.message or violation.proto.rule_id)
        for violation in protovalidate.collect_violations(message)
    ]
    if violations:
        fields = ", ".join(sorted({violation.field for violation in violations})[:10])
        raise RequestInvalid(fields=fields, field_violations=violations)
    return message


def overlong(message: Message) -> str | None:
    """The name of a list in `message` that no request may hold, judged before its elements are; None without one."""
    for field, value in message.ListFields():
        if field.is_repeated and len(value) > _LIST_MAX_ELEMENTS:
            return field.name
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            inner = (overlong(one) for one in (value if field.is_repeated else (value,)))
            if (found := next((name for name in inner if name is not None), None)) is not None:
                return found
    return None


def path(field: Any) -> str:
    """A violation's place as the caller writes it, e.g. `recipients[3].note`."""
    steps = []
    for element in field.elements if field else ():
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript is not None and subscript.field == "index" else ""
        steps.append(f"{element.field_name}{index}")
    return ".".join(steps)
