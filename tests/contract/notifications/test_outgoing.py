"""The guarded client: where it goes, and what it does not do."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from aiohttp import web

from services.runtime.outgoing import Outgoing, OutgoingFailed, is_public
from tests.contract.notifications.receiver import receiving

SPECIAL = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1 192.168.1.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 64:ff9b::7f00:1
    64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1
""".split()  # noqa: SIM905 - one per line is not read


def outgoing(*allowed: str, timeout_seconds: float = 5.0) -> Outgoing:
    return Outgoing(allowed_networks=allowed, timeout_seconds=timeout_seconds, connect_seconds=2.0, at_once=4)


async def failure(client: Outgoing, url: str) -> str:
    async with client:
        with pytest.raises(OutgoingFailed) as caught:
            await client.post(url, b"{}", {})
    return caught.value.reason


@pytest.mark.parametrize(
    "address",
    SPECIAL,
)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2a00:1450:4001:80b::200e", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_is_not_reached_however_it_is_spelled(scheme: str, host: str) -> None:
    async with receiving() as receiver:
        reason = await failure(outgoing(), f"{scheme}://{host}:{receiver.port}/hook")
    assert reason == "ADDRESS_NOT_ALLOWED"
    assert receiver.arrived == []


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


async def test_plain_http_does_not_go_to_the_internet() -> None:
    assert await failure(outgoing("127.0.0.0/8"), "http://8.8.8.8/") == "ADDRESS_NOT_ALLOWED"


async def test_a_name_that_leads_to_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    assert await failure(outgoing(), "https://hooks.bank.example/") == "ADDRESS_NOT_ALLOWED"


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


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 100_000 + b"\r\n\r\n"])
async def test_what_is_not_http_is_a_failure(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await failure(outgoing("127.0.0.0/8"), f"http://127.0.0.1:{port}/") == "ANSWER_INVALID"
