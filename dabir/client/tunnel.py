"""A service of the hub behind a Unix socket, as our body, for programs whose TLS library cannot read its certificates.

Go's is one: it takes no arc of an object identifier above 2^31 - 1, and Dabir's extensions have a UUID there. Whoever
may open the socket is our body to that service; it is open to nobody but our own user.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dabir.client import own_certificate
from dabir.client.errors import InputError, UnavailableError
from dabir.client.profile import Profile

_BLOCK_BYTES = 65_536
_DIAL_SECONDS = 10.0
_OURS_ALONE = 0o177


def serve(profile: Profile, service: str, socket: Path, ready: Callable[[], None]) -> None:
    """Hands on what comes at `socket`, HTTP/2 without TLS, to `service`, until Ctrl-C; then the socket is gone.

    `ready` is called when programs may connect. Raises ProfileError; InputError if there is something at `socket`
    already; UnavailableError if the service cannot be reached now.
    """
    own_certificate.check(profile)
    if socket.exists():
        raise InputError("SOCKET_EXISTS", f"{socket} is there already; remove it, or name another")
    try:
        asyncio.run(_serve(_Tunnel(profile, service), socket, ready))
    finally:
        socket.unlink(missing_ok=True)


async def _serve(tunnel: "_Tunnel", socket: Path, ready: Callable[[], None]) -> None:
    _, writer = await tunnel.dial()
    writer.close()
    mask = os.umask(_OURS_ALONE)
    try:
        server = await asyncio.start_unix_server(tunnel.join, socket)
    finally:
        os.umask(mask)
    async with server:
        ready()
        await server.serve_forever()


class _Tunnel:
    def __init__(self, profile: Profile, service: str) -> None:
        self._addresses = profile.services[service].removeprefix("ipv4:").split(",")
        self._server_name = profile.server_name
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.set_alpn_protocols(["h2"])
        self._context.load_cert_chain(profile.tls.certificate, profile.tls.key)
        for root in sorted((profile.trust / "roots").glob("*.pem")):
            self._context.load_verify_locations(root)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the first copy of the service that answers. Raises UnavailableError."""
        failed: OSError | None = None
        for address in self._addresses:
            host, _, port = address.rpartition(":")
            name = self._server_name or host
            try:
                async with asyncio.timeout(_DIAL_SECONDS):
                    return await asyncio.open_connection(
                        host.strip("[]"), int(port), ssl=self._context, server_hostname=name
                    )
            except OSError as error:  # one that is too late is among them
                failed = error
        why = str(failed) or f"not within {_DIAL_SECONDS:g} seconds"
        raise UnavailableError("NO_ANSWER", f"{', '.join(self._addresses)}: {why}; try again") from failed

    async def join(self, near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        """One connection of a program, to its end."""
        try:
            far_reader, far_writer = await self.dial()
        except UnavailableError:  # the program sees its connection end, and tries again
            near_writer.close()
            return
        with suppress(asyncio.CancelledError):  # we end; asyncio's server would report it as a fault of ours
            await asyncio.gather(_pass_on(near_reader, far_writer), _pass_on(far_reader, near_writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either end closes; then both are closed."""
    with suppress(OSError):
        while block := await reader.read(_BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    writer.close()
