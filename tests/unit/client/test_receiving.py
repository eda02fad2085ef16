"""What stands in the folder that a delivery is saved to."""

import hashlib
from pathlib import Path

import pytest

from dabir.client.errors import InputError
from dabir.client.receiving import is_saved
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
