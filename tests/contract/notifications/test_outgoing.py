"""The guarded client: where it goes, and what it does not do."""

import asyncio
import contextlib
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.runtime.config import StartRefused
from services.runtime.outgoing import Outgoing, OutgoingFailed, is_public
from tests.contract.harness import Identities
from tests.contract.notifications.receiver import receiving

# What it is, how a URL says it, and what the name leads to (none: an address, or the machine's own look-up decides).
NOT_REACHED: list[tuple[str, str, tuple[str, ...]]] = [
    ("unspecified", "0.0.0.0", ()),  # noqa: S104 - nothing is bound
    ("this network", "0.1.2.3", ()),
    ("private 10", "10.1.2.3", ()),
    ("private 172.16", "172.31.255.255", ()),
    ("private 192.168", "192.168.1.1", ()),
    ("carriers' NAT", "100.64.0.1", ()),
    ("metadata inside carriers' NAT", "100.100.100.200", ()),
    ("loopback", "127.0.0.1", ()),
    ("loopback, another", "127.255.255.254", ()),
    ("link-local", "169.254.1.1", ()),
    ("clouds' metadata", "169.254.169.254", ()),
    ("Azure's wire server", "168.63.129.16", ()),
    ("protocol assignments", "192.0.0.1", ()),
    ("protocol assignments, a metadata service", "192.0.0.192", ()),
    ("documentation 1", "192.0.2.1", ()),
    ("documentation 2", "198.51.100.1", ()),
    ("documentation 3", "203.0.113.1", ()),
    ("AS112", "192.31.196.1", ()),
    ("AS112, direct", "192.175.48.1", ()),
    ("AMT", "192.52.193.1", ()),
    ("6to4 relay", "192.88.99.1", ()),
    ("benchmarks", "198.19.255.255", ()),
    ("multicast", "224.0.0.1", ()),
    ("multicast, organisation", "239.255.255.250", ()),
    ("reserved", "240.0.0.1", ()),
    ("broadcast", "255.255.255.255", ()),
    ("IPv6 unspecified", "[::]", ()),
    ("IPv6 loopback", "[::1]", ()),
    ("IPv6 loopback, in full", "[0000:0000:0000:0000:0000:0000:0000:0001]", ()),
    ("IPv4-mapped loopback", "[::ffff:127.0.0.1]", ()),
    ("IPv4-mapped, in hexadecimal", "[::ffff:7f00:1]", ()),
    ("IPv4-mapped public", "[::ffff:8.8.8.8]", ()),
    ("IPv4-compatible", "[::127.0.0.1]", ()),
    ("IPv4-translated", "[::ffff:0:127.0.0.1]", ()),
    ("NAT64", "[64:ff9b::7f00:1]", ()),
    ("NAT64 of a public address", "[64:ff9b::808:808]", ()),
    ("NAT64, local use", "[64:ff9b:1::a00:1]", ()),
    ("6to4 of loopback", "[2002:7f00:1::1]", ()),
    ("Teredo", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", ()),
    ("ORCHIDv2", "[2001:20::1]", ()),
    ("IPv6 benchmarks", "[2001:2::1]", ()),
    ("IPv6 documentation", "[2001:db8::1]", ()),
    ("IPv6 documentation, new", "[3fff::1]", ()),
    ("IPv6 discard", "[100::1]", ()),
    ("IPv6 AS112", "[2620:4f:8000::42]", ()),
    ("segment routing", "[5f00::1]", ()),
    ("ULA", "[fc00::1]", ()),
    ("ULA, a metadata service", "[fd00:ec2::254]", ()),
    ("IPv6 link-local", "[fe80::1]", ()),
    ("IPv6 link-local with a zone", "[fe80::1%25lo]", ()),
    ("IPv6 loopback with a zone", "[::1%25lo]", ()),
    ("IPv6 site-local, deprecated", "[fec0::1]", ()),
    ("IPv6 multicast", "[ff02::1]", ()),
    ("decimal", "2130706433", ()),
    ("octal, one number", "017700000001", ()),
    ("octal, dotted", "0177.0.0.1", ()),
    ("hexadecimal, one number", "0x7f000001", ()),
    ("hexadecimal, dotted", "0x7f.1", ()),
    ("short", "127.1", ()),
    ("zero", "0", ()),
    ("full-width digits", "\uff11\uff12\uff17.0.0.1", ()),
    ("ideographic full stops", "127\u30020\u30020\u30021", ()),
    ("address with a trailing dot", "127.0.0.1.", ()),
    ("localhost", "localhost", ()),
    ("user and password before an address", "user:secret@127.0.0.1", ()),
    ("user before a public address", "user@8.8.8.8", ()),
    ("name of loopback", "hooks.bank.example", ("127.0.0.1",)),
    ("name of loopback, trailing dot", "hooks.bank.example.", ("127.0.0.1",)),
    ("name of IPv6 loopback", "hooks.bank.example", ("::1",)),
    ("name of a mapped address", "hooks.bank.example", ("::ffff:10.0.0.1",)),
    ("name of a link-local address with a zone", "hooks.bank.example", ("fe80::1%lo",)),
    ("name of the metadata service", "metadata.google.internal", ("169.254.169.254",)),
    ("one private of several", "hooks.bank.example", ("8.8.8.8", "1.1.1.1", "10.0.0.1")),
    ("one private of both families", "hooks.bank.example", ("2606:4700::1111", "8.8.8.8", "fd00::1")),
]


def outgoing(*allowed: str, **how: Any) -> Outgoing:
    given: dict[str, Any] = {"timeout_seconds": 5.0, "connect_seconds": 2.0, "at_once": 4}
    return Outgoing(allowed_networks=allowed, **(given | how))


class Names:
    """A look-up of the test's own: each name's answers in turn, the last for ever."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, int]]()

    def __call__(self, host: str, port: int) -> tuple[str, ...]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def failure(client: Outgoing, url: str) -> str:
    async with client:
        with pytest.raises(OutgoingFailed) as caught:
            await client.post(url, b"{}", {})
    return caught.value.reason


@pytest.mark.parametrize(("host", "leads_to"), [row[1:] for row in NOT_REACHED], ids=[row[0] for row in NOT_REACHED])
async def test_is_not_reached(host: str, leads_to: tuple[str, ...]) -> None:
    for scheme in ("https", "http"):
        client = outgoing(resolve=Names(leads_to)) if leads_to else outgoing()
        assert await failure(client, f"{scheme}://{host}:9/hook") == "ADDRESS_NOT_ALLOWED"


def test_the_table_is_long_and_says_each_once() -> None:
    assert len({name for name, *_ in NOT_REACHED}) == len(NOT_REACHED) >= 40


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2a00:1450:4001:80b::200e", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_listens_on_this_machine_hears_nothing(scheme: str, host: str) -> None:
    heard = asyncio.Event()
    server = await asyncio.start_server(lambda _reader, _writer: heard.set(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await failure(outgoing(), f"{scheme}://{host}:{port}/hook") == "ADDRESS_NOT_ALLOWED"
    assert not heard.is_set()


async def test_an_allowed_network_is_reached_and_no_other() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with outgoing("127.0.0.0/8") as client:
            got = await client.post(url, b"{}", {})
        assert (got.status, got.retry_after) == (204, "7")
        assert await failure(outgoing("10.0.0.0/8"), url) == "ADDRESS_NOT_ALLOWED"
    finally:
        await runner.cleanup()


async def test_a_url_that_cannot_be_read_fails_for_ever() -> None:
    assert await failure(outgoing(), "https://[::1]x:1/") == "URL_INVALID"


async def test_only_the_ports_named_are_called() -> None:
    names = Names(("127.0.0.1",))
    async with receiving(verify=False) as receiver:
        url = f"http://hooks.bank.example:{receiver.port}/hook"
        assert await failure(outgoing("127.0.0.0/8", resolve=names, ports=[443]), url) == "ADDRESS_NOT_ALLOWED"
        async with outgoing("127.0.0.0/8", resolve=names, ports=[receiver.port]) as client:
            assert (await client.post(url, b"{}", {})).status == 200
    assert len(receiver.requests) == 1


async def test_plain_http_does_not_go_to_the_internet() -> None:
    assert await failure(outgoing("127.0.0.0/8"), "http://8.8.8.8/") == "ADDRESS_NOT_ALLOWED"


@pytest.mark.parametrize("answers", [("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("127.0.0.1", "::1")])
async def test_a_name_of_which_one_address_is_refused_is_not_called_at_all(answers: tuple[str, ...]) -> None:
    async with receiving(verify=False) as receiver:
        client = outgoing("127.0.0.1/32", resolve=Names(answers))
        url = f"http://hooks.bank.example:{receiver.port}/hook"
        assert await failure(client, url) == "ADDRESS_NOT_ALLOWED"
    assert receiver.requests == []


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """Rebinding: a second look-up would lead elsewhere; there is none."""
    names = Names(("127.0.0.1",), ("127.0.0.2",))
    async with receiving() as receiver, outgoing("127.0.0.1/32", resolve=names) as client:
        receiver.verify = False
        url = f"http://hooks.bank.example:{receiver.port}/hook"
        assert (await client.post(url, b"{}", {})).status == 200
        assert names.asked == [("hooks.bank.example", receiver.port)]
    assert receiver.hosts == [f"hooks.bank.example:{receiver.port}"]
    assert await failure(outgoing("127.0.0.1/32", resolve=names), url) == "ADDRESS_NOT_ALLOWED"
    assert len(names.asked) == 2


async def test_the_server_name_stays_the_urls_and_its_certificate_is_checked(identities: Identities) -> None:
    pair, seen = identities.pair("worker"), list[str | None]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    names = Names(("127.0.0.1",))
    async with receiving(tls=context) as receiver:
        receiver.verify = False
        roots = identities.pki.root
        async with outgoing("127.0.0.0/8", resolve=names, tls_roots=roots) as client:
            assert (await client.post(f"https://localhost:{receiver.port}/hook", b"{}", {})).status == 200
        url = f"https://hooks.bank.example:{receiver.port}/hook"
        assert await failure(outgoing("127.0.0.0/8", resolve=names, tls_roots=roots), url) == "TLS_FAILED"
        assert await failure(outgoing("127.0.0.0/8", resolve=names), url) == "TLS_FAILED"
    assert seen == ["localhost", "hooks.bank.example", "hooks.bank.example"]


def test_roots_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("none")
    for file in ("roots.pem", "missing.pem"):
        with pytest.raises(StartRefused, match=file):
            outgoing(tls_roots=tmp_path / file)


async def test_of_an_answer_no_more_than_a_little_is_taken() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 1_000_000_000:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with outgoing("127.0.0.0/8") as client:
            assert (await client.post(url, b"{}", {})).status == 200
    assert sent < 50_000_000


async def test_an_answer_that_never_ends_is_given_up() -> None:
    released = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not released.is_set():
            writer.write(b"x-more: y\r\n")
            await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reason = await failure(outgoing("127.0.0.0/8", timeout_seconds=0.5), f"http://127.0.0.1:{port}/")
        released.set()
    assert reason in ("TIMEOUT", "ANSWER_INVALID")


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-many: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["no HTTP", "a long header", "many headers"],
)
async def test_what_is_not_http_is_a_failure(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await failure(outgoing("127.0.0.0/8"), f"http://127.0.0.1:{port}/") == "ANSWER_INVALID"
