"""This service's seal, and the ledger that states events under it."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from dabir.formats import pki
from dabir.formats.events import events_of
from dabir.formats.signer import FileSigner
from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.ledger import Ledger


def open_ledger(config: ServiceConfig) -> Ledger:
    """The ledger, sealing with `seal_key`. Raises StartRefused when there is no seal for what this service states."""
    if config.seal_key is None or config.seal_certificate is None:
        raise StartRefused(f"seal_certificate and seal_key are missing: {config.source} states events.")
    try:
        signer = FileSigner(config.seal_key, config.seal_certificate)
        _check(signer.certificate, config.source)
    except OSError as error:
        raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StartRefused(f"The seal {config.seal_certificate} does not do: {error}.") from error
    return Ledger(hub=config.hub, source=config.source, signer=signer)


def _check(certificate: x509.Certificate, source: str) -> None:
    """Raises ValueError for a seal under which every statement would be made and none believed."""
    pki.require_purpose(certificate, "seal")
    key, stated = certificate.public_key(), events_of(source)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("statements are signed with ES256, so its key must be P-256")  # noqa: TRY004 - of a file, not of an argument
    if lacking := sorted(stated - pki.events(certificate)):
        raise ValueError(
            f"its certificate does not list {lacking[0]}; have one issued with the {len(stated)} events that "
            f"docs/formats.md has for {source}"
        )
