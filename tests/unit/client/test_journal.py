"""What was signed stands in the journal whole before it is sent, or not at all."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dabir.client.journal import Journal, LetterEntry
from dabir.intake.v1.sender_service_pb2 import SubmitLetterResponse


def written(journal: Journal, folder: Path) -> LetterEntry:
    """A letter with one document and two signatures."""
    page = folder / "page.pdf"
    page.write_bytes(b"%PDF-1.7 a page")
    letter_uuid = str(uuid.uuid4())
    with journal.new_letter(letter_uuid) as draft:
        stored = draft.add_document(1, page)
        assert (stored.size_bytes, stored.sha256) == (15, hashlib.sha256(b"%PDF-1.7 a page").digest())
        draft.add_manifest(b"{}", [b"first", b"second"], ["documents/one"])
    page.write_bytes(b"changed after it was signed")
    entry = journal.letter(f"letters/{letter_uuid}")
    assert entry is not None
    return entry


def test_a_letter_comes_back_as_it_was_written(tmp_path: Path) -> None:
    entry = written(Journal(tmp_path / "journal"), tmp_path)
    again = Journal(tmp_path / "journal").unsettled()
    assert again == [entry]
    assert (entry.manifest, entry.signatures, entry.documents) == (b"{}", [b"first", b"second"], ["documents/one"])
    assert entry.document_file(1).read_bytes() == b"%PDF-1.7 a page"


def test_a_letter_that_could_not_be_written_is_not_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(FileNotFoundError), journal.new_letter(str(uuid.uuid4())) as draft:
        draft.add_document(1, tmp_path / "none.pdf")
    assert journal.letters() == []
    assert list((tmp_path / "letters").iterdir()) == []


def test_an_answer_settles_a_letter_and_frees_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    entry = written(journal, tmp_path)
    answer = SubmitLetterResponse()
    answer.letter.name = entry.letter
    entry.settle_registered(answer)
    assert entry.registered == answer
    assert journal.unsettled() == []
    assert not entry.document_file(1).exists()
    assert entry.manifest == b"{}"


def test_a_refusal_settles_a_letter(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    written(journal, tmp_path).settle_refused("WRONG_HUB", "another hub")
    assert journal.unsettled() == []


def test_copies_that_a_kill_left_behind_a_settled_letter_are_cleared_away(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    entry = written(journal, tmp_path)
    (entry.folder / "refused.json").write_bytes(b"{}")  # killed before it gave the copies back
    assert entry.document_file(1).exists()
    assert journal.unsettled() == []
    assert not entry.document_file(1).exists()


def test_the_first_receipt_stands(tmp_path: Path) -> None:
    journal, delivery = Journal(tmp_path), f"letters/{uuid.uuid4()}/deliveries/3"
    assert journal.receipt(delivery, "ACCEPTED") is None
    first = journal.add_receipt(delivery, "ACCEPTED", b"first", b"signature")
    second = journal.add_receipt(delivery, "ACCEPTED", b"second", b"signature")
    assert first.data == second.data == b"first"
    assert journal.receipt(delivery, "REFUSED") is None
    journal.drop_sealed(first)
    assert journal.receipt(delivery, "ACCEPTED") is None


def test_a_receipt_is_read_whole_whatever_is_kept_in_its_place_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process of ours that says something else of the delivery."""
    journal, delivery = Journal(tmp_path), f"letters/{uuid.uuid4()}/deliveries/3"
    kept = first = journal.add_receipt(delivery, "ACCEPTED", b"first", b"of first")

    def replace() -> None:
        nonlocal kept
        journal.drop_sealed(kept)
        data = str(uuid.uuid4()).encode()
        kept = journal.add_receipt(delivery, "ACCEPTED", data, b"of " + data)

    for turn in (1, 2, 3):  # before the folder is opened, its first file, its second
        with before(monkeypatch, "open", turn, replace):
            found = journal.receipt(delivery, "ACCEPTED")
        assert found is None or found.signature == b"of " + found.data
    assert (first.data, first.signature, first.sha256) == (b"first", b"of first", hashlib.sha256(b"first").digest())


@contextlib.contextmanager
def before(monkeypatch: pytest.MonkeyPatch, call: str, turn: int, then: Callable[[], None]) -> Iterator[None]:
    """Does `then` right before the `turn`-th call of a function of `os`, once."""
    left, real = turn, getattr(os, call)

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            then()
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, counted)
        yield


def test_what_was_dropped_does_not_come_back_after_a_power_cut(tmp_path: Path, synced: list[Path]) -> None:
    journal, delivery = Journal(tmp_path), f"letters/{uuid.uuid4()}/deliveries/3"
    journal.reading_id(delivery, "وزیر")
    synced.clear()
    journal.drop_reading(delivery, "وزیر")
    assert synced == [tmp_path / "readings"]


def test_letters_stand_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    first, second = written(journal, tmp_path), written(journal, tmp_path)
    os.utime(first.folder / "manifest.json", (1, 1))
    first.begin_try()
    assert journal.letters() == [first, second]


def test_a_recall_is_known_by_what_it_asks_for(tmp_path: Path) -> None:
    journal, letter = Journal(tmp_path), f"letters/{uuid.uuid4()}"
    every = [f"{letter}/deliveries/{number}" for number in range(1, 501)]
    kept = journal.add_recall(letter, (), b"all", b"signature")
    journal.add_recall(letter, every, b"named", b"signature")
    found = journal.recall(letter, every[::-1])
    assert (journal.recall(letter, ()), found and found.data) == (kept, b"named")
    assert journal.recall(letter, every[:2]) is None
    journal.drop_sealed(kept)
    assert journal.recall(letter, ()) is None


def test_a_reading_has_one_id_until_it_was_answered(tmp_path: Path) -> None:
    journal, delivery = Journal(tmp_path), f"letters/{uuid.uuid4()}/deliveries/3"
    first = journal.reading_id(delivery, "وزیر")
    assert uuid.UUID(first).version == 4
    assert Journal(tmp_path).reading_id(delivery, "وزیر") == first
    assert journal.reading_id(delivery, "معاون") != first
    journal.drop_reading(delivery, "وزیر")
    assert journal.reading_id(delivery, "وزیر") != first


def test_an_endpoint_has_one_id_until_it_ended_and_its_successor_too(tmp_path: Path) -> None:
    journal, url = Journal(tmp_path), "https://bank.example/"
    first = journal.endpoint_id(url, "")
    assert uuid.UUID(first).version == 4
    next_one = journal.endpoint_id(url, first)
    assert len({first, next_one, journal.endpoint_id("https://bank.example/2", "")}) == 3
    again = Journal(tmp_path)
    assert (again.endpoint_id(url, ""), again.endpoint_id(url, first)) == (first, next_one)


def test_what_was_downloaded_is_kept_by_index(tmp_path: Path) -> None:
    journal, delivery = Journal(tmp_path), f"letters/{uuid.uuid4()}/deliveries/3"
    assert journal.downloaded(delivery) == {}
    for index in (12, 2, 2):
        journal.add_downloaded(delivery, index, bytes([index]) * 32)
    assert list(journal.downloaded(delivery).items()) == [(2, b"\2" * 32), (12, b"\x0c" * 32)]


KILLED = """
import os, sys, signal
from pathlib import Path
from dabir.client.journal import Journal
folder, letter = Path(sys.argv[1]), sys.argv[2]
with Journal(folder).new_letter(letter) as draft:
    draft.add_document(1, folder / "page.pdf")
    draft.add_manifest(b"{}", [b"signature"], ["documents/one"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_before_the_rename_leaves_no_letter(tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_bytes(b"page")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(uuid.uuid4())], check=False)
    assert done.returncode == -signal.SIGKILL
    journal = Journal(tmp_path)
    assert journal.unsettled() == []
    half_made = list((tmp_path / "letters").glob(".new-*"))
    assert len(half_made) == 1
    day_before_yesterday = time.time() - 2 * 86_400
    os.utime(half_made[0], (day_before_yesterday, day_before_yesterday))
    assert journal.unsettled() == []
    assert list((tmp_path / "letters").iterdir()) == []


ROOMS = ["letters", "receipts", "recalls", "readings", "downloads"]


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_half_made_goes_from_every_room_when_it_is_a_day_old(tmp_path: Path, room: str) -> None:
    Journal(tmp_path)
    old, new = tmp_path / room / ".new-old", tmp_path / room / ".new-new"
    for left in (old, new):
        left.mkdir()
        (left / "receipt.json").write_bytes(b"{}")
    day_before_yesterday = time.time() - 2 * 86_400
    os.utime(old, (day_before_yesterday, day_before_yesterday))
    Journal(tmp_path)
    assert list((tmp_path / room).iterdir()) == [new], "another process may be making it"


def test_half_made_files_of_an_entry_go_too(tmp_path: Path) -> None:
    journal, delivery = Journal(tmp_path / "journal"), f"letters/{uuid.uuid4()}/deliveries/3"
    entry = written(journal, tmp_path)
    journal.add_downloaded(delivery, 1, b"1" * 32)
    (downloads,) = (tmp_path / "journal" / "downloads").iterdir()
    day_before_yesterday = time.time() - 2 * 86_400
    for folder in (entry.folder, downloads):
        (folder / ".new-file").write_bytes(b"half")
        os.utime(folder / ".new-file", (day_before_yesterday, day_before_yesterday))
    assert journal.unsettled() == [entry]
    journal.add_downloaded(delivery, 2, b"2" * 32)
    assert not list((tmp_path / "journal").rglob(".new-*"))
