"""This service's seal, and the ledger that states events under it."""

from dabir.formats.signer import FileSigner
from services.runtime.config import ServiceConfig, StartRefused
from services.runtime.ledger import Ledger


def open_ledger(config: ServiceConfig) -> Ledger:
    """The ledger, sealing with `seal_key`. Raises StartRefused when there is no usable seal."""
    if config.seal_key is None or config.seal_certificate is None:
        raise StartRefused(f"seal_certificate and seal_key are missing: {config.source} states events.")
    try:
        signer = FileSigner(config.seal_key, config.seal_certificate)
    except OSError as error:
        raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StartRefused(f"The seal does not do: {error}.") from error
    return Ledger(hub=config.hub, source=config.source, signer=signer)
