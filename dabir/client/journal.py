"""What was signed, on disk before it is first sent, so that sending again sends exactly the same bytes.

    journal/letters/{uuid}/manifest.json        the signed bytes
                          /signature-1.p7s …    in the signers' order
                          /documents.json       ["documents/{uuid}", …] in index order
                          /document-1 …         the documents' bytes, removed once the letter is registered
                          /try-{when}-{uuid}    empty: SubmitLetter was begun (Unix seconds), and did not refuse
                          /registered.binpb     the hub's answer (SubmitLetterResponse), once it was verified
                          /refused.json         the hub's refusal, if that was its answer
    journal/receipts/{uuid}.{n}.{verdict}/receipt.json, receipt.p7s
    journal/watch.sqlite, watch.lock            how far our feed was read, and alarms: watch_journal.py
    journal/recalls/{uuid}.{which}/recall.json, recall.p7s        `which`: `all`, or of the deliveries named
    journal/readings/{uuid}.{n}.{who}/request_id                  until the hub answered
    journal/endpoints/{which}/request_id                          `which`: of the URL, and of the id of the one before
    journal/downloads/{uuid}.{n}/{index}                          SHA-256 of a document that was downloaded, in hex

An entry appears by one rename after all its files are on the disk: a kill leaves a whole entry or none. What is half
made (`.new-…`) was never sent, and is cleared away when it is a day old.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dabir.formats import names
from dabir.intake.v1.sender_service_pb2 import SubmitLetterResponse

_CHUNK_BYTES = 1 << 20
_HALF_MADE = ".new-"
_HALF_MADE_KEPT_SECONDS = 86_400


@dataclass(frozen=True)
class StoredFile:
    """A document's bytes as they were copied into the journal: what is signed is what was read here, once."""

    size_bytes: int
    sha256: bytes


@dataclass(frozen=True)
class LetterEntry:
    """A letter in the journal."""

    folder: Path

    @property
    def letter(self) -> str:
        return names.letter(self.folder.name)

    @property
    def manifest(self) -> bytes:
        return (self.folder / "manifest.json").read_bytes()

    @property
    def signatures(self) -> list[bytes]:
        count = sum(1 for _ in self.folder.glob("signature-*.p7s"))
        return [(self.folder / f"signature-{place}.p7s").read_bytes() for place in range(1, count + 1)]

    @property
    def documents(self) -> list[str]:
        listed: list[str] = json.loads((self.folder / "documents.json").read_bytes())
        return listed

    def document_file(self, index: int) -> Path:
        """Of the `index`-th document, 1-based."""
        return self.folder / f"document-{index}"

    @property
    def registered(self) -> SubmitLetterResponse | None:
        """The hub's answer, if it came."""
        try:
            return SubmitLetterResponse.FromString((self.folder / "registered.binpb").read_bytes())
        except FileNotFoundError:
            return None

    @property
    def is_settled(self) -> bool:
        """Whether the hub answered, with yes or no."""
        return any((self.folder / name).exists() for name in ("registered.binpb", "refused.json"))

    def begin_try(self) -> Path:
        """Notes that SubmitLetter is about to be called, on the disk when this returns."""
        begun = self.folder / f"try-{int(time.time())}-{uuid.uuid4()}"
        write_file(begun, b"")
        sync_folder(self.folder)
        return begun

    def end_try(self, begun: Path) -> None:
        """Takes the note back: by this try the letter was not registered, nor can it be any more."""
        begun.unlink(missing_ok=True)

    def open_tries(self) -> dict[Path, float]:
        """The tries that may have registered the letter, or may do so yet; how many seconds ago each began."""
        now = time.time()
        return {begun: now - int(begun.name.split("-")[1]) for begun in self.folder.glob("try-*")}

    def settle_registered(self, answer: SubmitLetterResponse) -> None:
        """Keeps the answer, then gives the copies of the documents back to the disk: the hub holds them now."""
        replace_file(self.folder / "registered.binpb", answer.SerializeToString())
        self.drop_copies()

    def settle_refused(self, reason: str, message: str) -> None:
        text = json.dumps({"reason": reason, "message": message}, ensure_ascii=False)
        replace_file(self.folder / "refused.json", text.encode())
        self.drop_copies()

    def drop_copies(self) -> None:
        """Of the documents of a settled letter. Another process of ours may be doing the same."""
        for copy in self.folder.glob("document-*"):
            copy.unlink(missing_ok=True)


@dataclass(frozen=True)
class SealedEntry:
    """A receipt or recall as it stood in the journal: another process of ours may put another one in its place."""

    folder: Path
    data: bytes
    signature: bytes

    @property
    def sha256(self) -> bytes:
        """Of the bytes, as the statement of them says."""
        return hashlib.sha256(self.data).digest()


class Journal:
    """The journal of one profile. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._letters = folder / "letters"
        self._receipts, self._recalls = folder / "receipts", folder / "recalls"
        self._readings, self._downloads = folder / "readings", folder / "downloads"
        self._endpoints = folder / "endpoints"
        self._rooms = (
            self._letters, self._receipts, self._recalls, self._readings, self._downloads, self._endpoints
        )  # fmt: skip
        for room in self._rooms:
            room.mkdir(parents=True, exist_ok=True, mode=0o700)
            _clear_half_made(room)

    def letters(self) -> list[LetterEntry]:
        """Every letter written here, oldest first."""
        folders = [folder for folder in self._letters.iterdir() if not folder.name.startswith(".")]
        return [LetterEntry(one) for one in sorted(folders, key=lambda one: (one / "manifest.json").stat().st_mtime)]

    def unsettled(self) -> list[LetterEntry]:
        """Letters to which the hub's answer is not known: those that `resume` sends again."""
        for room in self._rooms:
            _clear_half_made(room)
        entries = self.letters()
        for entry in entries:
            _clear_half_made(entry.folder)
            if entry.is_settled:
                entry.drop_copies()  # left by a kill right after the letter was settled
        return [entry for entry in entries if not entry.is_settled]

    def letter(self, name: str) -> LetterEntry | None:
        folder = self._letters / names.split_letter(name)
        return LetterEntry(folder) if folder.exists() else None

    @contextlib.contextmanager
    def new_letter(self, letter_uuid: str) -> Iterator["LetterDraft"]:
        """A letter to be filled; it stands in the journal when the block ends without an error."""
        target = self._letters / letter_uuid
        with _appearing(target) as folder:
            yield LetterDraft(folder, target)

    def receipt(self, delivery: str, verdict: str) -> SealedEntry | None:
        return _entry(self._receipts / f"{_file_name(delivery)}.{verdict.lower()}", "receipt")

    def add_receipt(self, delivery: str, verdict: str, receipt: bytes, signature: bytes) -> SealedEntry:
        """Keeps a receipt before it is sent; one that is kept already stays."""
        return _add(self._receipts / f"{_file_name(delivery)}.{verdict.lower()}", "receipt", receipt, signature)

    def recall(self, letter: str, deliveries: Sequence[str]) -> SealedEntry | None:
        return _entry(self._recalls / _recall_name(letter, deliveries), "recall")

    def add_recall(self, letter: str, deliveries: Sequence[str], recall: bytes, signature: bytes) -> SealedEntry:
        """Keeps a recall of the deliveries named, none meaning all, before it is sent; one kept already stays."""
        return _add(self._recalls / _recall_name(letter, deliveries), "recall", recall, signature)

    def drop_sealed(self, entry: SealedEntry) -> None:
        """Forgets a receipt or recall that the hub did not take, or that its body no longer means."""
        _drop(entry.folder)

    def reading_id(self, delivery: str, position: str) -> str:
        """The id of a reading that is to be stated: the same again until `drop_reading`, also after a kill."""
        return _request_id(self._reading_folder(delivery, position))

    def drop_reading(self, delivery: str, position: str) -> None:
        """The hub answered it: the next reading is another one."""
        _drop(self._reading_folder(delivery, position))

    def endpoint_id(self, url: str, ended: str) -> str:
        """The id of our endpoint at the URL, or of the one after that whose id is `ended`: the same whoever asks."""
        return _request_id(self._endpoints / _short_digest(f"{url}\n{ended}"))

    def add_downloaded(self, delivery: str, index: int, sha256: bytes) -> None:
        """Keeps that a document, 1-based, was downloaded and had this digest."""
        folder = self._downloads / _file_name(delivery)
        folder.mkdir(exist_ok=True, mode=0o700)
        _clear_half_made(folder)
        replace_file(folder / str(index), sha256.hex().encode())

    def downloaded(self, delivery: str) -> dict[int, bytes]:
        """The digests of what was downloaded, by index, ascending."""
        kept = (self._downloads / _file_name(delivery)).glob("[1-9]*")
        digests = {int(file.name): bytes.fromhex(file.read_text(encoding="ascii")) for file in kept}
        return dict(sorted(digests.items()))

    def _reading_folder(self, delivery: str, position: str) -> Path:
        return self._readings / f"{_file_name(delivery)}.{_short_digest(position)}"


@dataclass(frozen=True)
class LetterDraft:
    """A letter's folder while it is being filled; it will be `target`."""

    folder: Path
    target: Path

    def add_document(self, index: int, source: Path) -> StoredFile:
        """Copies a document, 1-based, and digests what was copied: the source may change later. Raises OSError."""
        digest, size_bytes = hashlib.sha256(), 0
        with source.open("rb") as reading, (self.folder / f"document-{index}").open("xb") as writing:
            while chunk := reading.read(_CHUNK_BYTES):
                writing.write(chunk)
                digest.update(chunk)
                size_bytes += len(chunk)
            writing.flush()
            os.fsync(writing.fileno())
        return StoredFile(size_bytes, digest.digest())

    def add_manifest(self, manifest: bytes, signatures: list[bytes], documents: list[str]) -> None:
        for place, signature in enumerate(signatures, start=1):
            write_file(self.folder / f"signature-{place}.p7s", signature)
        write_file(self.folder / "documents.json", json.dumps(documents).encode())
        write_file(self.folder / "manifest.json", manifest)


def _file_name(delivery: str) -> str:
    letter, place = names.split_delivery(delivery)
    return f"{names.split_letter(letter)}.{place}"


def _recall_name(letter: str, deliveries: Sequence[str]) -> str:
    """Up to 500 deliveries are named: more than a file's name holds."""
    named = _short_digest("\n".join(sorted(deliveries))) if deliveries else "all"
    return f"{names.split_letter(letter)}.{named}"


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _request_id(folder: Path) -> str:
    """A UUIDv4 that is drawn once, and stands in the folder before anyone uses it."""
    if not folder.exists():
        with _appearing(folder) as draft:
            write_file(draft / "request_id", str(uuid.uuid4()).encode())
    return (folder / "request_id").read_text(encoding="ascii")


def _entry(folder: Path, kind: str) -> SealedEntry | None:
    """What stands there, both files of the same entry; None if nothing does, or no longer."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        data, signature = (_read_in(descriptor, f"{kind}.{ending}") for ending in ("json", "p7s"))
    except FileNotFoundError:  # dropped meanwhile
        return None
    finally:
        os.close(descriptor)
    return SealedEntry(folder, data, signature)


def _read_in(folder: int, name: str) -> bytes:
    """A file of the folder that is open as this descriptor, wherever it is moved to."""
    with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=folder)) as reading:
        return reading.read()


def _add(folder: Path, kind: str, data: bytes, signature: bytes) -> SealedEntry:
    while True:
        with _appearing(folder) as draft:
            write_file(draft / f"{kind}.json", data)
            write_file(draft / f"{kind}.p7s", signature)
        if (kept := _entry(folder, kind)) is not None:
            return kept


def _drop(folder: Path) -> None:
    dropped = folder.with_name(f"{_HALF_MADE}{uuid.uuid4()}")
    with contextlib.suppress(FileNotFoundError):  # another process of ours was quicker
        folder.rename(dropped)
        sync_folder(folder.parent)
        shutil.rmtree(dropped)


def write_file(path: Path, data: bytes) -> None:
    """Writes a new file and waits until it is on the disk."""
    with path.open("xb") as writing:
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, on the disk when this returns."""
    arriving = path.with_name(f"{_HALF_MADE}{uuid.uuid4()}")
    write_file(arriving, data)
    arriving.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder that appears whole under its name, or not at all. One that stands there already stays as it is."""
    half_made = folder.with_name(f"{_HALF_MADE}{uuid.uuid4()}")
    half_made.mkdir(mode=0o700)
    try:
        yield half_made
        sync_folder(half_made)
        try:
            half_made.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise  # otherwise another process was first, and what it wrote stands
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def _clear_half_made(room: Path) -> None:
    """Entries of a room, or files of an entry. Another process of ours may be doing the same."""
    for left in room.glob(f"{_HALF_MADE}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime <= _HALF_MADE_KEPT_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def sync_folder(folder: Path) -> None:
    """Waits until what appeared in a folder, or went from it, has done so on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
