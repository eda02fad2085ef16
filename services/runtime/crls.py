"""Revocation lists from a configured folder: nothing is ever fetched from an address that a certificate names."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from cryptography import x509

from dabir.formats.signer import public_key
from services.runtime.config import StartRefused
from services.runtime.logs import log

Issued: TypeAlias = tuple[x509.Name, int]
"""Issuer and serial number: what a revocation list names a certificate by (RFC 5280, 5.1.2.6)."""
_BEGIN = b"-----BEGIN"


class CrlFolder:
    """Every list in the folder, PEM or DER, one per file; a file is read again when it has changed.

    A file that is no list is left out and logged, once for each of its versions: the others must go on being in force.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state: frozenset[tuple[str, int, int]] = frozenset()
        self._lists: tuple[x509.CertificateRevocationList, ...] = ()

    def lists(self) -> tuple[x509.CertificateRevocationList, ...]:
        """Those that are there now. Raises OSError when the folder cannot be read."""
        files = {path: path.stat() for path in self._folder.iterdir() if path.is_file()}
        state = frozenset((path.name, stat.st_mtime_ns, stat.st_ino) for path, stat in files.items())
        if state != self._state:
            self._lists = tuple(found for path in sorted(files) if (found := _read(path)) is not None)
            self._state = state
        return self._lists


class Revoked:
    """The certificates that the hub's CA took back, by the lists in a folder.

    A list that has ended is used on, with a line in the log: what it names stays revoked, and a CA that is late with
    its next list must not stop the hub. Raises StartRefused if the folder has no list of an issuer.
    """

    def __init__(self, folder: Path, issuers: Sequence[x509.Certificate], recheck_seconds: float) -> None:
        self._folder = CrlFolder(folder)
        self._issuers, self._recheck_seconds = issuers, recheck_seconds
        self._found: frozenset[Issued] = frozenset()
        self._ended_told: frozenset[str] = frozenset()
        self._read_at = time.monotonic()
        try:
            self._read()
        except (OSError, ValueError) as error:
            raise StartRefused(f"crl_folder {folder} does not do: {error}.") from error

    def now(self) -> frozenset[Issued]:
        """As of `recheck_seconds` ago at most; while the folder does not do, as it was when it last did."""
        if time.monotonic() - self._read_at >= self._recheck_seconds:
            self._read_at = time.monotonic()
            try:
                self._read()
            except (OSError, ValueError) as error:
                log.error("crl_folder_unreadable", why=str(error))
        return self._found

    def _read(self) -> None:
        """Raises OSError if the folder cannot be read, ValueError if it lacks an issuer's list."""
        lists = self._folder.lists()
        found, ended = set[Issued](), set[str]()
        for issuer in self._issuers:
            theirs = [
                crl for crl in lists if crl.issuer == issuer.subject and crl.is_signature_valid(public_key(issuer))
            ]
            if not theirs:
                raise ValueError(f"it has no revocation list of {issuer.subject.rfc4514_string()}")
            found |= {(crl.issuer, revoked.serial_number) for crl in theirs for revoked in crl}
            if all(crl.next_update_utc is None or crl.next_update_utc < datetime.now(UTC) for crl in theirs):
                ended.add(issuer.subject.rfc4514_string())
        for name in ended - self._ended_told:
            log.error("crl_ended", issuer=name)
        self._found, self._ended_told = frozenset(found), frozenset(ended)


def _read(path: Path) -> x509.CertificateRevocationList | None:
    try:
        data = path.read_bytes()
        return x509.load_pem_x509_crl(data) if data.lstrip().startswith(_BEGIN) else x509.load_der_x509_crl(data)
    except (OSError, ValueError) as error:
        log.error("crl_unreadable", file=path.name, why=type(error).__name__)
        return None
