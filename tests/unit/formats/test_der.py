"""What is no DER, beyond the vectors."""

import pytest

from dabir.formats.der import MAX_OID_BYTES, check_der
from dabir.formats.strict_json import FormatError


def object_identifier(length: int) -> bytes:
    """One whose arcs but the first are a single number, of `length` bytes."""
    return bytes([6, length, 0x2A]) + b"\xff" * (length - 2) + b"\x01"


def test_an_object_identifier_that_is_costly_to_read_is_refused() -> None:
    check_der(object_identifier(MAX_OID_BYTES))
    with pytest.raises(FormatError) as refused:
        check_der(object_identifier(MAX_OID_BYTES + 1))
    assert refused.value.reason == "NOT_DER"
