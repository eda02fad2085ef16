"""A member's system: composes, signs, uploads, submits, signs for."""

import asyncio
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.common.v1 import receipt_pb2 as receipts
from dabir.documents.v1 import documents_pb2 as documents
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceStub
from dabir.formats import names
from dabir.formats.cades import sign_detached
from dabir.formats.manifest import write_manifest
from dabir.formats.receipt import write_receipt
from dabir.formats.signer import FileSigner, certificate_sha256
from dabir.formats.strict_json import write
from dabir.intake.v1 import letter_pb2
from dabir.intake.v1 import recipient_service_pb2 as recipient_pb
from dabir.intake.v1 import sender_service_pb2 as sender_pb
from dabir.intake.v1.recipient_service_pb2_grpc import RecipientServiceStub
from dabir.intake.v1.sender_service_pb2_grpc import SenderServiceStub
from services.runtime.channel import error_info
from tests.contract.intake.line import CALL_SECONDS, HUB, SYSTEMS, Line

TEXT = "نامهٔ آزمایشی\n".encode()


def stamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant.replace(microsecond=0))
    return made


def now() -> datetime:
    return datetime.now(UTC)


def to(office: str, **fields: Any) -> manifests.Recipient:
    """A `to` recipient; `bank/registry` for short."""
    body, _, name = office.partition("/")
    kind = fields.pop("kind", manifests.RECIPIENT_KIND_TO)
    return manifests.Recipient(office=names.office(body, name), kind=kind, **fields)


@dataclass
class Draft:
    """A letter as its sender holds it: change it, then `signed` it."""

    manifest: manifests.Manifest
    documents: list[str]
    signers: Sequence[FileSigner]
    data: bytes = b""
    signatures: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"letters/{self.manifest.letter_uuid}"

    def delivery(self, number: int = 1) -> str:
        return names.delivery(self.name, number)

    def signed(self, data: bytes | None = None) -> "Draft":
        """Signed as it stands, or over other bytes."""
        self.data = write_manifest(self.manifest) if data is None else data
        self.signatures = [sign_detached(self.data, signer, now()) for signer in self.signers]
        return self

    @property
    def request(self) -> sender_pb.SubmitLetterRequest:
        return sender_pb.SubmitLetterRequest(manifest=self.data, signatures=self.signatures, documents=self.documents)


class Member:
    """One certificate of a body, calling one copy of intake."""

    def __init__(self, line: Line, who: str, channel: grpc.aio.Channel, documents_channel: grpc.aio.Channel) -> None:
        self.line = line
        self.body = SYSTEMS[who][0] if who in SYSTEMS else who
        self.sender = SenderServiceStub(channel)
        self.recipient = RecipientServiceStub(channel)
        self.documents = DocumentServiceStub(documents_channel)

    def signer(self, position: str = "وزیر") -> FileSigner:
        pair = self.line.sign(self.body, position)
        return FileSigner(pair.key, pair.certificate)

    def seal(self) -> FileSigner:
        pair = self.line.seal(self.body)
        return FileSigner(pair.key, pair.certificate)

    async def upload(self, data: bytes = TEXT, media_type: str = "text/plain") -> str:
        """A document of the body's, READY."""
        name, sha256 = names.document(str(uuid.uuid4())), hashlib.sha256(data).digest()
        header = documents.UploadHeader(document=name, media_type=media_type, size_bytes=len(data), sha256=sha256)
        parts = [
            documents.UploadDocumentRequest(header=header),
            documents.UploadDocumentRequest(chunk=documents.UploadChunk(offset=0, data=data)),
            documents.UploadDocumentRequest(finish=documents.UploadFinish(size_bytes=len(data), sha256=sha256)),
        ]
        await self.documents.UploadDocument(iter(parts), timeout=CALL_SECONDS)
        return name

    async def draft(
        self,
        *recipients: manifests.Recipient,
        office: str = "registry",
        texts: Sequence[bytes] = (TEXT,),
        signers: Sequence[str] = ("وزیر",),
        **changes: Any,
    ) -> Draft:
        """A letter to bank's registry unless told otherwise, its documents uploaded; signed."""
        keys = [self.signer(position) for position in signers]
        manifest = manifests.Manifest(
            type="dabir.letter.v1",
            letter_uuid=str(uuid.uuid4()),
            hub=HUB,
            written_at=stamp(now()),
            definition="definitions/administrative/1",
            sender=manifests.ManifestSender(body=f"bodies/{self.body}", office=f"bodies/{self.body}/offices/{office}"),
            signers=[
                manifests.Signer(position=position, certificate_sha256=certificate_sha256(key.certificate))
                for position, key in zip(signers, keys, strict=True)
            ],
            recipients=recipients or [to("bank/registry")],
            subject="معرفی نماینده",
            priority=manifests.PRIORITY_NORMAL,
            classification=manifests.CLASSIFICATION_NORMAL,
            documents=[
                manifests.ManifestDocument(
                    index=index,
                    role=manifests.DOCUMENT_ROLE_MAIN if index == 1 else manifests.DOCUMENT_ROLE_ANNEX,
                    file_name=f"{index}.txt",
                    media_type="text/plain",
                    size_bytes=len(text),
                    sha256=hashlib.sha256(text).digest(),
                )
                for index, text in enumerate(texts, start=1)
            ],
        )
        for name, value in changes.items():
            manifest.ClearField(name)  # type: ignore[arg-type]  # the test names a field of Manifest
            manifest.MergeFrom(manifests.Manifest(**{name: value}))
        uploaded = await asyncio.gather(*(self.upload(text) for text in texts))
        return Draft(manifest, list(uploaded), keys).signed()

    async def submit(self, draft: Draft) -> sender_pb.SubmitLetterResponse:
        return await self.sender.SubmitLetter(draft.request, timeout=CALL_SECONDS)

    async def send(self, *recipients: manifests.Recipient, **changes: Any) -> Draft:
        """A registered letter."""
        draft = await self.draft(*recipients, **changes)
        await self.submit(draft)
        return draft

    async def envelope(self, name: str) -> letter_pb2.Envelope:
        return (await self.get(name)).envelope

    async def get(self, name: str) -> letter_pb2.Delivery:
        request = recipient_pb.GetDeliveryRequest(name=name)
        return (await self.recipient.GetDelivery(request, timeout=CALL_SECONDS)).delivery

    async def receipt(
        self, name: str, verdict: receipts.Verdict.ValueType = receipts.VERDICT_ACCEPTED, **changes: Any
    ) -> receipts.Receipt:
        """A receipt that agrees with the envelope, unless told otherwise."""
        envelope = await self.envelope(name)
        made = receipts.Receipt(
            type="dabir.receipt.v1",
            hub=HUB,
            delivery=name,
            in_number=receipts.BookNumber(book=envelope.in_number.book, sequence=envelope.in_number.sequence),
            letter=envelope.letter,
            manifest_sha256=envelope.manifest_sha256,
            submission_acceptance_sha256=envelope.submission_acceptance_sha256,
            verdict=verdict,
            signed_at=stamp(now()),
            nonce=secrets.token_bytes(16),
        )
        for field_name, value in changes.items():
            made.ClearField(field_name)  # type: ignore[arg-type]  # the test names a field of Receipt
            made.MergeFrom(receipts.Receipt(**{field_name: value}))
        return made

    async def accepting(self, name: str, **changes: Any) -> recipient_pb.AcceptDeliveryRequest:
        data = write(await self.receipt(name, **changes))
        return recipient_pb.AcceptDeliveryRequest(
            name=name, receipt=data, signature=sign_detached(data, self.seal(), now())
        )

    async def refusing(
        self, name: str, reason: receipts.ReturnReason.ValueType = receipts.RETURN_REASON_NOT_COMPETENT, **changes: Any
    ) -> recipient_pb.RefuseDeliveryRequest:
        data = write_receipt(await self.receipt(name, receipts.VERDICT_REFUSED, reason=reason, **changes))
        return recipient_pb.RefuseDeliveryRequest(
            name=name, receipt=data, signature=sign_detached(data, self.seal(), now())
        )

    async def returning(
        self,
        name: str,
        reason: receipts.ReturnReason.ValueType = receipts.RETURN_REASON_UNREADABLE,
        verdict: receipts.Verdict.ValueType = receipts.VERDICT_RETURNED,
        **changes: Any,
    ) -> recipient_pb.ReturnDeliveryRequest:
        data = write(await self.receipt(name, verdict, reason=reason, **changes))
        return recipient_pb.ReturnDeliveryRequest(
            name=name, receipt=data, signature=sign_detached(data, self.seal(), now())
        )

    async def answering_recall(
        self, name: str, verdict: receipts.Verdict.ValueType = receipts.VERDICT_RECALL_GRANTED, **changes: Any
    ) -> recipient_pb.AnswerRecallRequest:
        """To the recall that the envelope shows, unless told otherwise."""
        asked = (await self.envelope(name)).recall.sha256
        data = write(await self.receipt(name, verdict, **{"recall_sha256": asked, **changes}))
        return recipient_pb.AnswerRecallRequest(
            name=name, receipt=data, signature=sign_detached(data, self.seal(), now())
        )

    def recalling(self, draft: Draft, *numbers: int, **changes: Any) -> sender_pb.RecallLetterRequest:
        """A recall of all its deliveries, or of those of these numbers."""
        made = receipts.Recall(
            type="dabir.recall.v1",
            hub=HUB,
            letter=draft.name,
            manifest_sha256=hashlib.sha256(draft.data).digest(),
            deliveries=[draft.delivery(number) for number in numbers],
            reason="به اشتباه فرستاده شد",
            written_at=stamp(now()),
            nonce=secrets.token_bytes(16),
        )
        for field_name, value in changes.items():
            made.ClearField(field_name)  # type: ignore[arg-type]  # the test names a field of Recall
            made.MergeFrom(receipts.Recall(**{field_name: value}))
        data = write(made)
        return sender_pb.RecallLetterRequest(
            letter=draft.name, recall=data, signature=sign_detached(data, self.seal(), now())
        )

    async def recall(self, draft: Draft, *numbers: int) -> sender_pb.RecallLetterResponse:
        return await self.sender.RecallLetter(self.recalling(draft, *numbers), timeout=CALL_SECONDS)

    async def accept(self, name: str) -> recipient_pb.AcceptDeliveryResponse:
        return await self.recipient.AcceptDelivery(await self.accepting(name), timeout=CALL_SECONDS)

    async def refuse(self, name: str) -> recipient_pb.RefuseDeliveryResponse:
        return await self.recipient.RefuseDelivery(await self.refusing(name), timeout=CALL_SECONDS)


def reply_to(draft: Draft) -> list[manifests.Relation]:
    """The relation that makes a letter an answer to this one."""
    return [manifests.Relation(kind=manifests.RELATION_KIND_REPLY_TO, letter=draft.name)]


@dataclass(frozen=True)
class Refusal:
    """A call that was refused: code, reason, sentence."""

    code: str
    reason: str
    message: str
    metadata: dict[str, str]


async def refusal(call: Any) -> Refusal:
    """How a call is refused; a test fails when it is not."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_info(caught.value)
    return Refusal(caught.value.code().name, info.reason, caught.value.details() or "", dict(info.metadata))
