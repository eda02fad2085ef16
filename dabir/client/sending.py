"""Sending a letter: compose and sign, keep in the journal, upload, submit, check the answer.

A kill at any line leaves either nothing that was sent, or a journal entry that `send` takes up again with the same
bytes: the hub then finds what it already has by the ids in them and gives the answer it stored.
"""

import hashlib
import mimetypes
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dabir.client import documents
from dabir.client.errors import InputError, RefusedError, VerificationError
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
FINAL_CODES = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "ALREADY_EXISTS", "NOT_FOUND", "OUT_OF_RANGE", "REJECTED")
"""Refusals of what was sent itself."""
MOST_LETTER_AGE = timedelta(hours=24)
"""An older letter is registered no more (docs/formats.md, `writtenAt`)."""

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
    answer = entry.registered
    if answer is None:
        try:
            _upload_all(hub, entry, manifest, progress, resumed)
            request = SubmitLetterRequest(
                manifest=entry.manifest, signatures=entry.signatures, documents=entry.documents
            )
            answer = hub.call(hub.sender.SubmitLetter, request, timeout_seconds=SUBMIT_TIMEOUT_SECONDS)
        except RefusedError as error:
            if is_final(error, manifest, resumed=resumed):
                entry.settle_refused(error.reason, str(error))
            raise
    proven = check_answer(trust, entry, manifest, answer)
    if entry.registered is None:
        entry.settle_registered(answer)
    return Sent(answer.letter, proven)


def is_final(error: RefusedError, manifest: pb.Manifest, *, resumed: bool) -> bool:
    """Whether the letter is settled by a refusal: asked again, it would be refused again.

    One of the caller (a clearance, a role, a certificate) says nothing of what an earlier try did, and may be mended: a
    letter that is sent again waits for that as long as the hub may still register it.
    """
    if error.code in FINAL_CODES or (error.code == "PERMISSION_DENIED" and not resumed):
        return True
    return datetime.now(UTC) - manifest.written_at.ToDatetime(tzinfo=UTC) > MOST_LETTER_AGE


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
