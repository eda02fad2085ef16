"""Who may call what: one row per RPC of the hub, and nothing without a row is served.

A row names the roles of members that may call (any one of them does) and the hub's own that may. `mutating`: the call
changes something, so its caller must set a deadline. What goes beyond the RPC (whose letter it is, clearances) is the
service's to decide, with `caller().body` in every query.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.runtime.identity import Caller, Role

CALLS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "intake": frozenset({"directory", "documents"}),
        "documents": frozenset({"directory"}),
        "notifications": frozenset({"directory"}),
        "evidence": frozenset({"directory"}),
        "worker": frozenset({"intake", "documents", "notifications", "evidence"}),
        "operator": frozenset({"directory"}),
    }
)
"""Which of the hub's own calls which service: no cycle. The table below keeps to it; a test compares them."""


@dataclass(frozen=True)
class Access:
    """A row. `handshake_only`: whoever completes the TLS handshake, so that health does not hang on directory."""

    roles: frozenset[Role] = frozenset()
    services: frozenset[str] = frozenset()
    mutating: bool = False
    handshake_only: bool = False

    def admits(self, who: Caller) -> bool:
        """Whether `who` may call."""
        return self.handshake_only or who.service in self.services or not self.roles.isdisjoint(who.roles)


def callers_of(service: str) -> frozenset[str]:
    """The hub's own that may call `service` (`intake`, …) at all: what its `allowed_services` may hold."""
    return frozenset(name for name, called in CALLS.items() if service in called)


_SENDER = frozenset({Role.SENDER})
_RECIPIENT = frozenset({Role.RECIPIENT})
_EITHER = _SENDER | _RECIPIENT
_READER = frozenset({Role.READER})
_ANY = frozenset(Role)

_INTAKE = frozenset({"intake"})
_WORKER = frozenset({"worker"})
_OPERATOR = frozenset({"operator"})
_SERVICES = frozenset({"intake", "documents", "notifications", "evidence"})


def _service(name: str, rows: Mapping[str, Access]) -> dict[str, Access]:
    return {f"/{name}/{method}": row for method, row in rows.items()}


ACCESS: Mapping[str, Access] = MappingProxyType(
    _service(
        "dabir.intake.v1.SenderService",
        {
            "SubmitLetter": Access(roles=_SENDER, mutating=True),
            "RecallLetter": Access(roles=_SENDER, mutating=True),
            "GetLetter": Access(roles=_SENDER | _READER),
            "ListLetters": Access(roles=_SENDER | _READER),
            "ListSentDeliveries": Access(roles=_SENDER | _READER),
            "GetReceipt": Access(roles=_EITHER | _READER),
            "GetDefinition": Access(roles=_ANY),
        },
    )
    | _service(
        "dabir.intake.v1.RecipientService",
        {
            "ListDeliveries": Access(roles=_RECIPIENT | _READER),
            "GetDelivery": Access(roles=_RECIPIENT | _READER),
            "AcceptDelivery": Access(roles=_RECIPIENT, mutating=True),
            "RefuseDelivery": Access(roles=_RECIPIENT, mutating=True),
            "MarkRead": Access(roles=_RECIPIENT | _READER, mutating=True),
            "ReturnDelivery": Access(roles=_RECIPIENT, mutating=True),
            "AnswerRecall": Access(roles=_RECIPIENT, mutating=True),
        },
    )
    | _service(
        "dabir.intake.v1.IntakeInternalService",
        {
            "GetLetterPlan": Access(services=_WORKER),
            "ConsignDeliveries": Access(services=_WORKER, mutating=True),
            "FlagLate": Access(services=_WORKER, mutating=True),
            "ApplyRecall": Access(services=_WORKER, mutating=True),
            "CloseLetter": Access(services=_WORKER, mutating=True),
            "ListOpenLetters": Access(services=_WORKER),
            "RecordOperatorAction": Access(services=_WORKER, mutating=True),
        },
    )
    | _service(
        "dabir.documents.v1.DocumentService",
        {
            "UploadDocument": Access(roles=_EITHER, mutating=True),
            "QueryUpload": Access(roles=_EITHER),
            "GetDocument": Access(roles=_EITHER | _READER),
            "DownloadDocument": Access(roles=_EITHER | _READER),
            "ConfirmDownload": Access(roles=_RECIPIENT | _READER, mutating=True),
        },
    )
    | _service(
        "dabir.documents.v1.DocumentInternalService",
        {
            "ClaimDocuments": Access(services=_INTAKE, mutating=True),
            "SetRetention": Access(services=_WORKER, mutating=True),
        },
    )
    | _service(
        "dabir.directory.v1.DirectoryService",
        {
            "GetBody": Access(roles=_ANY, services=_SERVICES | _OPERATOR),
            "ListBodies": Access(roles=_ANY, services=_SERVICES | _OPERATOR),
            "ListOffices": Access(roles=_ANY, services=_SERVICES | _OPERATOR),
            "GetCertificates": Access(roles=_ANY, services=_SERVICES | _OPERATOR),
        },
    )
    | _service(
        "dabir.directory.v1.DirectoryInternalService",
        {
            "CreateBody": Access(services=_OPERATOR, mutating=True),
            "CreateOffice": Access(services=_OPERATOR, mutating=True),
            "AddCertificate": Access(services=_OPERATOR, mutating=True),
            "RevokeCertificate": Access(services=_OPERATOR, mutating=True),
            "ResolveCertificate": Access(services=_SERVICES | _OPERATOR),
            "ResolveOffices": Access(services=_SERVICES | _OPERATOR),
        },
    )
    | _service(
        "dabir.notifications.v1.NotificationService",
        {
            "CreateEndpoint": Access(roles=_EITHER, mutating=True),
            "ListEndpoints": Access(roles=_EITHER | _READER),
            "DeleteEndpoint": Access(roles=_EITHER, mutating=True),
            "EnableEndpoint": Access(roles=_EITHER, mutating=True),
            "RotateEndpointSecret": Access(roles=_EITHER, mutating=True),
            "SetQuietHours": Access(roles=_EITHER, mutating=True),
            "ListNotifications": Access(roles=_EITHER | _READER),
            "ReplayNotification": Access(roles=_EITHER, mutating=True),
        },
    )
    | _service(
        "dabir.notifications.v1.NotificationInternalService",
        {
            "Notify": Access(services=_WORKER, mutating=True),
            "ListDownLinks": Access(services=_WORKER),
            "PauseLink": Access(services=_WORKER, mutating=True),
            "ResumeLink": Access(services=_WORKER, mutating=True),
        },
    )
    | _service(
        "dabir.evidence.v1.EvidenceService",
        {
            "ListStatements": Access(roles=_EITHER | _READER),
            "WatchStatements": Access(roles=_EITHER | _READER),
        },
    )
    | _service(
        "dabir.evidence.v1.EvidenceInternalService",
        {
            "Follow": Access(services=_WORKER, mutating=True),
            "Advance": Access(services=_WORKER, mutating=True),
        },
    )
    | _service(
        "grpc.health.v1.Health",
        {
            "Check": Access(handshake_only=True),
            "List": Access(handshake_only=True),
            "Watch": Access(handshake_only=True),
        },
    )
    | _service(
        "grpc.reflection.v1alpha.ServerReflection",
        {"ServerReflectionInfo": Access(handshake_only=True)},
    )
)
"""RPC as on the wire (`/package.Service/Method`) → who may call it."""
