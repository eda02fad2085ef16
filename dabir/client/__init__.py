"""The Python client of a member's system: from a profile to letters sent, taken in, answered and proved.

from dabir.client import Client, Manifest, Recipient, RECIPIENT_KIND_TO

with Client.from_profile(Path("profile.toml")) as dabir:
    letter = Manifest(definition="definitions/administrative/1", subject="معرفی نماینده",
                      recipients=[Recipient(office="bodies/cbi/offices/central", kind=RECIPIENT_KIND_TO)])
    sent = dabir.send(dabir.compose(letter, [Path("letter.pdf")]))
    print(sent.letter.registry_number.text)
"""

from dabir.client.client import Client
from dabir.client.errors import (
    AlarmError,
    ClientError,
    HeldError,
    InputError,
    ProfileError,
    RefusedError,
    UnavailableError,
    VerificationError,
)
from dabir.client.receiving import ReceiptDetails
from dabir.common.v1.manifest_pb2 import (
    RECIPIENT_KIND_COPY,
    RECIPIENT_KIND_TO,
    Manifest,
    Recipient,
)

__all__ = [
    "RECIPIENT_KIND_COPY",
    "RECIPIENT_KIND_TO",
    "AlarmError",
    "Client",
    "ClientError",
    "HeldError",
    "InputError",
    "Manifest",
    "ProfileError",
    "ReceiptDetails",
    "Recipient",
    "RefusedError",
    "UnavailableError",
    "VerificationError",
]
