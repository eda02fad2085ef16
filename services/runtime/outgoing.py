"""The one client for requests to addresses that somebody else chose: it reaches no machine it must not reach.

    async with Outgoing(allowed_networks=config.outgoing_allowed_networks, …) as outgoing:
        answer = await outgoing.post(url, body, headers)

A name is resolved once; unless every address it leads to may be reached, none is. To one of the addresses judged the
connection goes, with the server name (SNI) and the certificate check of the URL's. Redirects are an answer like any
other and are not followed.

Names are looked up as the machine does it (`getaddrinfo`: /etc/hosts, nsswitch.conf), each in a thread. Who owns a name
decides how long that takes, and nothing ends it: a look-up that was given up still goes on, and `OutgoingFailed` holds
it, so that whoever sends can count it. Not c-ares (aiodns, pycares), which could be ended: it reads /etc/hosts, but no
other source that nsswitch.conf may name (mDNS, a directory), and is one more parser, in C, of what strangers answer.
"""

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.runtime.config import StartRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Collection[str]]
"""Host and port → addresses as text; called in a thread, which it may hold. Raises OSError."""
Lookup = asyncio.Future[Collection[str]]
"""Done when its thread is free."""

HEADER_MAX_BYTES = 8190
"""Of one header line of an answer."""
HEADERS_MAX = 128
"""Of an answer."""

_lookups: ContextVar[list[Lookup]] = ContextVar("lookups")
"""What the `post` of this context has looked up."""
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# What IANA's special-purpose registries list, whether it could be routed or not: nobody receives webhooks there.
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared, of carriers' NAT; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's wire server: public in number only
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; some clouds' metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments with Teredo and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]


class OutgoingFailed(Exception):
    """No answer came.

    `reason`: URL_INVALID (for ever), ADDRESS_NOT_ALLOWED, TIMEOUT, TLS_FAILED, CONNECTION_FAILED or ANSWER_INVALID.
    `lookup`: of the URL's name, if it still goes on.
    """

    def __init__(self, reason: str, lookup: Lookup | None = None) -> None:
        super().__init__(reason)
        self.reason, self.lookup = reason, lookup


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
        self,
        *,
        allowed_networks: Collection[str],
        timeout_seconds: float,
        connect_seconds: float,
        at_once: int,
        ports: Collection[int] | None = None,
        tls_roots: Path | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """`ports`: that may be called; None: any. `tls_roots`: PEM; None: whom the machine trusts. `resolve`: None: as
        the machine does.

        Raises ValueError when a network is none, StartRefused when the roots cannot be used.
        """
        self._allowed = [ipaddress.ip_network(network) for network in allowed_networks]
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._at_once, self._ports = at_once, ports
        self._resolve = resolve or _ask_the_machine
        self._under_way: set[Lookup] = set()
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        try:
            self._tls = ssl.create_default_context(cafile=tls_roots)
        except OSError as error:
            raise StartRefused(f"The certificates in {tls_roots} cannot be used: {error}.") from error

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
        for lookup in tuple(self._under_way):
            lookup.cancel()  # its thread ends by itself, perhaps after the loop

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body`. Raises OutgoingFailed, KeyError for a scheme that is neither https nor http."""
        try:
            target = URL(url)
        except ValueError as error:
            raise OutgoingFailed("URL_INVALID") from error
        session = self._sessions[target.scheme]
        has_credentials = target.user is not None or target.password is not None  # would be sent as a header
        if has_credentials or (self._ports is not None and target.port not in self._ports):
            raise OutgoingFailed("ADDRESS_NOT_ALLOWED")
        lookups = list[Lookup]()
        _lookups.set(lookups)
        try:
            async with session.post(target, data=body, headers=headers, allow_redirects=False) as answer:
                return Answer(answer.status, answer.headers.get("Retry-After", ""))
        except aiohttp.InvalidURL as error:  # an address spelled in another way: 127.1, 0x7f000001
            raise OutgoingFailed("ADDRESS_NOT_ALLOWED") from error
        except TimeoutError as error:
            raise OutgoingFailed("TIMEOUT", next((one for one in lookups if not one.done()), None)) from error
        except aiohttp.ClientConnectorError as error:
            raise OutgoingFailed(_why_not_connected(error)) from error
        except aiohttp.ClientConnectionError as error:
            raise OutgoingFailed("CONNECTION_FAILED") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise OutgoingFailed("ANSWER_INVALID") from error

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)

    async def _look_up(self, host: str, port: int) -> Collection[str]:
        lookup = asyncio.wrap_future(_in_a_thread(self._resolve, host, port))
        self._under_way.add(lookup)
        lookup.add_done_callback(self._looked_up)
        _lookups.get().append(lookup)
        await asyncio.wait([lookup])  # which may be given up, and the look-up is not
        return lookup.result()

    def _looked_up(self, lookup: Lookup) -> None:
        self._under_way.discard(lookup)
        if not lookup.cancelled():
            lookup.exception()  # nobody's, if it was given up

    def _session(self, may_reach: Callable[[Address], bool]) -> aiohttp.ClientSession:
        def dial(chosen: Any) -> socket.socket:
            """Asked for each connection, an address given as one included."""
            family, kind, protocol, _, where = chosen
            check(where[0])
            return socket.socket(family, kind, protocol)

        def check(address: str) -> None:
            if not may_reach(ipaddress.ip_address(address.partition("%")[0])):
                raise _AddressRefused("the address is not allowed")

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=dial,
                resolver=_Resolver(self._look_up, check),
                limit=self._at_once,
                use_dns_cache=False,
                ssl=self._tls,
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=HEADER_MAX_BYTES,
            max_field_size=HEADER_MAX_BYTES,
            max_headers=HEADERS_MAX,
        )


class _Resolver(AbstractResolver):
    """Asks once, and gives what was found only if all of it may be reached: any of it may then be dialled."""

    def __init__(self, look_up: Callable[[str, int], Awaitable[Collection[str]]], check: Callable[[str], None]) -> None:
        self._look_up, self._check = look_up, check

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = list(dict.fromkeys(await self._look_up(host, port)))
        for address in found:
            self._check(address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _ask_the_machine(host: str, port: int) -> Collection[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _in_a_thread(resolve: Resolve, host: str, port: int) -> Future[Collection[str]]:
    """A daemon's: an executor's threads are waited for when the process ends, and a name may hang for a minute."""
    found: Future[Collection[str]] = Future()
    found.set_running_or_notify_cancel()

    def ask() -> None:
        try:
            found.set_result(resolve(host, port))
        except Exception as error:
            found.set_exception(error)

    try:
        threading.Thread(target=ask, name="resolve", daemon=True).start()
    except RuntimeError as error:  # the machine has no thread left: for once, and not for the name
        found.set_exception(OSError(str(error)))
    return found


class _AddressRefused(OSError):
    """Raised where a connection is made; always with the same words, so that several of them stay this class."""


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error.os_error, _AddressRefused):
        return "ADDRESS_NOT_ALLOWED"
    return "TLS_FAILED" if isinstance(error, aiohttp.ClientSSLError) else "CONNECTION_FAILED"


def is_public(address: Address) -> bool:
    """Whether the address is one of the open Internet's, by IANA's special-purpose registries.

    One that holds an IPv4 address (mapped, NAT64, 6to4, Teredo) is not: what it leads to depends on the network.
    """
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _SPECIAL)
