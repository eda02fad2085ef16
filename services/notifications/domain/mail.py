"""An e-mail's headers and parts (RFC 5322, RFC 2046): the same bytes at every try, ids and never content."""

import email.policy
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from services.notifications.domain.notification import Notification
from services.notifications.domain.tries import Result

_PERMANENT = 500


def message_id(notification: Notification, sender: str) -> str:
    """The same for every try and every replay of a notification, so that a mailbox can tell that it is one."""
    return f"<{notification.id}@{sender.rpartition('@')[2]}>"


def message(
    notification: Notification, *, sender: str, recipient: str, language: str, subject: str, plain: str, html: str
) -> EmailMessage:
    """`sender`, `recipient`: checked addresses. Raises ValueError for a line break in any of what becomes a header."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = Address(addr_spec=sender)
    made["To"] = Address(addr_spec=recipient)
    made["Subject"] = subject
    made["Date"] = format_datetime(notification.occurred_at.astimezone(UTC))
    made["Message-ID"] = message_id(notification, sender)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note answers it
    made.set_content(plain)
    made.add_alternative(html, subtype="html")
    made["Content-Language"] = language  # of all parts: given earlier, it would move into the first
    made.set_boundary(f"={notification.id.hex}=")  # drawn by chance otherwise
    return made


def refused(code: int, *, blameless: bool = False) -> Result:
    """What a mail server's refusal means (RFC 5321 section 4.2.1): 5yz for ever, 4yz for now.

    `blameless`: it was not said of the recipient or the message, but of the hub.
    """
    return Result(f"SMTP_{code}", final=code >= _PERMANENT and not blameless, blameless=blameless)
