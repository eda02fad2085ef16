"""The channel of e-mail by itself, against a real mail server: what comes of a message, whatever comes after it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.notifications.domain.tries import Result
from services.notifications.mail import Mail
from tests.contract.harness import DEADLINE_SECONDS
from tests.contract.notifications.mailbox import Mailbox, mailbox
from tests.unit.notifications.test_config import MAIL, load
from tests.unit.notifications.test_domain import notification
from tests.unit.notifications.test_places import endpoint


async def send(box: Mailbox, address: str = "registry@bank.example", **settings: float) -> Result:
    config = load(**MAIL | {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_security": "none"} | settings)
    return await Mail(config).send(replace(endpoint(email=True), email_address=address), notification(), keep_nothing)


def keep_nothing(_lookup: asyncio.Future[Any]) -> None:
    raise AssertionError("mail looks up no name of a body's")


async def test_what_the_server_has_taken_has_arrived_though_it_never_answers_quit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its QUIT may take longer than all of the message was allowed to: nothing waits for it without end."""
    monkeypatch.setattr("services.notifications.mail._QUIT_SECONDS", 1.1)
    never = asyncio.Event()
    async with mailbox(quit=never) as box:
        async with asyncio.timeout(DEADLINE_SECONDS):
            result = await send(box, smtp_timeout_seconds=1.0)
        never.set()
    assert (result, len(box.raw)) == (Result("SMTP_250", arrived=True), 1)


async def test_a_refusal_stands_though_the_server_never_answers_quit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifications.mail._QUIT_SECONDS", 0.05)
    never = asyncio.Event()
    async with mailbox(quit=never, rcpt=lambda _count: "550 no such mailbox") as box:
        assert await send(box) == Result("SMTP_550", final=True)
        never.set()


async def test_a_server_that_hangs_is_not_waited_for_at_quit_either() -> None:
    never = asyncio.Event()

    async def hang() -> str:
        await never.wait()
        return "250 OK"

    async with mailbox(data=lambda _count: hang(), quit=never) as box:
        assert await send(box, smtp_timeout_seconds=0.2) == Result("TIMEOUT", blameless=True)
        never.set()


@pytest.mark.parametrize("address", ["@", "registry", "a@b.example\r\nBcc: c@d.example", "=?utf-8?q?a?=@bank.example"])
async def test_an_address_that_cannot_stand_in_a_header_fails_for_ever(address: str) -> None:
    async with mailbox() as box:
        assert await send(box, address) == Result("ADDRESS_INVALID", final=True)
    assert box.rcpts == 0
