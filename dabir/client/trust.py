"""Checks what came from the hub against the trust folder: nothing is believed because the hub said it.

A statement must be signed by a seal of the trust folder that may state its events; a manifest and a receipt by
certificates that chain to a root of the trust folder, each of its purpose. Whose certificate one is, the hub's
directory says (directory.py): a certificate names position and purpose, not which body is meant.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.client.errors import ProfileError, VerificationError
from dabir.common.v1 import manifest_pb2, receipt_pb2, statement_pb2
from dabir.formats import cades, pki, statement
from dabir.formats.cades import SignatureFile
from dabir.formats.manifest import parse_manifest
from dabir.formats.receipt import parse_recall, parse_receipt
from dabir.formats.signer import certificate_sha256, load_certificates
from dabir.formats.strict_json import FormatError

_END_SECONDS = 253_402_214_400
"""9999-12-31T00:00:00Z: from then on it may be the year 10000 somewhere, which no datetime holds."""


@dataclass(frozen=True)
class Proven:
    """A statement whose signature, seal and form were checked. `digest` is what the next of a chain names."""

    name: str
    position: int
    jws: str
    payload: statement_pb2.StatementPayload
    digest: bytes

    @property
    def subject(self) -> str:
        return self.payload.sub

    @property
    def event(self) -> statement.Event:
        """The URI of what it states; of an acceptance's two, ConsignmentAcceptance."""
        return statement.main_event(self.payload)

    @property
    def says(self) -> statement_pb2.StatementEvent:
        """What is said of the event."""
        return self.payload.events[self.event]

    @property
    def stated_at(self) -> datetime:
        return instant(self.payload.iat)

    @property
    def took_effect_at(self) -> datetime:
        return instant(self.payload.toe)


@dataclass(frozen=True)
class SignedManifest:
    """A manifest and its signature files, each checked to be by the signer that the manifest names in its place."""

    manifest: manifest_pb2.Manifest
    sha256: bytes
    signatures: tuple[SignatureFile, ...]


@dataclass(frozen=True)
class SealedReceipt:
    """A receipt with its seal checked."""

    receipt: receipt_pb2.Receipt
    sha256: bytes
    signature: SignatureFile


def instant(given: Timestamp | int) -> datetime:
    """An instant as the hub gives it: a timestamp, or seconds since 1970. Raises VerificationError (NO_INSTANT) for one
    that no calendar here can show.
    """
    stamp = given if isinstance(given, Timestamp) else Timestamp(seconds=given)
    if not (0 <= stamp.seconds < _END_SECONDS and 0 <= stamp.nanos < 10**9):
        said = f"the hub gives an instant that is none, {stamp.seconds} seconds after 1970; keep it, report it"
        raise VerificationError("NO_INSTANT", said)
    return stamp.ToDatetime(tzinfo=UTC)


class Trust:
    """The trust folder, read once. Raises ProfileError for a folder that cannot be read."""

    def __init__(self, folder: Path, hub: str) -> None:
        self._hub = hub
        self._folder = folder
        try:
            self._roots = [c for path in sorted((folder / "roots").glob("*.pem")) for c in load_certificates(path)]
            seals = [load_certificates(path) for path in sorted((folder / "hub").glob("*.pem"))]
            self._crls = [x509.load_pem_x509_crl(path.read_bytes()) for path in sorted((folder / "crls").glob("*.pem"))]
        except (OSError, ValueError) as error:
            raise ProfileError(
                "TRUST_FOLDER_UNREADABLE", f"the trust folder {folder} cannot be read: {error}"
            ) from None
        if not self._roots or not seals:
            raise ProfileError(
                "TRUST_FOLDER_EMPTY", f"{folder} lacks roots/*.pem or hub/*.pem; get the trust folder the hub publishes"
            )
        self._seals = {certificate_sha256(chain[0]): chain for chain in seals}

    def statement(self, given: statement_pb2.Statement) -> Proven:
        """Checks a statement. Raises VerificationError."""
        try:
            seal = self._seals.get(statement.read_statement(given.jws).certificate_sha256)
            if seal is None:
                raise VerificationError(
                    "UNKNOWN_SEAL",
                    f"{given.name} is by a seal that {self._folder} does not hold; get the newest trust folder",
                )
            payload = statement.verify_statement(given.jws, seal[0])
            self._chain(seal[0], seal[1:], "seal", instant(payload.iat))
        except FormatError as error:
            raise VerificationError(error.reason, f"{given.name} does not verify: {error}") from None
        proven = Proven(given.name, given.position, given.jws, payload, statement.digest(given.jws))
        if payload.iss != self._hub:
            raise VerificationError("OTHER_HUB", f"{given.name} is by {payload.iss}, not by {self._hub}")
        if (f"statements/{payload.jti}", payload.sub, proven.event) != (given.name, given.subject, given.event):
            raise VerificationError(
                "MISLABELLED", f"{given.name} is not what the hub hands it out as; keep it, report it"
            )
        return proven

    def manifest(self, data: bytes, signatures: Sequence[bytes], at: datetime) -> SignedManifest:
        """Checks a manifest that was registered at the instant `at`. Raises VerificationError."""
        try:
            manifest = parse_manifest(data)
            if len(signatures) != len(manifest.signers):
                raise VerificationError("SIGNATURE_MISSING", "the manifest has not one signature file for each signer")
            files = tuple(cades.verify_detached(data, signature) for signature in signatures)
            for signer, file in zip(manifest.signers, files, strict=True):
                leaf = file.certificates[0]
                self._chain(leaf, file.certificates[1:], "sign", at)
                if (certificate_sha256(leaf), pki.position(leaf)) != (signer.certificate_sha256, signer.position):
                    raise VerificationError("OTHER_SIGNER", f"the signature is not by {signer.position}'s certificate")
        except FormatError as error:
            raise VerificationError(error.reason, f"the letter's manifest does not verify: {error}") from None
        return SignedManifest(manifest, hashlib.sha256(data).digest(), files)

    def receipt(self, data: bytes, signature: bytes, at: datetime) -> SealedReceipt:
        """Checks a receipt that the hub took at the instant `at`. Raises VerificationError."""
        try:
            receipt = parse_receipt(data)
            file = cades.verify_detached(data, signature)
            self._chain(file.certificates[0], file.certificates[1:], "seal", at)
        except FormatError as error:
            raise VerificationError(error.reason, f"the receipt does not verify: {error}") from None
        return SealedReceipt(receipt, hashlib.sha256(data).digest(), file)

    def recall(self, data: bytes, signature: bytes, at: datetime) -> tuple[receipt_pb2.Recall, SignatureFile]:
        """Checks a recall that the hub took at the instant `at`. Raises VerificationError."""
        try:
            recall = parse_recall(data)
            file = cades.verify_detached(data, signature)
            self._chain(file.certificates[0], file.certificates[1:], "seal", at)
        except FormatError as error:
            raise VerificationError(error.reason, f"the recall does not verify: {error}") from None
        return recall, file

    def _chain(
        self, leaf: x509.Certificate, issuers: Sequence[x509.Certificate], purpose: pki.Purpose, at: datetime
    ) -> None:
        """To a root of ours, for this purpose, valid and not revoked at the instant `at`. Raises FormatError.

        A list that says "revoked before" counts however old it is; that no list says so is judged with fresh ones by
        whoever judges the letter later.
        """
        pki.require_purpose(leaf, purpose)
        chain = pki.verify_chain(leaf, issuers, self._roots, at, None)
        for certificate, issuer in itertools.pairwise(chain):
            for crl in self._crls:
                entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if crl.issuer == issuer.subject and entry is not None and entry.revocation_date_utc <= at:
                    raise pki.CertificateError("REVOKED", f"the certificate was revoked at {entry.revocation_date_utc}")
