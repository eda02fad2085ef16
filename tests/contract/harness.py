"""What contract tests share: who calls, and what a refusal said.

A contract test runs a real server on a free port of the loopback and calls it through the real stubs, over mutual TLS
with the development PKI. A service's own tests stand in a folder of its name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from dabir.formats.signer import certificate_sha256
from infra.local.pki import DevelopmentPki, Pair
from services.runtime.authentication import ListedCertificate
from services.runtime.identity import Role
from services.runtime.logs import REQUEST_ID

DEADLINE_SECONDS = 30
Raw: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"
"""A method called with bytes, past the stubs."""
HUB_SERVICES = ("directory", "documents", "evidence", "intake", "notifications", "operator", "worker")
EVERY_ROLE = frozenset({Role.SENDER, Role.RECIPIENT, Role.READER})


class Identities:
    """TLS pairs by name: one of the hub's own (`intake`, `operator`), else a body (`interior`)."""

    def __init__(self, folder: Path) -> None:
        self.pki = DevelopmentPki(folder)
        self.pki.make()

    def pair(self, who: str) -> Pair:
        folder = self.pki.folder / "of" / who
        return self.pki.service_tls_pair(who, folder) if who in HUB_SERVICES else self.pki.body_tls_pair(who, folder)

    def sha256(self, who: str) -> bytes:
        return sha256(self.pair(who))

    def channel(self, port: int, who: str) -> grpc.aio.Channel:
        return channel(port, self.pair(who), self.pki.root)


def channel(port: int, pair: Pair, root: Path) -> grpc.aio.Channel:
    """A client's channel to a server of this machine."""
    credentials = grpc.ssl_channel_credentials(root.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes())
    # Without retries and without the subchannels of other tests: what a test sees is this call's own outcome.
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(f"localhost:{port}", credentials, options)


def sha256(pair: Pair) -> bytes:
    return certificate_sha256(pair.chain[0])


class Listed:
    """A directory of a test's own, which the test may change while the server runs."""

    def __init__(self, certificates: Mapping[bytes, ListedCertificate] | None = None) -> None:
        self.certificates = dict(certificates or {})

    def add(self, sha256: bytes, owner: str, roles: frozenset[Role] = EVERY_ROLE, purpose: str = "tls") -> None:
        self.certificates[sha256] = ListedCertificate(owner, purpose, roles, revoked=False)

    def revoke(self, sha256: bytes) -> None:
        known = self.certificates[sha256]
        self.certificates[sha256] = ListedCertificate(known.owner, known.purpose, known.roles, revoked=True)

    async def resolve(self, sha256: bytes) -> ListedCertificate | None:
        return self.certificates.get(sha256)


@dataclass(frozen=True)
class Refusal:
    """How a call was refused."""

    code: str
    message: str
    request_id: str
    details: tuple[Message, ...]
    details_bytes: int

    @property
    def reason(self) -> str:
        info = self.detail(error_details_pb2.ErrorInfo)
        return info.reason if info.domain == "dabir" else ""

    @property
    def fields(self) -> list[str]:
        return [one.field for one in self.detail(error_details_pb2.BadRequest).field_violations]

    def detail(self, kind: type[Any]) -> Any:
        """The detail of this type; an empty one where there is none."""
        return next((detail for detail in self.details if isinstance(detail, kind)), kind())

    def has(self, kind: type[Any]) -> bool:
        return any(isinstance(detail, kind) for detail in self.details)


_KINDS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.LocalizedMessage,
)


async def refusal(call: Awaitable[Any]) -> Refusal:
    """What `call` was refused with; a call that is not refused fails the test."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read(caught.value)


def read(error: grpc.aio.AioRpcError) -> Refusal:
    """The details of an error."""
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    packed = trailing.get("grpc-status-details-bin", b"")
    assert isinstance(packed, bytes)
    status = status_pb2.Status.FromString(packed)
    details = []
    for detail in status.details:
        kind = next(kind for kind in _KINDS if detail.TypeName() == kind.DESCRIPTOR.full_name)
        details.append(kind.FromString(detail.value))
    return Refusal(
        code=error.code().name,
        message=error.details() or "",
        request_id=str(trailing.get(REQUEST_ID, "")),
        details=tuple(details),
        details_bytes=sum(detail.ByteSize() for detail in status.details),
    )


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Returns when `condition` holds, which another task or process brings about; fails after DEADLINE_SECONDS."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.01)
