"""The server's side of TLS: read at the start, read again when a file changes, and then without a restart."""

import dataclasses
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dabir.formats import pki
from services.runtime.config import ProcessConfig, StartRefused
from services.runtime.logs import log

_HOLD_CERTIFICATES = ("_certificate", "_roots", "_issuers")
"""How settings end whose files hold certificates (a test compares): none is forgotten when a service gets a new one."""


class ServerTls:
    """Credentials that follow their files: `tls_certificate`, `tls_key` and `tls_roots`."""

    def __init__(self, config: ProcessConfig) -> None:
        self._config, self._files = config, (config.tls_key, config.tls_certificate, config.tls_roots)
        self._seen = self._state()
        self._first = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """For `add_secure_port`: a client certificate of one of the roots is required."""
        return grpc.dynamic_ssl_server_credentials(
            self._first,
            self._changed,  # type: ignore[arg-type]  # its documentation: None leaves the certificate as it is
            require_client_authentication=True,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """By grpc at each handshake. Files half replaced, or in production of the development PKI, do nothing."""
        if (state := self._state()) == self._seen:
            return None
        # Also what does not do is read once: who may connect could else fill the log.
        self._seen = state
        try:
            fresh = self._read()
        except (OSError, StartRefused) as error:
            log.warning("certificate_not_reloaded", why=str(error))
            return None
        log.info("certificate_reloaded", certificate=str(self._files[1]))
        return fresh

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in self._files)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        key, chain, roots = (path.read_bytes() for path in self._files)
        _check_pair(key, chain, self._files[0], self._files[1])
        for name, pem in (("tls_certificate", chain), ("tls_roots", roots)):
            _check_issuer(self._config, name, pem)
        return grpc.ssl_server_certificate_configuration([(key, chain)], roots)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file, its rights included; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ctime_ns, stat.st_size, stat.st_ino


def _check_pair(key_pem: bytes, chain_pem: bytes, key_path: Path, chain_path: Path) -> None:
    try:
        public = load_pem_private_key(key_pem, password=None).public_key()
        certificate = x509.load_pem_x509_certificates(chain_pem)[0]
    except (ValueError, TypeError) as error:
        raise StartRefused(f"{chain_path} and {key_path} must be PEM, the key without a password: {error}.") from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise StartRefused(f"{key_path} is not the key of {chain_path}.")


def check_certificates(config: ProcessConfig) -> None:
    """Raises StartRefused when a file cannot be read, or when production would run on the development PKI."""
    for name in (field.name for field in dataclasses.fields(config) if field.name.endswith(_HOLD_CERTIFICATES)):
        path: Path | None = getattr(config, name)
        if path is None:
            continue
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise StartRefused(f"{name} {path} cannot be read: {error.strerror}.") from error
        _check_issuer(config, name, pem)


def _check_issuer(config: ProcessConfig, name: str, pem: bytes) -> None:
    """Raises StartRefused unless `pem`, what the file of this setting holds, is certificates that it may run on."""
    path: Path = getattr(config, name)
    try:
        development = any(pki.is_development(one) for one in x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise StartRefused(f"{name} {path} holds no certificate in PEM: {error}.") from error
    if config.environment == "production" and development:
        raise StartRefused(
            f"{name} {path} holds a certificate of the development PKI, whose keys anyone can make: "
            f"production needs certificates of your own CA."
        )
