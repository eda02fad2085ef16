"""Who calls. The gate sets it; servicers read `caller()` and hand `caller().body` to the store."""

from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from dabir.common.v1 import manifest_pb2


class Role(StrEnum):
    """What the holder of a TLS certificate may do: a closed list, the names of dabir.directory.v1.Role."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    READER = "reader"
    CLEARANCE_CONFIDENTIAL = "clearance_confidential"
    CLEARANCE_HIGHLY_CONFIDENTIAL = "clearance_highly_confidential"
    HUB_OPERATOR = "hub_operator"
    HUB_SERVICE = "hub_service"


def clearance(roles: Collection[Role]) -> int:
    """The most secret classification that a certificate with these roles may deal with."""
    if Role.CLEARANCE_HIGHLY_CONFIDENTIAL in roles:
        return manifest_pb2.CLASSIFICATION_HIGHLY_CONFIDENTIAL
    if Role.CLEARANCE_CONFIDENTIAL in roles:
        return manifest_pb2.CLASSIFICATION_CONFIDENTIAL
    return manifest_pb2.CLASSIFICATION_NORMAL


@dataclass(frozen=True)
class Caller:
    """A member (`body` is `bodies/{body}`, `service` empty) or one of the hub's own (`service` is `intake`, …).

    `certificate_sha256`: of its TLS certificate's DER, 32 bytes. A caller of an RPC that is open to every
    certificate (health) has neither body nor service.
    """

    certificate_sha256: bytes
    body: str = ""
    roles: frozenset[Role] = frozenset()
    service: str = ""

    @property
    def clearance(self) -> int:
        """The most secret classification that it may deal with, a dabir.common.v1.Classification."""
        return clearance(self.roles)


_caller: ContextVar[Caller] = ContextVar("dabir_caller")


def caller() -> Caller:
    """The caller of the RPC being served. Raises LookupError outside of one."""
    return _caller.get()


def calling_body() -> str:
    """The body whose RPC is being served; "" where that is one of the hub's own, or outside of any."""
    served = _caller.get(None)
    return served.body if served else ""


def set_caller(who: Caller) -> None:
    """For the gate, which has authenticated `who`."""
    _caller.set(who)
