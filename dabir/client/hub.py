"""Connections to the hub's services, and the one way every call goes: a request id, a deadline, errors as exceptions.

`service_config.json` beside this file says which methods are retried by gRPC itself, and that only UNAVAILABLE is
(streams are not among them: documents.py and watching.py go on from where those broke; nor is SubmitLetter, whose tries
sending.py notes).
"""

import contextlib
import importlib.resources
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from dabir.client import own_certificate
from dabir.client.errors import ClientError, ProfileError, RefusedError, UnavailableError
from dabir.client.profile import SERVICES, Profile
from dabir.directory.v1.directory_pb2_grpc import DirectoryServiceStub
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceStub
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceServiceStub
from dabir.intake.v1.recipient_service_pb2_grpc import RecipientServiceStub
from dabir.intake.v1.sender_service_pb2_grpc import SenderServiceStub
from dabir.notifications.v1.notifications_pb2_grpc import NotificationServiceStub

CALL_TIMEOUT_SECONDS = 30.0
"""Deadline of a call that moves no documents, retries included."""
MOST_RETRY_AFTER_SECONDS = 300.0
"""As long as a hub may have us wait before the next try, whatever it says."""
WAITING_HELPS = (
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
    "CANCELLED",
    "INTERNAL",
    "UNKNOWN",
)
"""Codes after which the same call may succeed. All of ours are idempotent: their effects are named by the caller."""

Response = TypeVar("Response")


class Hub:
    """Stubs of every service a member calls. Channels connect when they are first used; `close` ends them."""

    def __init__(self, profile: Profile) -> None:
        self._language = profile.language
        credentials = _credentials(profile)
        self._channels = {name: _channel(profile, name, credentials) for name in SERVICES}
        self.sender = SenderServiceStub(self._channels["intake"])
        self.recipient = RecipientServiceStub(self._channels["intake"])
        self.documents = DocumentServiceStub(self._channels["documents"])
        self.directory = DirectoryServiceStub(self._channels["directory"])
        self.evidence = EvidenceServiceStub(self._channels["evidence"])
        self.notifications = NotificationServiceStub(self._channels["notifications"])

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def call(
        self, method: Callable[..., Response], request: Any, *, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Response:
        """One call of a stub's method. Raises RefusedError or UnavailableError."""
        metadata = self.metadata()
        with self.errors(metadata):
            return method(request, timeout=timeout_seconds, metadata=metadata)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call: an id that the hub's logs carry too, and the language of its sentences."""
        return (("x-dabir-request-id", str(uuid.uuid4())), ("accept-language", self._language))

    @contextlib.contextmanager
    def errors(self, metadata: tuple[tuple[str, str], ...]) -> Iterator[None]:
        """Turns gRPC's errors into ours; `metadata` is what the call was made with."""
        try:
            yield
        except grpc.RpcError as error:
            raise _error(error, dict(metadata)["x-dabir-request-id"], self._language) from error


def _credentials(profile: Profile) -> grpc.ChannelCredentials:
    """Our certificate for mutual TLS. Raises ProfileError for one that no hub would take."""
    own_certificate.check(profile)
    roots = sorted((profile.trust / "roots").glob("*.pem"))
    if not roots:
        raise ProfileError(
            "NO_ROOTS", f"there is no root in {profile.trust / 'roots'}; get the trust folder that the hub publishes"
        )
    return grpc.ssl_channel_credentials(
        root_certificates=b"\n".join(root.read_bytes() for root in roots),
        private_key=profile.tls.key.read_bytes(),
        certificate_chain=profile.tls.certificate.read_bytes(),
    )


def _channel(profile: Profile, service: str, credentials: grpc.ChannelCredentials) -> grpc.Channel:
    """A channel over all replicas of a service."""
    addresses = profile.services[service]
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", importlib.resources.files(__package__).joinpath("service_config.json").read_text()),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.max_receive_message_length", 16 << 20),
        # A hub that is back is found in seconds, and not when a back-off that grew to minutes is over.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if profile.server_name:
        options.append(("grpc.ssl_target_name_override", profile.server_name))
    target = addresses if addresses.startswith("ipv4:") or "," not in addresses else f"ipv4:{addresses}"
    return grpc.secure_channel(target, credentials, options=options)


def _error(error: grpc.RpcError, request_id: str, language: str) -> ClientError:
    """The hub's refusal or outage with its reason and sentence, from the status details (google.rpc)."""
    if not isinstance(error, grpc.Call):
        return UnavailableError("NO_ANSWER", f"the hub gave no answer: {error}; try again")
    code = error.code().name
    reason, message, details = code, error.details() or code, _details(error)
    metadata: dict[str, str] = {}
    violations: list[tuple[str, str]] = []
    retry_after_seconds = None
    for detail in details:
        match detail:
            case error_details_pb2.ErrorInfo():
                reason, metadata = detail.reason, dict(detail.metadata)
            case error_details_pb2.BadRequest():
                violations += [(violation.field, violation.description) for violation in detail.field_violations]
            case error_details_pb2.RetryInfo():
                asked_seconds = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
                retry_after_seconds = min(max(asked_seconds, 0.0), MOST_RETRY_AFTER_SECONDS)
            case error_details_pb2.LocalizedMessage() if detail.locale.split("-")[0] == language:
                message = detail.message
    if code in WAITING_HELPS:
        sentence = message if details else _no_answer(code, message, request_id)
        return UnavailableError(reason, sentence, retry_after_seconds=retry_after_seconds)
    return RefusedError(
        reason, message, code=code, metadata=metadata, violations=tuple(violations), request_id=request_id
    )


def _details(error: grpc.Call) -> list[Any]:
    try:
        status = rpc_status.from_call(error)  # type: ignore[no-untyped-call]  # grpcio-status is untyped
    except ValueError:  # the trailing status is not the call's own: somebody between us and the hub
        status = None
    found = []
    for packed in status.details if status is not None else ():
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.RetryInfo,
            error_details_pb2.LocalizedMessage,
        ):
            if packed.Is(kind.DESCRIPTOR):
                detail = kind()
                packed.Unpack(detail)
                found.append(detail)
    return found


def _no_answer(code: str, message: str, request_id: str) -> str:
    """For outages without a word from the hub. A certificate it does not take looks the same: the handshake fails."""
    if code == "UNAVAILABLE":
        return (
            f"the hub cannot be reached ({message}). It is down, or the network is, or it does not take our "
            "certificate, which looks right from here: ask the hub whether it is listed. Nothing is lost; try again"
        )
    return f"the hub gave no outcome ({code}: {message}; request {request_id}). Nothing is lost; try again"
