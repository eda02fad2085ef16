"""Sending a letter: compose and sign, keep in the journal, upload, submit, check the answer.

A kill at any line leaves either nothing that was sent, or a journal entry that `send` takes up again with the same
bytes: the hub then finds what it already has by the ids in them and gives the answer it stored.
"""

import hashlib
import mimetypes
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dabir.client import documents
from dabir.client.errors import InputError, RefusedError, UnavailableError, VerificationError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, LetterEntry, StoredFile
from dabir.client.profile import Profile
from dabir.client.trust import Proven, Trust
from dabir.common.v1 import manifest_pb2 as pb
from dabir.formats import cades, names, pki
from dabir.formats.manifest import TYPE, parse_manifest, write_manifest
from dabir.formats.persian import fold
from dabir.formats.signer import FileSigner, certificate_sha256
from dabir.formats.statement import Event
from dabir.formats.strict_json import FormatError
from dabir.intake.v1.letter_pb2 import Letter
from dabir.intake.v1.sender_service_pb2 import SubmitLetterRequest, SubmitLetterResponse

SUBMIT_TIMEOUT_SECONDS = 60.0
TRY_OVER_SECONDS = 2 * SUBMIT_TIMEOUT_SECONDS
"""So long after a try began the hub does nothing for it any more: its deadline is past, and what a COMMIT may take."""
FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS = 0.2, 5.0
"""Before SubmitLetter is tried again: twice as long each time. A longer wait is left to the caller."""
_FINAL_CODES = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "ALREADY_EXISTS", "NOT_FOUND", "OUT_OF_RANGE", "REJECTED")
_HIDDEN = ("LETTER_NOT_FOUND", "DELIVERY_NOT_FOUND")
_UPLOAD_HELPS = ("DOCUMENT_NOT_FOUND", "DOCUMENT_NOT_READY")

_MEDIA_TYPES = mimetypes.MimeTypes()
"""Python's own table: the module's functions would add whatever this machine's files say."""

DocumentProgress = Callable[[int, int, int], None]
"""Told document index (1-based), bytes moved, size in bytes."""


@dataclass(frozen=True)
class Sent:
    """A registered letter with the hub's signed word for it."""

    letter: Letter
    submission_acceptance: Proven


def signers(profile: Profile) -> dict[str, FileSigner]:
    """The profile's signing keys by position, in its order. Raises InputError."""
    try:
        found = [FileSigner(pair.key, pair.certificate) for pair in profile.sign]
    except (OSError, ValueError) as error:
        raise InputError("SIGNING_KEY_UNUSABLE", f"{error}; correct the profile's [[sign]]") from None
    return {pki.position(signer.certificate): signer for signer in found}


def seal_signer(profile: Profile) -> FileSigner:
    """The body's seal. Raises InputError."""
    try:
        return FileSigner(profile.seal.key, profile.seal.certificate)
    except (OSError, ValueError) as error:
        raise InputError("SEAL_UNUSABLE", f"{error}; correct the profile's [seal]") from None


def compose(profile: Profile, journal: Journal, letter: pb.Manifest, files: Sequence[Path]) -> LetterEntry:
    """Fills in what the client knows, signs, and keeps the letter in the journal. Nothing is sent.

    `letter` says what the sender decides: definition, recipients, subject, and whatever else it wants. Filled in are
    type, id, hub, time, sender (the profile's, where not given), documents (from `files`, the letter itself first), the
    certificates of the signers, who are the profile's first position where none is named; priority and classification
    normal where not given. Raises InputError for what the format refuses, or a file that cannot be read.
    """
    manifest = pb.Manifest()
    manifest.CopyFrom(letter)
    manifest.type, manifest.hub, manifest.letter_uuid = TYPE, profile.hub, str(uuid.uuid4())
    manifest.written_at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    manifest.sender.body = profile.body
    manifest.sender.office = manifest.sender.office or profile.office
    manifest.priority = manifest.priority or pb.PRIORITY_NORMAL
    manifest.classification = manifest.classification or pb.CLASSIFICATION_NORMAL
    signing = _name_signers(manifest, signers(profile))
    try:
        with journal.new_letter(manifest.letter_uuid) as draft:
            for index, file in enumerate(files, start=1):
                manifest.documents.append(_document(index, file, draft.add_document(index, file)))
            data = write_manifest(manifest)
            now = datetime.now(UTC)
            signatures = [cades.sign_detached(data, signer, now) for signer in signing]
            draft.add_manifest(data, signatures, [names.document(str(uuid.uuid4())) for _ in files])
    except FormatError as error:
        raise InputError(error.reason, f"the letter cannot be written: {error}") from None
    except OSError as error:
        raise InputError(
            "FILE_UNREADABLE", f"{error.filename}: {error.strerror}; name a file that can be read"
        ) from None
    return LetterEntry(draft.target)


def _document(index: int, file: Path, stored: StoredFile) -> pb.ManifestDocument:
    return pb.ManifestDocument(
        index=index,
        role=pb.DOCUMENT_ROLE_MAIN if index == 1 else pb.DOCUMENT_ROLE_ANNEX,
        file_name=file.name,
        media_type=media_type(file),
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )


def media_type(file: Path) -> str:
    """By the file's ending. The hub compares it with what the bytes are. Raises InputError for an unknown ending."""
    found = _MEDIA_TYPES.guess_type(file.name)[0]
    if found is None:
        raise InputError("MEDIA_TYPE_UNKNOWN", f"{file.name}: its ending tells no media type; rename it, e.g. to .pdf")
    return found


def _name_signers(manifest: pb.Manifest, known: dict[str, FileSigner]) -> list[FileSigner]:
    """Completes `manifest.signers` and returns their keys in the same order. Raises InputError."""
    if not manifest.signers:
        manifest.signers.add(position=next(iter(known)))
    signing = []
    for signer in manifest.signers:
        signer.position = _position_meant(signer.position, known)
        key = known[signer.position]
        signer.certificate_sha256 = certificate_sha256(key.certificate)
        signing.append(key)
    return signing


def _position_meant(typed: str, known: Collection[str]) -> str:
    """The position as its certificate spells it, whatever keyboard it was typed on. Raises InputError.

    Where two differ by no more than their spelling, only one typed exactly is meant: another's key must not sign.
    """
    meant = [typed] if typed in known else [position for position in known if fold(position) == fold(typed)]
    if len(meant) != 1:
        raise InputError("NO_SUCH_POSITION", f"the profile has no key of {typed}; it has: {'; '.join(known)}")
    return meant[0]


def send(hub: Hub, trust: Trust, entry: LetterEntry, progress: DocumentProgress, *, resumed: bool = False) -> Sent:
    """Sends a letter of the journal and settles its entry. May be repeated at any time with the same outcome.

    Raises RefusedError, UnavailableError, VerificationError (the answer is then not believed and the entry stays open).
    """
    manifest = parse_manifest(entry.manifest)
    answer = entry.registered or register(hub, entry, manifest, progress, resumed)
    proven = check_answer(trust, entry, manifest, answer)
    if entry.registered is None:
        entry.settle_registered(answer)
    return Sent(answer.letter, proven)


def is_final(error: RefusedError) -> bool:
    """Whether what was sent itself is refused. A refusal of the caller (a clearance, a role, a certificate) may be
    mended, and says nothing of what an earlier try did: for want of a clearance, what is its own is hidden from it.
    """
    return error.code in _FINAL_CODES and error.reason not in _HIDDEN


def register(
    hub: Hub, entry: LetterEntry, manifest: pb.Manifest, progress: DocumentProgress, resumed: bool
) -> SubmitLetterResponse:
    """The hub's answer. Settles the entry by a refusal once no try is left that could have registered the letter."""
    try:
        if entry.open_tries():  # only SubmitLetter knows of it: an upload may be refused although it is registered
            try:
                return _submit(hub, entry)
            except RefusedError as error:
                if error.reason not in _UPLOAD_HELPS:
                    raise
            resumed = True
        _upload_all(hub, entry, manifest, progress, resumed)
        return _submit(hub, entry)
    except RefusedError as error:
        tries = entry.open_tries()
        if tries and is_final(error):
            said = f"{error} But an earlier try may have registered it, or may yet; send it again for the answer"
            left_seconds = max(TRY_OVER_SECONDS - min(tries.values()), 0.0)
            raise UnavailableError("EARLIER_TRY_OPEN", said, retry_after_seconds=left_seconds) from error
        if is_final(error) or (error.code == "PERMISSION_DENIED" and not (resumed or tries)):
            entry.settle_refused(error.reason, str(error))
        raise


def _submit(hub: Hub, entry: LetterEntry) -> SubmitLetterResponse:
    """Calls SubmitLetter, again while its deadline and MOST_WAIT_SECONDS permit.

    Each try is noted: one that was not answered may still be running, and register what a later one is refused by a
    rule of the moment. A final refusal ends those that were over before it was asked for: they registered nothing.
    """
    request = SubmitLetterRequest(manifest=entry.manifest, signatures=entry.signatures, documents=entry.documents)
    until, wait_seconds = time.monotonic() + SUBMIT_TIMEOUT_SECONDS, FIRST_WAIT_SECONDS
    while True:
        over = [begun for begun, ago_seconds in entry.open_tries().items() if ago_seconds >= TRY_OVER_SECONDS]
        this = entry.begin_try()
        try:
            return hub.call(hub.sender.SubmitLetter, request, timeout_seconds=until - time.monotonic())
        except RefusedError as error:
            for ended in (this, *over) if is_final(error) else (this,):
                entry.end_try(ended)
            raise
        except UnavailableError as error:
            wait_seconds = max(wait_seconds, error.retry_after_seconds or 0.0)
            if wait_seconds > MOST_WAIT_SECONDS or 2 * wait_seconds > until - time.monotonic():
                raise
        time.sleep(wait_seconds)
        wait_seconds *= 2


def _upload_all(hub: Hub, entry: LetterEntry, manifest: pb.Manifest, progress: DocumentProgress, resumed: bool) -> None:
    for document, name in zip(manifest.documents, entry.documents, strict=True):
        upload = documents.Upload(
            name=name,
            file=entry.document_file(document.index),
            media_type=document.media_type,
            size_bytes=document.size_bytes,
            sha256=document.sha256,
        )

        def moved(moved_bytes: int, index: int = document.index, size_bytes: int = document.size_bytes) -> None:
            progress(index, moved_bytes, size_bytes)

        try:
            documents.upload(hub, upload, moved, resumed=resumed)
        except RefusedError as error:
            error.metadata.setdefault("document", name)
            raise


def check_answer(trust: Trust, entry: LetterEntry, manifest: pb.Manifest, answer: SubmitLetterResponse) -> Proven:
    """The SubmissionAcceptance, if it says that exactly this letter was registered. Raises VerificationError."""
    proven = trust.statement(answer.submission_acceptance)
    says = proven.says
    stated = (
        proven.event,
        proven.subject,
        says.manifest_sha256,
        [(document.name, document.sha256) for document in says.documents],
        [signature.file_sha256 for signature in says.signatures],
        [recipient.office for recipient in says.recipients],
        says.number.text,
    )
    ours = (
        Event.SUBMISSION_ACCEPTANCE,
        entry.letter,
        hashlib.sha256(entry.manifest).digest(),
        list(zip(entry.documents, [document.sha256 for document in manifest.documents], strict=True)),
        [hashlib.sha256(signature).digest() for signature in entry.signatures],
        [recipient.office for recipient in manifest.recipients],
        answer.letter.registry_number.text,
    )
    if stated != ours:
        raise VerificationError(
            "ANSWER_OF_OTHER_LETTER",
            f"{proven.name} does not state what was sent as {entry.letter}; keep it, report it",
        )
    return proven
