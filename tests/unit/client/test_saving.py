"""What stands in the folder that a delivery is saved to."""

import hashlib
from pathlib import Path

import pytest

from dabir.client.errors import InputError
from dabir.client.saving import MAX_NAME_BYTES, is_saved, saved_name
from dabir.common.v1.manifest_pb2 import ManifestDocument

LISTED = ManifestDocument(index=1, file_name="letter.pdf", sha256=hashlib.sha256(b"what was signed").digest())


def test_what_was_saved_before_is_not_fetched_again(tmp_path: Path) -> None:
    target = tmp_path / "1-letter.pdf"
    assert not is_saved(target, LISTED)
    target.write_bytes(b"what was signed")
    assert is_saved(target, LISTED)


def test_another_letters_file_of_the_same_name_is_not_taken_for_the_document(tmp_path: Path) -> None:
    target = tmp_path / "1-letter.pdf"
    target.write_bytes(b"what another letter said")
    with pytest.raises(InputError) as refused:
        is_saved(target, LISTED)
    assert refused.value.reason == "OTHER_FILE_THERE"


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
