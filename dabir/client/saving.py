"""The documents of an accepted delivery on our own disk, with what proves them."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from dabir.client import documents
from dabir.client.errors import HeldError, InputError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, replace_file, sync_folder
from dabir.client.opening import Opened
from dabir.client.sending import DocumentProgress
from dabir.common.v1 import manifest_pb2
from dabir.documents.v1.documents_pb2 import ConfirmDownloadRequest
from dabir.intake.v1 import letter_pb2

MAX_NAME_BYTES = 240
"""Of a saved file's name, 255 being the most that file systems take: `.part` is put behind it while it comes."""


def saved_name(listed: manifest_pb2.ManifestDocument) -> str:
    """`{index}-{file name}`, shortened in its middle where no file system would take it; its ending stays.

    A manifest's file name has up to 255 characters, which in Persian are 510 bytes.
    """
    name = f"{listed.index}-{listed.file_name}"
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending.encode()) > MAX_NAME_BYTES // 2:
        stem, ending = name, ""
    room = MAX_NAME_BYTES - len(f"….{ending}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}…{dot if ending else ''}{ending}"


@contextlib.contextmanager
def _disk_errors_as_sentences() -> Iterator[None]:
    """Raises InputError in place of OSError: where the files go was the caller's to say."""
    try:
        yield
    except OSError as error:
        said = f"{error.filename or 'a file'}: {error.strerror}; name a folder that can be written, or make room"
        raise InputError("FILE_UNUSABLE", said) from error


@_disk_errors_as_sentences()
def save(
    hub: Hub,
    journal: Journal,
    given: letter_pb2.Delivery,
    opened: Opened,
    folder: Path,
    progress: DocumentProgress,
    *,
    although_held: bool,
) -> None:
    """Downloads the documents into `folder`, with what proves them, and confirms each. See Receiver.save.

    Nothing is written where any of the files stands there with other bytes: they are another letter's, or evidence of
    what was done to this one's. That a document was downloaded is in the journal before the hub is told: a return names
    what was.
    """
    if opened.held and not although_held:
        raise HeldError("HELD", f"{given.envelope.delivery} is {'; '.join(map(str, opened.held))}")
    listed = {document.index: document for document in opened.manifest.manifest.documents}
    targets = {granted.index: folder / saved_name(listed[granted.index]) for granted in opened.documents}
    proof = {folder / name: data for name, data in _proof(given.content).items()}
    digests = {path: hashlib.sha256(data).digest() for path, data in proof.items()}
    digests |= {target: listed[index].sha256 for index, target in targets.items()}
    missing = {path for path, sha256 in digests.items() if not is_saved(path, sha256)}
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in proof.items():
        if path in missing:
            replace_file(path, data)
    sync_folder(folder)  # what stood there may be of a run that was killed before it could
    key = opened.consignment_acceptance.jws
    for granted in opened.documents:
        document, target = listed[granted.index], targets[granted.index]
        if target in missing:
            _fetch(hub, granted.document, key, document, target, progress)
        progress(document.index, document.size_bytes, document.size_bytes)
        journal.add_downloaded(given.envelope.delivery, document.index, document.sha256)
        confirm = ConfirmDownloadRequest(document=granted.document, consignment_acceptance=key, sha256=document.sha256)
        hub.call(hub.documents.ConfirmDownload, confirm)


def _proof(content: letter_pb2.Content) -> dict[str, bytes]:
    """What proves the documents, by file name."""
    signatures = {f"signature-{place}.p7s": data for place, data in enumerate(content.signatures, start=1)}
    return {
        "manifest.json": content.manifest,
        **signatures,
        "submission-acceptance.jws": content.submission_acceptance.jws.encode(),
        "consignment-acceptance.jws": content.consignment_acceptance.jws.encode(),
    }


def _fetch(
    hub: Hub, name: str, key: str, listed: manifest_pb2.ManifestDocument, target: Path, progress: DocumentProgress
) -> None:
    def moved(moved_bytes: int) -> None:
        progress(listed.index, moved_bytes, listed.size_bytes)

    documents.download(hub, name, key, target, listed.size_bytes, listed.sha256, moved)


def is_saved(target: Path, sha256: bytes) -> bool:
    """Whether the file stands at `target` already. Raises InputError if another one does; OSError."""
    if not target.exists():
        return False
    with target.open("rb") as reading:
        digest = hashlib.file_digest(reading, "sha256").digest()
    if digest != sha256:
        said = f"{target} is there already, with other bytes than this letter's; save to another folder"
        raise InputError("OTHER_FILE_THERE", said)
    return True
