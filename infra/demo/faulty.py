"""Letters that the hub must refuse: one thing wrong in each, sent past the client that would not write them."""

from datetime import UTC, datetime
from pathlib import Path

from dabir.client import Client, Manifest, RefusedError, sending
from dabir.client.documents import Upload, quiet, upload
from dabir.client.journal import LetterEntry
from dabir.formats import cades, names
from dabir.formats.manifest import parse_manifest, write_manifest
from dabir.intake.v1.sender_service_pb2 import SubmitLetterRequest
from infra.demo.plan import Fault


def refusal(
    client: Client, fault: Fault, letter: Manifest, page: Path, *, reused: str = ""
) -> tuple[str, RefusedError | None]:
    """Submits the letter with its fault. Returns its name and the hub's refusal, None if it was registered.

    `reused`: with Fault.LETTER_ID the registered letter whose name it takes.
    """
    if fault is Fault.DOCUMENT:
        page.write_bytes(page.read_bytes()[: page.stat().st_size // 2])
    entry = client.compose(letter, [page])
    try:
        submit(client, entry, fault, reused=reused)
    except RefusedError as error:
        entry.settle_refused(error.reason, str(error))
        return reused or entry.letter, error
    return reused or entry.letter, None


def submit(client: Client, entry: LetterEntry, fault: Fault, *, reused: str = "") -> None:
    """Submits a composed letter with its fault. Raises RefusedError, as it should, and UnavailableError."""
    manifest = parse_manifest(entry.manifest)
    for document, name in zip(manifest.documents, entry.documents, strict=True):
        sent = Upload(
            name, entry.document_file(document.index), document.media_type, document.size_bytes, document.sha256
        )
        try:
            upload(client.hub, sent, quiet)
        except RefusedError as error:
            if error.code != "REJECTED":  # the damaged one: intake must refuse it too
                raise
    data, signatures = entry.manifest, entry.signatures
    if fault is Fault.DIGEST:
        digest = manifest.documents[0].sha256
        manifest.documents[0].sha256 = bytes([digest[0] ^ 1]) + digest[1:]
    if fault is Fault.LETTER_ID:
        manifest.letter_uuid = names.split_letter(reused)
    if fault in (Fault.DIGEST, Fault.LETTER_ID):
        data = write_manifest(manifest)
        signatures = [_sign(client, data, signer.position) for signer in manifest.signers]
    if fault is Fault.SIGNATURE:
        signatures[0] = _sign(client, data + b" ", manifest.signers[0].position)
    request = SubmitLetterRequest(manifest=data, signatures=signatures, documents=entry.documents)
    client.hub.call(client.hub.sender.SubmitLetter, request)


def _sign(client: Client, data: bytes, position: str) -> bytes:
    return cades.sign_detached(data, sending.signers(client.profile)[position], datetime.now(UTC))
