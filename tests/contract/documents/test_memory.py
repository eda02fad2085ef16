"""Memory does not grow with a file's size, up or down, nor with what comes while the server is held up."""

import hashlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from dabir.documents.v1 import documents_pb2 as pb
from tests.contract.documents.harness import Documents
from tests.contract.documents.member import CHUNK_BYTES, Member, new_document
from tests.contract.documents.test_crash import children

# 1 GiB takes a minute or two; this says the same of memory in a few seconds.
LARGE_MIB = int(os.environ.get("DABIR_TEST_LARGE_MIB", "256"))
GROWTH_MAX_BYTES = 24 * 1024 * 1024  # what DocumentsConfig.transfers_max says of one
HELD_UP_SECONDS = 1.0
DEADLINE_SECONDS = 600.0


def large_pdf(size_mib: int) -> Iterator[bytes]:
    """A PDF with an attachment of this size, in chunks of exactly CHUNK_BYTES but the last."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Attachment 4 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        b"<</Length %d>>stream\n" % (size_mib << 20),
    ]
    head, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(head))
        head += b"%d 0 obj" % number + body + (b"" if number == 4 else b"endobj\n")
    block, pending = os.urandom(1 << 20), head
    for _ in range(size_mib):
        pending += block
        while len(pending) >= CHUNK_BYTES:
            yield pending[:CHUNK_BYTES]
            pending = pending[CHUNK_BYTES:]
    tail = b"\nendstream endobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(head) + (size_mib << 20) + len(tail)
    yield (
        pending
        + tail
        + b"xref\n0 5\n0000000000 65535 f \n"
        + table
        + (b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start)
    )


def hold_up(pid: int) -> None:
    """The process stands still for a moment, as on a machine that has much else to do."""
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(HELD_UP_SECONDS, os.kill, (pid, signal.SIGCONT)).start()


async def transfer(member: Member, size_mib: int, disturb: Callable[[], None]) -> None:
    """Up, disturbed half-way, inspected, and down again."""
    whole, size, chunks = hashlib.sha256(), 0, []
    for chunk in large_pdf(size_mib):  # the client of this test keeps it; the server must not
        whole.update(chunk)
        size += len(chunk)
        chunks.append(chunk)
    name = new_document()

    async def parts() -> AsyncIterator[pb.UploadDocumentRequest]:
        header = pb.UploadHeader(document=name, media_type="application/pdf", size_bytes=size, sha256=whole.digest())
        yield pb.UploadDocumentRequest(header=header)
        offset = 0
        for number, chunk in enumerate(chunks):
            if number == len(chunks) // 2:
                disturb()
            yield pb.UploadDocumentRequest(chunk=pb.UploadChunk(offset=offset, data=chunk))
            offset += len(chunk)
        finish = pb.UploadFinish(size_bytes=size, sha256=whole.digest())
        yield pb.UploadDocumentRequest(finish=finish)

    answered = await member.stub.UploadDocument(parts(), timeout=DEADLINE_SECONDS)
    assert (answered.document.state, answered.document.pages) == (pb.DOCUMENT_STATE_READY, 1)
    came = hashlib.sha256()
    async for message in member.stub.DownloadDocument(pb.DownloadDocumentRequest(name=name), timeout=DEADLINE_SECONDS):
        came.update(message.data)
    assert came.digest() == whole.digest()


def peak_bytes(pids: list[int]) -> int:
    """The most memory these processes held at once since forget_peak, each by itself (proc(5), VmHWM)."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def forget_peak(pids: list[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.timeout(900)
async def test_memory_does_not_grow_with_a_files_size(documents: Documents, sender: Member) -> None:
    await transfer(sender, 1, lambda: None)
    pids = [documents.pid, *children(documents.pid)]
    forget_peak(pids)
    before = peak_bytes(pids)
    await transfer(sender, LARGE_MIB, lambda: hold_up(documents.pid))
    assert [documents.pid, *children(documents.pid)] == pids  # no child was replaced meanwhile
    grown = peak_bytes(pids) - before
    print(f"{LARGE_MIB} MiB up and down: {grown / 2**20:.1f} MiB more than {before / 2**20:.1f} MiB")
    assert grown < GROWTH_MAX_BYTES
