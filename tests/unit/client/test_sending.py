"""Whose key signs a letter, and when one of the journal is settled by a refusal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dabir.client import RECIPIENT_KIND_TO, InputError, Manifest, Recipient, RefusedError
from dabir.client.journal import Journal
from dabir.client.profile import KeyPair
from dabir.client.sending import compose, is_final
from dabir.common.v1.manifest_pb2 import Signer
from dabir.formats.manifest import parse_manifest
from tests.pki import write_files
from tests.unit.client.member import PaperHub, write_profile


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


def signed_as(typed: str, positions: tuple[str, ...], folder: Path) -> str:
    """The position in the manifest that a member signs who has keys of `positions` and types `typed`."""
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), folder)
    signers = [hub.authority.issue(purpose="sign", position=position) for position in positions]
    files = [write_files(signer, folder, f"sign-{place}") for place, signer in enumerate(signers)]
    profile = replace(profile, sign=tuple(KeyPair(certificate, key) for key, certificate in files))
    page = folder / "letter.pdf"
    page.write_bytes(b"%PDF-1.7")
    letter = Manifest(definition="definitions/administrative/1", subject="x", language="fa")
    letter.recipients.append(Recipient(office="bodies/a1/offices/b1", kind=RECIPIENT_KIND_TO))
    letter.signers.append(Signer(position=typed))
    entry = compose(profile, Journal(profile.journal), letter, [page])
    return parse_manifest(entry.manifest).signers[0].position


@pytest.mark.parametrize("typed", ["مدیر کل ۲", "مدير كل 2", " مدیر  كل ٢"])
def test_a_position_is_found_on_any_keyboard_and_stands_as_its_certificate_has_it(typed: str, tmp_path: Path) -> None:
    assert signed_as(typed, ("وزیر کشور", "مدیر کل ۲"), tmp_path) == "مدیر کل ۲"


def test_where_two_positions_differ_by_spelling_only_the_exact_one_signs(tmp_path: Path) -> None:
    positions = ("مدیر کل", "مدير كل")
    for place, typed in enumerate(positions):
        (tmp_path / str(place)).mkdir()
        assert signed_as(typed, positions, tmp_path / str(place)) == typed
    with pytest.raises(InputError, match="no key of مدیر كل"):
        signed_as("مدیر كل", positions, tmp_path)
