"""The channel of e-mail: one message, in the language its reader chose, by the hub's own mail server (RFC 5321)."""

import asyncio
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import jinja2

from dabir.formats.calendar import format_date, time_zone
from dabir.formats.persian import persian_digits
from services.notifications.config import NotificationsConfig
from services.notifications.domain import mail
from services.notifications.domain.endpoint import PERSIAN, Endpoint, is_email_address
from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result
from services.notifications.places import Keep
from services.runtime.config import StartRefused

_TEMPLATES = Path(__file__).with_name("templates")
_QUIT_SECONDS = 1.0
_ZONE = "Asia/Tehran"
"""Whose wall clock a Persian text tells."""


class Mail:
    """Raises StartRefused when a file of the settings cannot be used."""

    def __init__(self, config: NotificationsConfig) -> None:
        self._config, self.at_once = config, config.emails_at_once
        self._texts = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=jinja2.select_autoescape(["html"]),
            undefined=jinja2.StrictUndefined,
        )
        try:
            self._tls = ssl.create_default_context(cafile=config.smtp_tls_roots)
            file = config.smtp_password_file
            self._password = None if file is None else file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise StartRefused(f"smtp_tls_roots or smtp_password_file cannot be used: {error}.") from error

    async def send(self, endpoint: Endpoint, notification: Notification, _keep: Keep, /) -> Result:
        """What is wrong with the mail server and not with the recipient is blameless: it would be so for everyone.

        The one name that is looked up is the hub's own mail server's.
        """
        if not is_email_address(endpoint.email_address or ""):  # of a release that took more
            return Result("ADDRESS_INVALID", final=True)
        client = self._client()
        try:
            async with asyncio.timeout(self._config.smtp_timeout_seconds):
                result = await self._deliver(client, endpoint.email_address or "", self._write(endpoint, notification))
        except ssl.SSLError:
            return Result("TLS_FAILED", blameless=True)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Result("TIMEOUT", blameless=True)
        except aiosmtplib.SMTPResponseException as refusal:
            return mail.refused(refusal.code, blameless=True)
        except OSError as error:
            # aiosmtplib wraps what went wrong in the handshake.
            is_tls = isinstance(error.__cause__, ssl.SSLError)
            return Result("TLS_FAILED" if is_tls else "CONNECTION_FAILED", blameless=True)
        except aiosmtplib.SMTPException:
            return Result("SMTP_UNSUPPORTED", blameless=True)
        else:
            with suppress(aiosmtplib.SMTPException, OSError):  # what came of it is known, however we part
                await client.quit(timeout=_QUIT_SECONDS)
            return result
        finally:
            client.close()

    def _write(self, endpoint: Endpoint, notification: Notification) -> EmailMessage:
        language = endpoint.email_language or PERSIAN
        at = notification.occurred_at
        if language == PERSIAN:
            clock = persian_digits(at.astimezone(time_zone(_ZONE)).strftime("%H:%M"))
            happened = f"{format_date(at, 'JALALI', _ZONE)} {clock}"
        else:
            happened = at.strftime("%Y-%m-%d %H:%M UTC")
        values = {"notification": notification, "happened": happened}
        subject, plain, html = (
            self._texts.get_template(f"{language}.{kind}").render(values) for kind in ("subject", "txt", "html")
        )
        return mail.message(
            notification,
            sender=self._config.smtp_sender,
            recipient=endpoint.email_address or "",
            language=language,
            subject=subject,
            plain=plain,
            html=html,
        )

    def _client(self) -> aiosmtplib.SMTP:
        config = self._config
        return aiosmtplib.SMTP(
            hostname=config.smtp_host,
            port=config.smtp_port,
            local_hostname=config.smtp_sender.rpartition("@")[2],
            use_tls=config.smtp_security == "tls",
            start_tls=config.smtp_security == "starttls",
            tls_context=None if config.smtp_security == "none" else self._tls,
            timeout=config.smtp_timeout_seconds,
        )

    async def _deliver(self, client: aiosmtplib.SMTP, recipient: str, message: EmailMessage) -> Result:
        config = self._config
        try:
            await client.connect()
            if self._password is not None:
                await client.login(config.smtp_username, self._password)
            await client.sendmail(config.smtp_sender, [recipient], message.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            return mail.refused(refusal.recipients[0].code)
        except aiosmtplib.SMTPDataError as refusal:
            return mail.refused(refusal.code)
        return Result("SMTP_250", arrived=True)
