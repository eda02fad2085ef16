"""Revocation lists from a configured folder: nothing is ever fetched from an address that a certificate names."""

from pathlib import Path

from cryptography import x509

from services.runtime.logs import log

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


def _read(path: Path) -> x509.CertificateRevocationList | None:
    try:
        data = path.read_bytes()
        return x509.load_pem_x509_crl(data) if data.lstrip().startswith(_BEGIN) else x509.load_der_x509_crl(data)
    except (OSError, ValueError) as error:
        log.error("crl_unreadable", file=path.name, why=type(error).__name__)
        return None
