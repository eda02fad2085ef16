"""A TLS end before a server that speaks plain text, as the development Temporal and PostgreSQL do."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def tls_end(
    port: int, certificate: Path, key: Path, alpn: str, client_roots: Path | None = None
) -> AsyncIterator[int]:
    """A port that speaks TLS and hands on to `port`, both on 127.0.0.1. `client_roots`: whose certificates may call."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_roots)
    context.verify_mode = ssl.CERT_REQUIRED if client_roots else ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes until an end closes."""
    try:
        while block := await reader.read(65_536):
            writer.write(block)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
