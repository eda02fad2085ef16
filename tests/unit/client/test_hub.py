"""How calls go: a server of a few lines over mutual TLS answers as a hub would, and as a hub in trouble would."""

import hashlib
import importlib.resources
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from google.protobuf import any_pb2, descriptor_pool
from google.rpc import error_details_pb2, status_pb2

from dabir.client import documents
from dabir.client.errors import ProfileError, RefusedError, UnavailableError, VerificationError
from dabir.client.hub import Hub
from dabir.client.profile import Profile
from dabir.directory.v1 import directory_pb2
from dabir.directory.v1.directory_pb2_grpc import DirectoryServiceServicer, add_DirectoryServiceServicer_to_server
from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceServicer, add_DocumentServiceServicer_to_server
from dabir.evidence.v1.evidence_pb2 import ListStatementsRequest
from dabir.intake.v1.sender_service_pb2 import SubmitLetterRequest, SubmitLetterResponse
from dabir.intake.v1.sender_service_pb2_grpc import SenderServiceServicer, add_SenderServiceServicer_to_server
from tests.pki import write_files
from tests.unit.client.member import BODY, PaperHub, write_profile

NAME = "documents/00000000-0000-4000-8000-000000000001"
BYTES = bytes(itertools.islice(itertools.cycle(range(251)), 3 * documents.CHUNK_BYTES + 17))
SHA256 = hashlib.sha256(BYTES).digest()


class Scripted(DirectoryServiceServicer, DocumentServiceServicer, SenderServiceServicer):
    """Answers by the next of `outages`, then properly; keeps what was uploaded, and how each call came."""

    def __init__(self) -> None:
        self.outages: list[Callable[[grpc.ServicerContext], None]] = []
        self.calls: list[dict[str, Any]] = []
        self.stored = b""
        self.break_after_bytes: list[int] = []
        self.stored_late: list[bytes] = []
        self.served = BYTES
        self.verdict = pb.DOCUMENT_STATE_READY

    def _meet(self, context: grpc.ServicerContext) -> None:
        self.calls.append({"metadata": dict(context.invocation_metadata()), "seconds": context.time_remaining()})
        if self.outages:
            self.outages.pop(0)(context)

    def GetBody(self, request: Any, context: grpc.ServicerContext) -> directory_pb2.GetBodyResponse:  # noqa: N802
        self._meet(context)
        return directory_pb2.GetBodyResponse(body=directory_pb2.Body(name=request.name))

    def SubmitLetter(self, request: Any, context: grpc.ServicerContext) -> SubmitLetterResponse:  # noqa: N802
        self._meet(context)
        return SubmitLetterResponse()

    def QueryUpload(self, request: Any, context: grpc.ServicerContext) -> pb.QueryUploadResponse:  # noqa: N802
        return pb.QueryUploadResponse(committed_bytes=len(self.stored))

    def UploadDocument(self, request_iterator: Any, context: grpc.ServicerContext) -> pb.UploadDocumentResponse:  # noqa: N802
        limit = self.break_after_bytes.pop(0) if self.break_after_bytes else None
        self.stored += self.stored_late.pop(0) if self.stored_late else b""
        for part in request_iterator:
            if part.HasField("chunk"):
                if part.chunk.offset != len(self.stored):
                    reason = error_details_pb2.ErrorInfo(reason="WRONG_OFFSET")
                    refuse(grpc.StatusCode.INVALID_ARGUMENT, reason)(context)
                self.stored += part.chunk.data
            if limit is not None and len(self.stored) >= limit:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        document = pb.Document(name=NAME, state=self.verdict, rejection_reason="DAMAGED", rejection_message="mend it")
        return pb.UploadDocumentResponse(document=document)

    def DownloadDocument(self, request: Any, context: grpc.ServicerContext) -> Iterator[pb.DownloadDocumentResponse]:  # noqa: N802
        limit = self.break_after_bytes.pop(0) if self.break_after_bytes else None
        self.calls.append({"offset": request.offset})
        for at in range(request.offset, len(self.served), 65_536):
            if limit is not None and at >= limit:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            yield pb.DownloadDocumentResponse(offset=at, data=self.served[at : at + 65_536])


def refuse(code: grpc.StatusCode, *details: Any) -> Callable[[grpc.ServicerContext], None]:
    """Ends the call with a rich status (google.rpc.Status)."""

    def end(context: grpc.ServicerContext) -> None:
        status = status_pb2.Status(code=code.value[0], message="what is wrong")
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, status.message)

    return end


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Scripted, Profile]]:
    """The scripted server, and the profile of a member that knows where it is."""
    hub = PaperHub()
    own, own_chain = write_files(hub.authority.issue(purpose="tls", common_name="localhost"), tmp_path, "server")
    roots = hub.authority.root.public_bytes(serialization.Encoding.PEM)
    credentials = grpc.ssl_server_credentials(
        [(own.read_bytes(), own_chain.read_bytes())], root_certificates=roots, require_client_auth=True
    )
    scripted = Scripted()  # type: ignore[abstract]  # it serves what these tests call, and no more
    running = grpc.server(futures.ThreadPoolExecutor(4))
    add_DirectoryServiceServicer_to_server(scripted, running)
    add_DocumentServiceServicer_to_server(scripted, running)
    add_SenderServiceServicer_to_server(scripted, running)
    port = running.add_secure_port("127.0.0.1:0", credentials)
    running.start()
    member = tmp_path / "member"
    member.mkdir()
    address = f"127.0.0.1:{port}"
    yield scripted, write_profile(hub, hub.seal(), member, directory=address, documents=address, intake=address)
    running.stop(None).wait()


@pytest.fixture
def scripted(server: tuple[Scripted, Profile]) -> Scripted:
    return server[0]


@pytest.fixture
def hub(server: tuple[Scripted, Profile]) -> Iterator[Hub]:
    connected = Hub(server[1])
    yield connected
    connected.close()


def get_body(hub: Hub) -> directory_pb2.GetBodyResponse:
    return hub.call(hub.directory.GetBody, directory_pb2.GetBodyRequest(name=BODY))


def test_every_call_has_a_deadline_a_request_id_and_a_language(scripted: Scripted, hub: Hub) -> None:
    assert get_body(hub).body.name == BODY
    call = scripted.calls[0]
    assert 0 < call["seconds"] <= 30
    assert len(call["metadata"]["x-dabir-request-id"]) == 36
    assert call["metadata"]["accept-language"] == "en"


def test_unavailable_is_tried_again(scripted: Scripted, hub: Hub) -> None:
    scripted.outages = [refuse(grpc.StatusCode.UNAVAILABLE)] * 2
    assert get_body(hub).body.name == BODY
    assert len(scripted.calls) == 3


def test_a_submission_is_tried_again_by_its_sender_alone(scripted: Scripted, hub: Hub) -> None:
    scripted.outages = [refuse(grpc.StatusCode.UNAVAILABLE)]
    with pytest.raises(UnavailableError):
        hub.call(hub.sender.SubmitLetter, SubmitLetterRequest())
    assert len(scripted.calls) == 1


def test_a_refusal_is_not_tried_again_and_says_why(scripted: Scripted, hub: Hub) -> None:
    info = error_details_pb2.ErrorInfo(reason="BODY_NOT_FOUND", domain="dabir", metadata={"body": BODY})
    field = error_details_pb2.BadRequest.FieldViolation(field="name", description="no such body")
    scripted.outages = [refuse(grpc.StatusCode.NOT_FOUND, info, error_details_pb2.BadRequest(field_violations=[field]))]
    with pytest.raises(RefusedError, match="what is wrong") as raised:
        get_body(hub)
    assert (raised.value.reason, raised.value.code) == ("BODY_NOT_FOUND", "NOT_FOUND")
    assert raised.value.metadata == {"body": BODY}
    assert raised.value.violations == (("name", "no such body"),)
    assert len(scripted.calls) == 1


def test_a_sentence_in_our_language_is_preferred(scripted: Scripted, hub: Hub) -> None:
    said = error_details_pb2.LocalizedMessage(locale="en", message="in our words")
    scripted.outages = [refuse(grpc.StatusCode.NOT_FOUND, said)]
    with pytest.raises(RefusedError, match="in our words"):
        get_body(hub)


def test_an_overload_says_how_long_to_wait(scripted: Scripted, hub: Hub) -> None:
    wait = error_details_pb2.RetryInfo()
    wait.retry_delay.FromMilliseconds(1500)
    info = error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="dabir")
    scripted.outages = [refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, info, wait)]
    with pytest.raises(UnavailableError) as raised:
        get_body(hub)
    assert (raised.value.reason, raised.value.retry_after_seconds) == ("OVERLOADED", 1.5)


@pytest.mark.parametrize(
    ("seconds", "nanos", "waited_seconds"), [(315_576_000_000, 0, 300.0), (2**63 - 1, 2**31 - 1, 300.0), (-5, -9, 0.0)]
)
def test_an_overload_that_asks_for_too_long_a_wait_is_not_obeyed(
    scripted: Scripted, hub: Hub, seconds: int, nanos: int, waited_seconds: float
) -> None:
    wait = error_details_pb2.RetryInfo()
    wait.retry_delay.seconds, wait.retry_delay.nanos = seconds, nanos
    scripted.outages = [refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, wait)]
    with pytest.raises(UnavailableError) as raised:
        get_body(hub)
    assert raised.value.retry_after_seconds == waited_seconds


def test_a_hub_that_is_down_is_said_to_be(server: tuple[Scripted, Profile]) -> None:
    hub = Hub(server[1])
    with pytest.raises(UnavailableError, match="does not take our certificate"):
        hub.call(hub.evidence.ListStatements, ListStatementsRequest())  # nobody listens on port 1
    hub.close()


def test_our_expired_certificate_is_said_before_dialling(tmp_path: Path) -> None:
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    expired = hub.authority.issue(purpose="tls", body=BODY, not_after=datetime(2026, 2, 1, tzinfo=UTC))
    write_files(expired, tmp_path, "tls")
    with pytest.raises(ProfileError, match="was valid until 2026-02-01"):
        Hub(profile)


def test_a_certificate_of_another_purpose_is_said_before_dialling(tmp_path: Path) -> None:
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    write_files(hub.authority.issue(purpose="seal", body=BODY), tmp_path, "tls")
    with pytest.raises(ProfileError, match="not of purpose tls"):
        Hub(profile)


def test_every_unary_method_for_members_but_one_has_a_retry_policy() -> None:
    config = json.loads(importlib.resources.files("dabir.client").joinpath("service_config.json").read_text())
    noted, *policies = config["methodConfig"]
    assert noted == {"name": [{"service": "dabir.intake.v1.SenderService", "method": "SubmitLetter"}]}, "see sending.py"
    assert [policy["retryPolicy"]["retryableStatusCodes"] for policy in policies] == [["UNAVAILABLE"]]
    named = {(name["service"], name.get("method")) for policy in policies for name in policy["name"]}
    pool = descriptor_pool.Default()
    for service in (
        "dabir.intake.v1.SenderService",
        "dabir.intake.v1.RecipientService",
        "dabir.directory.v1.DirectoryService",
        "dabir.evidence.v1.EvidenceService",
        "dabir.notifications.v1.NotificationService",
        "dabir.documents.v1.DocumentService",
    ):
        for method in pool.FindServiceByName(service).methods:
            streams = method.client_streaming or method.server_streaming
            assert ((service, method.name) in named or (service, None) in named) is not streams, method.full_name


def document(folder: Path) -> documents.Upload:
    file = folder / "annex.pdf"
    file.write_bytes(BYTES)
    return documents.Upload(NAME, file, "application/pdf", len(BYTES), SHA256)


def test_a_broken_upload_goes_on_where_it_stopped(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.break_after_bytes = [1, documents.CHUNK_BYTES + 1]
    seen: list[int] = []
    assert documents.upload(hub, document(tmp_path), seen.append).state == pb.DOCUMENT_STATE_READY
    assert scripted.stored == BYTES
    assert seen[-1] == len(BYTES)


def test_a_resumed_upload_asks_how_far_it_got(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.stored = BYTES[:100_000]
    documents.upload(hub, document(tmp_path), documents.quiet, resumed=True)
    assert scripted.stored == BYTES


def test_a_broken_stream_that_is_still_stored_ends_no_upload(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    """What it had sent is stored after we asked how far it got, and before we go on from there."""
    scripted.stored_late = [BYTES[: documents.CHUNK_BYTES], BYTES[documents.CHUNK_BYTES : 2 * documents.CHUNK_BYTES]]
    uploaded = documents.upload(hub, document(tmp_path), documents.quiet, resumed=True)
    assert uploaded.state == pb.DOCUMENT_STATE_READY
    assert scripted.stored == BYTES


def test_a_rejected_document_says_why(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.verdict = pb.DOCUMENT_STATE_REJECTED
    with pytest.raises(RefusedError, match="mend it") as raised:
        documents.upload(hub, document(tmp_path), documents.quiet)
    assert (raised.value.reason, raised.value.metadata["document"]) == ("DAMAGED", NAME)


def test_a_broken_download_goes_on_where_it_stopped(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.break_after_bytes = [65_536, 4 * 65_536]
    target = tmp_path / "1-annex.pdf"
    documents.download(hub, NAME, "key", target, len(BYTES), SHA256, documents.quiet)
    assert target.read_bytes() == BYTES
    assert [call["offset"] for call in scripted.calls] == [0, 65_536, 4 * 65_536]
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("left_bytes", [0, 100_000, len(BYTES)])
def test_what_was_downloaded_is_on_the_disk(hub: Hub, tmp_path: Path, synced: list[Path], left_bytes: int) -> None:
    """Also what a run left that was killed before it could sync: our ConfirmDownload is stated as our having it."""
    target, part = tmp_path / "1-annex.pdf", tmp_path / "1-annex.pdf.part"
    part.write_bytes(BYTES[:left_bytes])
    documents.download(hub, NAME, "key", target, len(BYTES), SHA256, documents.quiet)
    assert synced == [part, tmp_path]


def test_other_bytes_than_the_manifest_names_are_not_kept(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.served = BYTES[:-1] + b"?"
    target = tmp_path / "1-annex.pdf"
    with pytest.raises(VerificationError, match="not what the manifest names"):
        documents.download(hub, NAME, "key", target, len(BYTES), SHA256, documents.quiet)
    assert not target.exists()
    assert list(tmp_path.glob("*.part")) == []


def test_no_more_is_written_than_the_manifest_names(scripted: Scripted, hub: Hub, tmp_path: Path) -> None:
    scripted.served = BYTES + bytes(1 << 20)
    target = tmp_path / "1-annex.pdf"
    with pytest.raises(VerificationError) as raised:
        documents.download(hub, NAME, "key", target, len(BYTES), SHA256, documents.quiet)
    assert raised.value.reason == "TOO_LONG"
    assert not target.exists()
    assert sum(file.stat().st_size for file in tmp_path.glob("*.part")) <= len(BYTES)
