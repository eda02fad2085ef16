"""When a letter of the journal is settled by a refusal."""

from datetime import UTC, datetime, timedelta

import pytest

from dabir.client import RefusedError
from dabir.client.sending import is_final
from dabir.common.v1.manifest_pb2 import Manifest


@pytest.mark.parametrize(
    ("code", "resumed", "age_hours", "final"),
    [
        ("INVALID_ARGUMENT", False, 0, True),
        ("INVALID_ARGUMENT", True, 0, True),
        ("REJECTED", False, 0, True),
        ("PERMISSION_DENIED", False, 0, True),  # no clearance: it will never be registered
        ("PERMISSION_DENIED", True, 0, False),  # an earlier try may have been answered otherwise
        ("PERMISSION_DENIED", True, 25, True),
        ("UNAUTHENTICATED", False, 0, False),  # the certificate is mended, and the letter sent
        ("UNAUTHENTICATED", True, 23, False),
        ("UNAUTHENTICATED", True, 25, True),
    ],
)
def test_a_refusal_settles_what_would_be_refused_again(code: str, resumed: bool, age_hours: int, final: bool) -> None:
    manifest = Manifest()
    manifest.written_at.FromDatetime(datetime.now(UTC) - timedelta(hours=age_hours))
    assert is_final(RefusedError("ANY", "any", code=code), manifest, resumed=resumed) is final
