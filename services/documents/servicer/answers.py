"""A document as its uploader and its recipients see it."""

from dabir.documents.v1 import documents_pb2 as pb
from services.documents.domain.upload import Document, State
from services.runtime.instants import optional_timestamp, timestamp

_STATES = {
    State.UPLOADING: pb.DOCUMENT_STATE_UPLOADING,
    State.INSPECTING: pb.DOCUMENT_STATE_INSPECTING,
    State.READY: pb.DOCUMENT_STATE_READY,
    State.REJECTED: pb.DOCUMENT_STATE_REJECTED,
}


def document_answer(document: Document) -> pb.Document:
    """As proto."""
    return pb.Document(
        name=document.name,
        state=_STATES[document.state],
        rejection_reason=document.rejection_reason,
        rejection_message=document.rejection_message,
        media_type=document.content.media_type,
        size_bytes=document.content.size_bytes,
        sha256=document.content.sha256,
        pages=document.pages,
        create_time=timestamp(document.created_at),
        retain_until=optional_timestamp(document.retain_until),
    )
