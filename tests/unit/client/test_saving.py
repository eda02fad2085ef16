"""What stands in the folder that a delivery is saved to."""

import hashlib
from pathlib import Path
from typing import cast

import pytest

from dabir.client.errors import InputError
from dabir.client.hub import Hub
from dabir.client.journal import Journal
from dabir.client.opening import Opened
from dabir.client.saving import MAX_NAME_BYTES, is_saved, save, saved_name
from dabir.client.trust import Proven, SignedManifest
from dabir.common.v1.manifest_pb2 import Manifest, ManifestDocument
from dabir.common.v1.statement_pb2 import Statement, StatementPayload
from dabir.intake.v1.letter_pb2 import Content, ContentDocument, Delivery, Envelope
from tests.unit.client.member import DELIVERY

SHA256 = hashlib.sha256(b"what was signed").digest()
LISTED = ManifestDocument(index=1, file_name="letter.pdf", sha256=SHA256)
NO_HUB, NO_JOURNAL = cast("Hub", None), cast("Journal", None)
PROOF = [
    "consignment-acceptance.jws",
    "manifest.json",
    "signature-1.p7s",
    "signature-2.p7s",
    "submission-acceptance.jws",
]


def keep(folder: Path, *, documents: tuple[ContentDocument, ...] = ()) -> None:
    """Saves a letter as far as no hub is needed: what proves it."""
    submitted, consigned = Statement(jws="submission"), Statement(jws="consignment")
    content = Content(
        manifest=b"{}",
        signatures=[b"first", b"second"],
        submission_acceptance=submitted,
        consignment_acceptance=consigned,
    )
    given = Delivery(envelope=Envelope(delivery=DELIVERY), content=content)
    stated = Proven("statements/1", 1, "consignment", StatementPayload(), b"")
    opened = Opened(SignedManifest(Manifest(documents=[LISTED]), b"", ()), documents, stated, stated)
    save(NO_HUB, NO_JOURNAL, given, opened, folder, lambda *_: None, although_held=False)


def standing(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What each file of a folder holds, and when it was written."""
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


def test_what_was_saved_before_is_not_fetched_again(tmp_path: Path) -> None:
    target = tmp_path / "1-letter.pdf"
    assert not is_saved(target, SHA256)
    target.write_bytes(b"what was signed")
    assert is_saved(target, SHA256)


def test_the_proof_of_a_letter_is_written_once(tmp_path: Path) -> None:
    keep(tmp_path / "saved")
    before = standing(tmp_path / "saved")
    assert sorted(before) == PROOF
    keep(tmp_path / "saved")
    assert standing(tmp_path / "saved") == before
    (tmp_path / "saved" / "manifest.json").unlink()
    keep(tmp_path / "saved")
    assert sorted(standing(tmp_path / "saved")) == PROOF


def test_what_a_killed_run_left_is_on_the_disk_before_it_is_confirmed(tmp_path: Path, synced: list[Path]) -> None:
    keep(tmp_path / "saved")
    synced.clear()
    keep(tmp_path / "saved")
    assert synced == [tmp_path / "saved"]


@pytest.mark.parametrize("name", [*PROOF, "1-letter.pdf"])
def test_nothing_is_written_over_another_letters_file(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / name).write_bytes(b"what another letter said")
    before = standing(folder)
    with pytest.raises(InputError, match=name) as refused:
        keep(folder, documents=(ContentDocument(index=1, document="documents/1"),))
    assert refused.value.reason == "OTHER_FILE_THERE"
    assert standing(folder) == before


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_a_folder_that_cannot_be_used_is_a_sentence(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.*; name a folder that can be written") as refused:
        keep(tmp_path / "file" / below)
    assert refused.value.reason == "FILE_UNUSABLE"


@pytest.mark.parametrize("file_name", ["ن" * 251 + ".pdf", "ن" * 255, "a" * 255, "." + "ن" * 254, "a." + "ن" * 253])
def test_a_name_that_no_file_system_takes_is_shortened(file_name: str, tmp_path: Path) -> None:
    listed = [ManifestDocument(index=index, file_name=file_name) for index in (1, 12)]
    names = [saved_name(document) for document in listed]
    assert len(set(names)) == 2
    for name in names:
        assert len(name.encode()) <= MAX_NAME_BYTES
        (tmp_path / f"{name}.part").touch()
    if file_name.endswith(".pdf"):
        assert names[0].endswith("ن….pdf")


def test_a_name_that_does_is_kept() -> None:
    assert saved_name(LISTED) == "1-letter.pdf"
