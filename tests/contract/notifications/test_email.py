"""E-mail: what arrives, in which language, how often, and what a mail server's refusals lead to."""

import asyncio
import os
import signal
import ssl
import uuid
from pathlib import Path
from typing import Any

import pytest

from dabir.formats.notices import EventType
from dabir.formats.statement import parse_statement
from dabir.notifications.v1 import notifications_pb2 as pb
from tests.contract.harness import refusal, until
from tests.contract.notifications.harness import ACCEPTANCE, Hub, running
from tests.contract.notifications.mailbox import PASSWORD, USER, Mailbox, mailbox
from tests.contract.notifications.receiver import receiving
from tests.contract.notifications.test_crash import start

ADDRESS = "registry@bank.example"


def by(box: Mailbox, **settings: Any) -> dict[str, Any]:
    given = {"smtp_host": "localhost", "smtp_port": box.port, "smtp_security": "none"}
    return given | {"smtp_sender": "notices@dabir.example"} | settings


def tls_of(hub: Hub) -> ssl.SSLContext:
    pair = hub.identities.pair("worker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


async def test_persian_is_written_right_to_left_with_ids_only(hub: Hub) -> None:
    async with mailbox() as box, running(hub, **by(box)) as service:
        made = await service.email(ADDRESS)
        assert (made.secret, made.endpoint.email.language) == ("", pb.LANGUAGE_PERSIAN)
        delivery, told = await hub.delivery(), str(uuid.uuid4())
        await service.notify(delivery, notification_id=told)
        await until(lambda: bool(hub.stated(delivery)))
        [message] = box.messages()
    assert (message["From"], message["To"]) == ("notices@dabir.example", ADDRESS)
    assert message["Subject"] == "دبیر: نامه‌ای در انتظار رسید شماست"
    assert message["Message-ID"] == f"<{told}@dabir.example>"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "fa")
    assert message.get_content_type() == "multipart/alternative"
    plain, html = (part.get_content() for part in message.iter_parts())
    assert '<html lang="fa" dir="rtl">' in html
    assert f'<bdi dir="ltr">{delivery}</bdi>' in html
    assert f"\u2066{delivery}\u2069" in plain
    assert "۱۴۰۵/۰۹/۰۱ ۱۳:۴۴" in plain
    [(event, jws)] = hub.stated(delivery)
    assert (event, parse_statement(jws).events[event].channel) == (ACCEPTANCE, "email")


async def test_english_says_what_happened(hub: Hub) -> None:
    subjects = {
        "delivery.available": "Dabir: a letter waits for your receipt",
        "delivery.reminder": "Dabir: a letter's due is near",
        "delivery.late": "Dabir: a letter's due has passed",
        "delivery.withdrawn": "Dabir: a letter was withdrawn",
        "delivery.recall_asked": "Dabir: a sender asks for a letter back",
        "delivery.recall_answered": "Dabir: a recall was answered",
    }
    assert subjects.keys() == set(EventType)
    async with mailbox() as box, running(hub, **by(box)) as service:
        await service.email(ADDRESS, pb.LANGUAGE_ENGLISH)
        await service.email(ADDRESS, pb.LANGUAGE_PERSIAN)
        delivery = await hub.delivery()
        for event_type in subjects:
            await service.notify(delivery, event_type=event_type)
        await until(lambda: len(box.raw) == 2 * len(subjects))
    messages = box.messages()
    english = [message for message in messages if message["Content-Language"] == "en"]
    assert sorted(message["Subject"] for message in english) == sorted(subjects.values())
    assert len({message["Subject"] for message in messages}) == 2 * len(subjects)
    for message in english:
        plain, html = (part.get_content() for part in message.iter_parts())
        for text in (plain, html):
            assert delivery in text
            assert "2026-11-22 10:14 UTC" in text
        assert '<html lang="en" dir="ltr">' in html


async def test_a_temporary_refusal_is_tried_again_with_the_same_bytes(hub: Hub) -> None:
    box_says = {1: "451 try again later"}
    async with mailbox(data=lambda count: box_says.get(count, "250 OK")) as box, running(hub, **by(box)) as service:
        await service.email(ADDRESS)
        delivery = await hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(hub.rows(b"SELECT FROM notifications.attempt WHERE last_result = 'SMTP_451'")))
        await until(lambda: bool(hub.stated(delivery)))
    assert len(box.raw) == 2
    assert box.raw[0] == box.raw[1]


@pytest.mark.parametrize("command", ["rcpt", "data"])
async def test_a_permanent_refusal_is_the_end(hub: Hub, command: str) -> None:
    async with mailbox(**{command: lambda _count: "550 no such mailbox"}) as box, running(hub, **by(box)) as service:
        await service.email(ADDRESS)
        delivery = await hub.delivery()
        await service.notify(delivery)
        await until(lambda: bool(hub.stated(delivery)))
        assert hub.rows(b"SELECT outcome, tries, last_result FROM notifications.attempt") == [("FAILED", 1, "SMTP_550")]
        assert len(await service.down_links()) == 1
    [(event, jws)] = hub.stated(delivery)
    said = parse_statement(jws).events[event]
    assert (event, said.reason, said.channel) == (f"{ACCEPTANCE}Failure", "SMTP_550", "email")


async def test_a_mail_server_that_is_away_is_no_fault_of_the_endpoint(hub: Hub) -> None:
    async with mailbox() as box:
        pass
    async with running(hub, **by(box)) as service:
        await service.email(ADDRESS)
        delivery = await hub.delivery()
        await service.notify(delivery)
        gone = b"SELECT FROM notifications.attempt WHERE last_result = 'CONNECTION_FAILED' AND outcome IS NULL"
        await until(lambda: bool(hub.rows(gone)))
        assert await service.down_links() == []
        async with mailbox(port=box.port):
            await until(lambda: bool(hub.stated(delivery)))
    assert [event for event, _ in hub.stated(delivery)] == [ACCEPTANCE]


async def test_a_mail_server_that_hangs_costs_webhooks_nothing(hub: Hub) -> None:
    never = asyncio.Event()

    async def hang() -> str:
        await never.wait()
        return "250 OK"

    async with mailbox(data=lambda _count: hang()) as box, receiving() as receiver:
        async with running(hub, emails_at_once=16, webhooks_at_once=4, **by(box)) as service:
            await service.email(ADDRESS, pb.LANGUAGE_ENGLISH, "delivery.late")
            await service.endpoint(receiver, "delivery.available")
            delivery = await hub.delivery()
            for _ in range(10):
                await service.notify(delivery, event_type="delivery.late")
            await until(lambda: box.datas == 2)
            await service.notify(delivery)
            await until(lambda: bool(hub.stated(delivery)))
            assert box.datas == 2
            never.set()
            await until(lambda: len({message["Message-ID"] for message in box.messages()}) == 10)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_over_tls_with_a_login(hub: Hub, tmp_path: Path, security: str) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    async with mailbox(tls=tls_of(hub), implicit_tls=security == "tls", login=True) as box:
        settings = by(
            box,
            smtp_security=security,
            smtp_tls_roots=hub.identities.pki.root,
            smtp_username=USER,
            smtp_password_file=password,
        )
        async with running(hub, **settings) as service:
            await service.email(ADDRESS)
            await service.notify(await hub.delivery())
            await until(lambda: bool(box.raw))
    assert box.logins == [USER]


async def test_a_wrong_password_is_the_hubs_fault_and_retried(hub: Hub, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("another")
    async with mailbox(tls=tls_of(hub), login=True) as box:
        roots = hub.identities.pki.root
        login = {"smtp_username": USER, "smtp_password_file": password}
        async with running(hub, **by(box, smtp_security="starttls", smtp_tls_roots=roots, **login)) as service:
            await service.email(ADDRESS)
            await service.notify(await hub.delivery())
            waits = b"SELECT FROM notifications.attempt WHERE last_result = 'SMTP_535' AND outcome IS NULL"
            await until(lambda: bool(hub.rows(waits)))
            assert await service.down_links() == []
    assert box.raw == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_cannot_prove_who_it_is_gets_nothing(hub: Hub, security: str) -> None:
    async with mailbox(tls=tls_of(hub), implicit_tls=security == "tls") as box:
        async with running(hub, **by(box, smtp_security=security)) as service:  # the machine does not trust our CA
            await service.email(ADDRESS)
            await service.notify(await hub.delivery())
            failed = b"SELECT FROM notifications.attempt WHERE last_result = 'TLS_FAILED'"
            await until(lambda: bool(hub.rows(failed)))
    assert box.raw == []


async def test_a_server_without_starttls_gets_nothing(hub: Hub) -> None:
    async with mailbox() as box, running(hub, **by(box, smtp_security="starttls")) as service:
        await service.email(ADDRESS)
        await service.notify(await hub.delivery())
        await until(lambda: bool(hub.rows(b"SELECT FROM notifications.attempt WHERE last_result = 'SMTP_UNSUPPORTED'")))
    assert box.raw == []


NO_ADDRESSES = [
    "",
    "registry",
    "@bank.example",
    "registry@",
    "registry@bank",
    "registry@bank.example\r\nBcc: all@bank.example",
    "registry@bank.example\n",
    "registry@bank.example, all@bank.example",
    "registry@bank.example all@bank.example",
    "Registry <registry@bank.example>",
    '"a b"@bank.example',
    "registry@[127.0.0.1]",
    "registry@-bank.example",
    "registry@bank..example",
    ".registry@bank.example",
    "دبیرخانه@bank.example",
    "registry@بانک.example",
    f"{'x' * 65}@bank.example",
    f"registry@{'x' * 64}.example",
    "=?utf-8?q?a?=@bank.example",
    "registry@127.0.0.1",
    "registry@1.2",
    "root@localhost.localdomain",
    "root@bank.localhost",
    "root@bank.local",
    "root%localhost@bank.example",
    "relay!root@bank.example",
    "root@metadata.google.INTERNAL",
]


async def test_what_is_no_address_is_refused(hub: Hub) -> None:
    async with mailbox() as box, running(hub, delivering=False, **by(box)) as service:
        for address in NO_ADDRESSES:
            refused = await refusal(service.email(address))
            assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "EMAIL_NOT_ALLOWED"), address
            assert refused.fields == ["email.address"]
    assert hub.rows(b"SELECT FROM notifications.endpoint") == []


async def test_what_makes_no_sense_is_refused(hub: Hub) -> None:
    async with running(hub) as service:
        refused = await refusal(service.email(ADDRESS))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "EMAIL_NOT_OFFERED")
    async with mailbox() as box, running(hub, delivering=False, **by(box)) as service:
        assert (await refusal(service.email(ADDRESS, url="https://hooks.bank.example/"))).reason == "ENDPOINT_INVALID"
        assert (await refusal(service.create(""))).reason == "ENDPOINT_INVALID"
        assert (await refusal(service.email(f"{'x' * 255}@bank.example"))).reason == "REQUEST_INVALID"
        assert (await refusal(service.email(ADDRESS, 9))).reason == "REQUEST_INVALID"  # type: ignore[arg-type]  # on purpose
        assert hub.rows(b"SELECT FROM notifications.endpoint") == []
        made = await service.email(ADDRESS)
        request = pb.RotateEndpointSecretRequest(name=made.endpoint.name, request_id=str(uuid.uuid4()))
        refused = await refusal((await service.stub("bank")).RotateEndpointSecret(request, timeout=30))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "ENDPOINT_HAS_NO_SECRET")


async def test_what_was_sent_and_not_recorded_is_sent_again_under_the_same_message_id(hub: Hub, tmp_path: Path) -> None:
    held = asyncio.Event()

    async def hold() -> str:
        await held.wait()
        return "250 OK"

    async with mailbox(data=lambda count: hold() if count == 1 else "250 OK") as box:
        settings = by(box, smtp_timeout_seconds=1.0)
        delivery = await hub.delivery()
        process = await start(hub, tmp_path, **settings)
        try:
            async with running(hub, delivering=False, **settings) as service:
                await service.email(ADDRESS)
                assert await service.notify(delivery) == 1
            await until(lambda: box.datas == 1)
            os.kill(process.pid, signal.SIGKILL)
        finally:
            await process.wait()
        held.set()
        process = await start(hub, tmp_path, **settings)
        try:
            await until(lambda: bool(hub.stated(delivery)))
        finally:
            process.terminate()
            assert await process.wait() == 0
    assert len(box.raw) == 2
    assert box.raw[0] == box.raw[1]
    assert [event for event, _ in hub.stated(delivery)] == [ACCEPTANCE]
