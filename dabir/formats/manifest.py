"""The manifest (شناسنامه نامه): the bytes that a letter's signers sign (docs/formats.md, "Manifest").

Here stands every rule that needs no clock, no directory and no definition; those are intake's.
"""

import re

from dabir.common.v1 import manifest_pb2 as pb
from dabir.formats import names
from dabir.formats.fields import (
    check_ascending,
    check_count,
    check_date,
    check_length,
    check_sha256,
    check_type,
    refuse,
    require,
)
from dabir.formats.strict_json import FormatError, parse, write

TYPE = "dabir.letter.v1"
MAX_MANIFEST_BYTES = 256 * 1024
MAX_SIGNERS = 8
MAX_RECIPIENTS = names.MAX_RECIPIENTS
MAX_DOCUMENTS = 100

_REQUIRED = ("letter_uuid", "hub", "written_at", "definition", "sender", "signers", "recipients", "subject")
_REQUIRED_TOO = ("priority", "classification", "documents")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")
_SCHEDULE = re.compile(r"[a-z][a-z0-9-]{1,62}")
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*'%/?#]{1,200}")


def parse_manifest(data: bytes) -> pb.Manifest:
    """The manifest in `data`, at most 256 KiB of strict JSON. Raises FormatError."""
    manifest = parse(data, pb.Manifest, max_bytes=MAX_MANIFEST_BYTES)
    _check(manifest)
    return manifest


def write_manifest(manifest: pb.Manifest) -> bytes:
    """The bytes to sign. Raises FormatError where `parse_manifest` would refuse them."""
    data = write(manifest)
    parse_manifest(data)
    return data


def _check(manifest: pb.Manifest) -> None:
    check_type(manifest.type, TYPE)
    require(manifest, (*_REQUIRED, *_REQUIRED_TOO))
    names.check_uuid4(manifest.letter_uuid, "letterUuid")
    names.check_hub(manifest.hub, "hub")
    names.split_definition(manifest.definition, "definition")
    _check_sender(manifest.sender)
    _check_signers(manifest)
    _check_documents(manifest)
    _check_recipients(manifest)
    _check_header(manifest)
    _check_relations(manifest)


def _check_sender(sender: pb.ManifestSender) -> None:
    require(sender, ("body", "office"), "sender")
    names.split_body(sender.body, "sender.body")
    names.split_office(sender.office, "sender.office")
    if names.body_of(sender.office) != sender.body:
        raise FormatError("OFFICE_OF_OTHER_BODY", f"is not an office of {sender.body}", "sender.office")
    check_length(sender.number, 64, "sender.number")
    if sender.date:
        check_date(sender.date, "sender.date")


def _check_signers(manifest: pb.Manifest) -> None:
    check_count(manifest.signers, MAX_SIGNERS, "signers")
    seen: set[bytes] = set()
    for index, signer in enumerate(manifest.signers):
        path = f"signers[{index}]"
        require(signer, ("position", "certificate_sha256"), path)
        check_sha256(signer.certificate_sha256, f"{path}.certificateSha256")
        check_length(signer.position, 200, f"{path}.position")
        check_length(signer.on_behalf_of, 200, f"{path}.onBehalfOf")
        check_length(signer.decree, 200, f"{path}.decree")
        if signer.capacity == pb.CAPACITY_ON_BEHALF:
            require(signer, ("on_behalf_of",), path)
        if signer.capacity in (pb.CAPACITY_UNSPECIFIED, pb.CAPACITY_SELF):
            refuse(signer, ("on_behalf_of",), "who signs in its own capacity signs for nobody else", path)
        if signer.certificate_sha256 in seen:
            raise FormatError("DUPLICATE_SIGNER", "names a certificate that signs already; each signs once", path)
        seen.add(signer.certificate_sha256)


def _check_documents(manifest: pb.Manifest) -> None:
    check_count(manifest.documents, MAX_DOCUMENTS, "documents")
    for place, document in enumerate(manifest.documents, start=1):
        path = f"documents[{place - 1}]"
        require(document, ("index", "role", "file_name", "media_type", "size_bytes", "sha256"), path)
        if document.index != place:
            raise FormatError(
                "WRONG_INDEX", f"must be {place}: documents stand in the order 1, 2, 3 …", f"{path}.index"
            )
        if (document.role == pb.DOCUMENT_ROLE_MAIN) != (place == 1):
            raise FormatError("WRONG_ROLE", "document 1, and only it, is DOCUMENT_ROLE_MAIN", f"{path}.role")
        check_sha256(document.sha256, f"{path}.sha256")
        _check_file_name(document.file_name, f"{path}.fileName")
        if _MEDIA_TYPE.fullmatch(document.media_type) is None:
            raise FormatError("BAD_MEDIA_TYPE", "must be a media type such as application/pdf", f"{path}.mediaType")
    if manifest.HasField("payload"):
        _check_payload(manifest)


def _check_file_name(file_name: str, path: str) -> None:
    check_length(file_name, 255, path)
    if "/" in file_name or "\\" in file_name or file_name in {".", ".."}:
        raise FormatError("BAD_FILE_NAME", "must be a name without path: no / and no \\", path)


def _check_payload(manifest: pb.Manifest) -> None:
    require(manifest.payload, ("type", "document"), "payload")
    if _URN.fullmatch(manifest.payload.type) is None:
        raise FormatError("BAD_URN", "must be a URN that names the schema", "payload.type")
    if manifest.payload.document > len(manifest.documents):
        raise FormatError("NO_SUCH_DOCUMENT", "names a document the manifest does not have", "payload.document")


def _check_recipients(manifest: pb.Manifest) -> None:
    check_count(manifest.recipients, MAX_RECIPIENTS, "recipients")
    seen: set[str] = set()
    for index, recipient in enumerate(manifest.recipients):
        path = f"recipients[{index}]"
        require(recipient, ("office", "kind"), path)
        names.split_office(recipient.office, f"{path}.office")
        if recipient.office in seen:
            raise FormatError("DUPLICATE_RECIPIENT", "stands already; an office stands at most once", f"{path}.office")
        seen.add(recipient.office)
        check_length(recipient.position, 200, f"{path}.position")
        check_length(recipient.note, 2_000, f"{path}.note")
        _check_granted(recipient, len(manifest.documents), f"{path}.documents")
    if all(recipient.kind != pb.RECIPIENT_KIND_TO for recipient in manifest.recipients):
        raise FormatError("NO_TO_RECIPIENT", "holds copies only; name at least one RECIPIENT_KIND_TO", "recipients")


def _check_granted(recipient: pb.Recipient, document_count: int, path: str) -> None:
    if not recipient.documents:
        return
    check_ascending(recipient.documents, path)
    if recipient.documents[0] != 1:
        raise FormatError("MAIN_NOT_GRANTED", "must hold 1: every recipient gets the main document", path)
    if recipient.documents[-1] > document_count:
        raise FormatError("NO_SUCH_DOCUMENT", f"{recipient.documents[-1]} is not a document of this manifest", path)


def _check_header(manifest: pb.Manifest) -> None:
    check_length(manifest.subject, 500, "subject")
    check_length(manifest.abstract, 4_000, "abstract")
    check_length(manifest.classification_basis, 500, "classificationBasis")
    if manifest.language and _LANGUAGE.fullmatch(manifest.language) is None:
        raise FormatError("BAD_LANGUAGE", "must be a BCP 47 tag such as fa", "language")
    if manifest.retention_schedule and _SCHEDULE.fullmatch(manifest.retention_schedule) is None:
        raise FormatError("BAD_NAME", "is not of the form [a-z][a-z0-9-]{1,62}", "retentionSchedule")
    check_count(manifest.keywords, 32, "keywords")
    for index, keyword in enumerate(manifest.keywords):
        check_length(keyword, 64, f"keywords[{index}]")
    check_count(manifest.legal_basis, 16, "legalBasis")
    for index, basis in enumerate(manifest.legal_basis):
        check_length(basis, 500, f"legalBasis[{index}]")
    check_count(manifest.hand_annexes, 32, "handAnnexes")
    for index, annex in enumerate(manifest.hand_annexes):
        require(annex, ("description", "count"), f"handAnnexes[{index}]")
        check_length(annex.description, 500, f"handAnnexes[{index}].description")


def _check_relations(manifest: pb.Manifest) -> None:
    check_count(manifest.relations, 32, "relations")
    for index, relation in enumerate(manifest.relations):
        path = f"relations[{index}]"
        require(relation, ("kind",), path)
        if relation.letter:
            names.split_letter(relation.letter, f"{path}.letter")
            refuse(relation, ("body", "number", "date"), "letter already names the other letter", path)
            continue
        require(relation, ("body", "number", "date"), path)
        check_length(relation.body, 200, f"{path}.body")
        check_length(relation.number, 64, f"{path}.number")
        check_date(relation.date, f"{path}.date")
