"""A mail server of the test's own: real SMTP on a free port, which takes what comes or says what the test says."""

import asyncio
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "dabir", "a password"


@dataclass
class Mailbox:
    """`rcpt` and `data` say what the n-th command of this kind (from 1) gets."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    login: bool = False
    rcpt: Callable[[int], str] = lambda _count: "250 OK"
    data: Callable[[int], Any] = lambda _count: "250 OK"
    quit: asyncio.Event | None = None
    """A QUIT is answered when it is set; None: at once."""
    rcpts: int = 0
    datas: int = 0
    raw: list[bytes] = field(default_factory=list)
    """What was sent as data, refused too."""
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - named by the library
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.rcpts += 1
        said = self.rcpt(self.rcpts)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        self.datas += 1
        content = envelope.original_content
        assert isinstance(content, bytes)
        self.raw.append(content)
        said = self.data(self.datas)
        return str(await said if asyncio.iscoroutine(said) else said)

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.quit is not None:
            await self.quit.wait()
        return "221 Bye"

    def messages(self) -> list[EmailMessage]:
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw]

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append(given.login.decode())
        right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=right)  # what is not handled the server refuses with 535


@asynccontextmanager
async def mailbox(**how: Any) -> AsyncIterator[Mailbox]:
    """A mail server on the loopback."""
    box = Mailbox(**how)
    starttls = None if box.implicit_tls else box.tls

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a login is offered without STARTTLS: where TLS is there already
            return SMTP(
                box,
                hostname="mail.example",
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=box.login,
                auth_require_tls=False,
                authenticator=box.authenticate if box.login else None,
            )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", box.port, ssl=box.tls if box.implicit_tls else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
