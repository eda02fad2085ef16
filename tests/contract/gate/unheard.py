"""A client below grpc's own, which cannot do this: announce a message, send its beginning and wait."""

import asyncio
import ssl

from tests.contract.harness import Identities

_DATA, _HEADERS, _RST_STREAM, _SETTINGS = 0, 1, 3, 4
_END_STREAM, _END_HEADERS = 1, 4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def begin_and_wait(identities: Identities, port: int, who: str, path: str) -> None:
    """Announces 4 MB, sends a kilobyte of it; returns when the server has ended the call."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=_tls(identities, who), server_hostname="localhost"
    )
    begun = b"\0" + (4_000_000).to_bytes(4) + b"\0" * 1024
    try:
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        writer.write(_frame(_HEADERS, _END_HEADERS, 1, _headers(path)) + _frame(_DATA, 0, 1, begun))
        while not await _ends_the_call(reader):
            pass
    finally:
        writer.close()


async def _ends_the_call(reader: asyncio.StreamReader) -> bool:
    """Whether the next frame does. Raises IncompleteReadError where the connection ends first."""
    head = await reader.readexactly(9)
    await reader.readexactly(int.from_bytes(head[:3]))
    kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
    return stream == 1 and (kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and bool(flags & _END_STREAM)))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _headers(path: str) -> bytes:
    """HPACK (RFC 7541, 6.2.2): each literally, by its name, and not to be remembered."""
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    strings = [string.encode() for field in fields.items() for string in field]
    block = [bytes([len(string)]) + string for string in strings]
    return b"".join(b"\0" + name + value for name, value in zip(block[::2], block[1::2], strict=True))


def _tls(identities: Identities, who: str) -> ssl.SSLContext:
    pair = identities.pair(who)
    context = ssl.create_default_context(cafile=identities.pki.root)
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["h2"])
    return context
