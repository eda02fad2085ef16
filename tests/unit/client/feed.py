"""A hub of a few lines that serves prepared signed statements as a feed, and can be made to lie about them."""

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives import serialization
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from dabir.client.profile import Profile
from dabir.common.v1.statement_pb2 import (
    Statement,
    StatementDocument,
    StatementEvent,
    StatementNumber,
    StatementParty,
    StatementRecipient,
    StatementSignature,
)
from dabir.directory.v1 import directory_pb2
from dabir.directory.v1.directory_pb2_grpc import DirectoryServiceServicer, add_DirectoryServiceServicer_to_server
from dabir.evidence.v1 import evidence_pb2 as pb
from dabir.evidence.v1.evidence_pb2_grpc import EvidenceServiceServicer, add_EvidenceServiceServicer_to_server
from dabir.formats import names
from dabir.formats.signer import KeySigner, certificate_sha256, load_certificates
from dabir.formats.statement import Event, digest
from tests.pki import write_files
from tests.unit.client.member import BODY, IAT_SECONDS, OFFICE, PaperHub, state, write_profile

CONFIDENTIAL = directory_pb2.ROLE_CLEARANCE_CONFIDENTIAL
HIGHLY_CONFIDENTIAL = directory_pb2.ROLE_CLEARANCE_HIGHLY_CONFIDENTIAL


@dataclass
class Ledger:
    """Statements as a right hub states them: every chain goes on from its end."""

    seal: KeySigner
    ends: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    stated: list[Statement] = field(default_factory=list)

    def register(self, place: int, *, direction: names.Direction = "out", body: str = BODY, year: int = 1405) -> str:
        """The letter with this place in the world, numbered in a book; its name."""
        letter = f"letters/00000000-0000-4000-8000-{place:012}"
        series = names.series(f"{body}/offices/main", direction)
        sequence = self.ends.get(f"{series}/{year}", (0, b""))[0] + 1
        says = StatementEvent(
            number=StatementNumber(book=f"{series}/{year}", sequence=sequence, text=str(sequence)),
            manifest_sha256=b"m" * 32,
            definition_sha256=b"d" * 32,
            parties=[StatementParty(body=body, certificate_sha256=b"c" * 32)],
            documents=[StatementDocument(name=names.document(letter.partition("/")[2]), sha256=b"s" * 32)],
            recipients=[StatementRecipient(office=OFFICE, documents=[1])],
            signatures=[StatementSignature(file_sha256=b"f" * 32, certificates_sha256=[b"c" * 32])],
        )
        says.registered_at.FromSeconds(IAT_SECONDS)
        self._state(Event.SUBMISSION_ACCEPTANCE, letter, says, series=series, year=year)
        return letter

    def available(self, delivery: str, *, body: str = BODY, year: int = 1405) -> None:
        """The delivery lies in a mailbox of `body`, numbered in its incoming book."""
        series = names.series(f"{body}/offices/main", "in")
        sequence = self.ends.get(f"{series}/{year}", (0, b""))[0] + 1
        says = StatementEvent(
            number=StatementNumber(book=f"{series}/{year}", sequence=sequence, text=str(sequence)),
            manifest_sha256=b"m" * 32,
        )
        says.registered_at.FromSeconds(IAT_SECONDS)
        self._state(Event.AVAILABLE, delivery, says, series=series, year=year)

    def expire(self, delivery: str) -> None:
        """A further statement in a delivery's chain."""
        self._state(Event.ACCEPTANCE_REJECTION_EXPIRY, delivery, StatementEvent())

    def close(self, letter: str) -> None:
        """A further statement in a letter's chain."""
        self._state(Event.CLOSED, letter, StatementEvent())

    def _state(self, event: Event, subject: str, says: StatementEvent, *, series: str = "", year: int = 0) -> None:
        sequence, previous = self.ends.get(subject, (0, self._begins_from(subject)))
        if series:
            before = self.ends.get(f"{series}/{year}", (0, self.ends.get(series, (0, b""))[1]))
            says.links.add(chain=f"{series}/{year}", sequence=before[0] + 1, previous=before[1])
        stated = state(self.seal, event, subject=subject, sequence=sequence + 1, previous=previous, says=says)
        stated.position = len(self.stated) + 1
        self.stated.append(stated)
        self.ends[subject] = (sequence + 1, digest(stated.jws))
        if series:
            self.ends[f"{series}/{year}"] = (before[0] + 1, digest(stated.jws))
            self.ends[series] = self.ends[f"{series}/{year}"]

    def _begins_from(self, subject: str) -> bytes:
        """A delivery its letter's registration, another body's included; all else nothing."""
        if "/deliveries/" not in subject:
            return b""
        registered = [one for one in self.stated if one.subject == subject.partition("/deliveries/")[0]]
        return digest(registered[0].jws) if registered else b"another body's".ljust(32)


class Feeds(EvidenceServiceServicer, DirectoryServiceServicer):
    """Serves `statements` in their order, whatever that is, and heartbeats; breaks streams as the test says."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.roles: list[directory_pb2.Role.ValueType] = [directory_pb2.ROLE_SENDER, HIGHLY_CONFIDENTIAL]
        self.certificate_sha256 = b""
        self.asked: list[int] = []
        """`after_position` of every stream."""
        self.break_after: list[int] = []
        """After how many statements the next streams break, UNAVAILABLE."""
        self.stall_after: list[int] = []
        """After how many statements the next streams say nothing more, and do not end."""
        self.tokens: list[str] = []
        """Of the pages of ListStatements, instead of the right ones; the next page has the token's number."""
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.ended = threading.Event()

    def GetCertificates(self, request: Any, context: Any) -> directory_pb2.GetCertificatesResponse:  # noqa: N802
        listed = directory_pb2.Certificate(owner=BODY, sha256=self.certificate_sha256, roles=self.roles)
        return directory_pb2.GetCertificatesResponse(certificates=[listed])

    def ListStatements(self, request: Any, context: Any) -> pb.ListStatementsResponse:  # noqa: N802
        """One statement a page."""
        page = int(request.page_token or 0)
        self.asked.append(page)
        if len(self.asked) > 100:
            _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "READ_FOR_EVER")
        token = self.tokens[page % len(self.tokens)] if self.tokens else str(page + 1)
        listed = self.statements[page % len(self.statements)]
        is_last = not self.tokens and page + 1 == len(self.statements)
        return pb.ListStatementsResponse(statements=[listed], next_page_token="" if is_last else token)

    def WatchStatements(self, request: Any, context: Any) -> Iterator[pb.WatchStatementsResponse]:  # noqa: N802
        self.asked.append(request.after_position)
        if self.refusal is not None:
            _refuse(context, *self.refusal)
        left = self.break_after.pop(0) if self.break_after else None
        heard = self.stall_after.pop(0) if self.stall_after else None
        gone, head = threading.Event(), request.after_position
        given = next((n for n, one in enumerate(self.statements) if one.position > head), len(self.statements))
        context.add_callback(gone.set)
        while not gone.is_set() and not self.ended.is_set():
            for one in self.statements[given:]:
                given += 1
                if left == 0:
                    _refuse(context, grpc.StatusCode.UNAVAILABLE, "STOPPING")
                left = None if left is None else left - 1
                if heard == 0:
                    gone.wait()
                    return
                heard = None if heard is None else heard - 1
                yield pb.WatchStatementsResponse(statement=one, position=one.position)
                head = max(head, one.position)
            yield pb.WatchStatementsResponse(position=head)
            while given == len(self.statements) and not gone.wait(0.02) and not self.ended.is_set():
                pass


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, reason: str) -> None:
    status = status_pb2.Status(code=code.value[0], message="what is wrong")
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="dabir"))
    status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, status.message)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Feeds, Ledger, Profile]]:
    """The hub over mutual TLS, its ledger, and the profile of a member of it."""
    hub = PaperHub()
    own, own_chain = write_files(hub.authority.issue(purpose="tls", common_name="localhost"), folder, "server")
    roots = hub.authority.root.public_bytes(serialization.Encoding.PEM)
    credentials = grpc.ssl_server_credentials(
        [(own.read_bytes(), own_chain.read_bytes())], root_certificates=roots, require_client_auth=True
    )
    feeds = Feeds()  # type: ignore[abstract]  # it serves what these tests call, and no more
    server = grpc.server(futures.ThreadPoolExecutor(8))
    add_EvidenceServiceServicer_to_server(feeds, server)
    add_DirectoryServiceServicer_to_server(feeds, server)
    address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    (folder / "member").mkdir()
    seal = hub.seal()
    profile = write_profile(hub, seal, folder / "member", directory=address, evidence=address)
    feeds.certificate_sha256 = certificate_sha256(load_certificates(profile.tls.certificate)[0])
    try:
        yield feeds, Ledger(seal), profile
    finally:
        feeds.ended.set()
        server.stop(None).wait()
