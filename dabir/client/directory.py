"""Who takes part, as the hub's directory says: bodies, offices, and whose a certificate is."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509

from dabir.client.errors import VerificationError
from dabir.client.hub import Hub
from dabir.directory.v1 import directory_pb2 as pb
from dabir.formats.signer import certificate_sha256

MOST_PAGES = 10_000
"""Of one list: as a hub makes them, a million entries. One that never ended would be read into memory for ever."""


class Directory:
    """Reads the directory; what it read of a body's certificates it keeps for this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._certificates: dict[str, dict[bytes, pb.Certificate]] = {}

    def bodies(self) -> list[pb.Body]:
        """Every body, by name."""
        return list(pages(self._hub, self._hub.directory.ListBodies, pb.ListBodiesRequest(), "bodies"))

    def offices(self, body: str = "bodies/-") -> list[pb.Office]:
        """The offices of a body, or of all, by name."""
        request = pb.ListOfficesRequest(parent=body)
        return list(pages(self._hub, self._hub.directory.ListOffices, request, "offices"))

    def check_owner(self, certificate: x509.Certificate, body: str, purpose: pb.CertificatePurpose.ValueType) -> None:
        """Raises VerificationError unless the directory lists the certificate as this body's, for this purpose."""
        digest = certificate_sha256(certificate)
        if digest not in self._certificates.get(body, {}):
            answer = self._hub.call(self._hub.directory.GetCertificates, pb.GetCertificatesRequest(parent=body))
            self._certificates[body] = {listed.sha256: listed for listed in answer.certificates}
        listed = self._certificates[body].get(digest)
        if listed is None or listed.purpose != purpose:
            raise VerificationError(
                "NOT_THAT_BODYS",
                f"the directory does not list certificate {digest.hex()} for {body}; ask it and the hub",
            )


def pages(hub: Hub, method: Callable[..., Any], request: Any, field: str) -> Iterator[Any]:
    """The entries of every page of a list; `field` is the response's repeated field.

    Raises VerificationError for a list that goes round, or has more than MOST_PAGES.
    """
    followed: set[bytes] = set()
    while len(followed) < MOST_PAGES:
        answer = hub.call(method, request)
        yield from getattr(answer, field)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
        token = hashlib.sha256(answer.next_page_token.encode()).digest()
        if token in followed:
            break
        followed.add(token)
    raise VerificationError(
        "LIST_ENDLESS", f"the hub's list of {field} goes round, or has over {MOST_PAGES} pages; tell the hub's operator"
    )
