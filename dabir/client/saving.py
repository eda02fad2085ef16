"""The documents of an accepted delivery on our own disk, with what proves them."""

import hashlib
from pathlib import Path

from dabir.client import documents
from dabir.client.errors import HeldError, InputError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, replace_file
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

    That a document was downloaded is in the journal before the hub is told: a return names what was.
    """
    if opened.held and not although_held:
        raise HeldError("HELD", f"{given.envelope.delivery} is {'; '.join(map(str, opened.held))}")
    folder.mkdir(parents=True, exist_ok=True)
    _save_proof(given.content, folder)
    listed = {document.index: document for document in opened.manifest.manifest.documents}
    key = opened.consignment_acceptance.jws
    for granted in opened.documents:
        document = listed[granted.index]
        _fetch(hub, granted.document, key, document, folder / saved_name(document), progress)
        journal.add_downloaded(given.envelope.delivery, document.index, document.sha256)
        confirm = ConfirmDownloadRequest(document=granted.document, consignment_acceptance=key, sha256=document.sha256)
        hub.call(hub.documents.ConfirmDownload, confirm)


def _save_proof(content: letter_pb2.Content, folder: Path) -> None:
    replace_file(folder / "manifest.json", content.manifest)
    for place, signature in enumerate(content.signatures, start=1):
        replace_file(folder / f"signature-{place}.p7s", signature)
    replace_file(folder / "submission-acceptance.jws", content.submission_acceptance.jws.encode())
    replace_file(folder / "consignment-acceptance.jws", content.consignment_acceptance.jws.encode())


def _fetch(
    hub: Hub, name: str, key: str, listed: manifest_pb2.ManifestDocument, target: Path, progress: DocumentProgress
) -> None:
    def moved(moved_bytes: int) -> None:
        progress(listed.index, moved_bytes, listed.size_bytes)

    if not is_saved(target, listed):
        documents.download(hub, name, key, target, listed.size_bytes, listed.sha256, moved)
    moved(listed.size_bytes)


def is_saved(target: Path, listed: manifest_pb2.ManifestDocument) -> bool:
    """Whether the document stands at `target` already. Raises InputError if another file does; OSError."""
    if not target.exists():
        return False
    with target.open("rb") as reading:
        digest = hashlib.file_digest(reading, "sha256").digest()
    if digest != listed.sha256:
        said = f"{target} is there already and is not document {listed.index} of the letter; save to another folder"
        raise InputError("OTHER_FILE_THERE", said)
    return True
