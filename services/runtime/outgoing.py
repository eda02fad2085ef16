"""The one client for requests to addresses that somebody else chose: it reaches no machine it must not reach.

    async with Outgoing(allowed_networks=config.outgoing_allowed_networks, …) as outgoing:
        answer = await outgoing.post(url, body, headers)

A name is resolved once, the address is judged where the connection is made, and to that address it goes; the server
name (SNI) and the certificate check stay the URL's. Redirects are an answer like any other and are not followed.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEADERS_MAX_BYTES = 8190
"""Of one header line of an answer."""

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Within it: protocol assignments with Teredo and ORCHID, 6to4, documentation (IANA special-purpose registry).
_SPECIAL_UNICAST = [ipaddress.ip_network(n) for n in ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")]


class OutgoingFailed(Exception):
    """No answer came. `reason`: ADDRESS_NOT_ALLOWED, TIMEOUT, TLS_FAILED, CONNECTION_FAILED or ANSWER_INVALID."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """What came back; its body is not read."""

    status: int
    retry_after: str = ""
    """The header Retry-After, as it stands."""


class Outgoing:
    """`async with` opens and closes it. `https://` goes to public addresses and to `allowed_networks` (CIDR); plain
    `http://` to `allowed_networks` alone.
    """

    def __init__(
        self, *, allowed_networks: Collection[str], timeout_seconds: float, connect_seconds: float, at_once: int
    ) -> None:
        """Raises ValueError when a network is none."""
        self._allowed = [ipaddress.ip_network(network) for network in allowed_networks]
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._at_once = at_once
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> "Outgoing":
        self._sessions = {
            "https": self._session(lambda address: is_public(address) or self._is_allowed(address)),
            "http": self._session(self._is_allowed),
        }
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body`. Raises OutgoingFailed, KeyError for a scheme that is neither https nor http."""
        session = self._sessions[URL(url).scheme]
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return Answer(answer.status, answer.headers.get("Retry-After", ""))
        except aiohttp.InvalidURL as error:  # an address spelled in another way: 127.1, 0x7f000001
            raise OutgoingFailed("ADDRESS_NOT_ALLOWED") from error
        except TimeoutError as error:
            raise OutgoingFailed("TIMEOUT") from error
        except aiohttp.ClientConnectorError as error:
            raise OutgoingFailed(_why_not_connected(error)) from error
        except aiohttp.ClientConnectionError as error:
            raise OutgoingFailed("CONNECTION_FAILED") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise OutgoingFailed("ANSWER_INVALID") from error

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)

    def _session(self, may_reach: Callable[[Address], bool]) -> aiohttp.ClientSession:
        def dial(chosen: Any) -> socket.socket:
            family, kind, protocol, _, where = chosen
            if not may_reach(ipaddress.ip_address(where[0].partition("%")[0])):
                raise _AddressRefused("the address is not allowed")
            return socket.socket(family, kind, protocol)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=dial, limit=self._at_once, use_dns_cache=False),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=HEADERS_MAX_BYTES,
            max_field_size=HEADERS_MAX_BYTES,
        )


class _AddressRefused(OSError):
    """Raised where a connection is made; always with the same words, so that several of them stay this class."""


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error.os_error, _AddressRefused):
        return "ADDRESS_NOT_ALLOWED"
    return "TLS_FAILED" if isinstance(error, aiohttp.ClientSSLError) else "CONNECTION_FAILED"


def is_public(address: Address) -> bool:
    """Whether the address is one of the open Internet's, by IANA's special-purpose registries.

    One that holds an IPv4 address (mapped, NAT64, 6to4) is not: what it leads to depends on the network.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_UNICAST)
