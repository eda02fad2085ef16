"""Looks at our own TLS certificate before dialling.

A handshake that the hub refuses looks to us like a hub that is down (UNAVAILABLE): so what can be seen from here is
said from here.
"""

from datetime import UTC, datetime

from dabir.client.errors import ProfileError
from dabir.client.profile import Profile
from dabir.formats import pki
from dabir.formats.signer import FileSigner


def check(profile: Profile) -> None:
    """Raises ProfileError, naming the file, for a certificate or key that no hub would take."""
    path = profile.tls.certificate
    try:
        signer = FileSigner(profile.tls.key, path)
    except FileNotFoundError as error:
        raise ProfileError(
            "KEY_FILE_MISSING", f"{error.filename} does not exist; correct the profile's [tls]"
        ) from None
    except (OSError, ValueError) as error:
        raise ProfileError("TLS_CERTIFICATE_UNUSABLE", f"{error}; correct the profile's [tls]") from None
    certificate, now = signer.certificate, datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.isoformat()
        raise ProfileError("TLS_CERTIFICATE_EXPIRED", f"{path} was valid until {until}; get a new one and list it")
    if now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.isoformat()
        raise ProfileError(
            "TLS_CERTIFICATE_NOT_YET_VALID", f"{path} is valid from {since}; is this machine's clock right?"
        )
    if pki.purpose(certificate) != "tls":
        raise ProfileError("NOT_A_TLS_CERTIFICATE", f"{path} is not of purpose tls; name the one that calls the hub")
