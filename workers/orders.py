"""What an operator may order, and when it makes no sense: refused with a sentence before it is accepted."""

from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from dabir.formats.strict_json import FormatError, check_text
from dabir.intake.v1.internal_service_pb2 import DeliveryPlan
from dabir.notifications.v1.notifications_pb2 import DownLink
from dabir.workflow.v1.letter_pb2 import ResendNotification, RetryNow
from dabir.workflow.v1.link_pb2 import Pause, Resume
from workers.plan import is_asked_for_more
from workers.step import Waiting

OPERATOR_MAX_CHARACTERS = 200
REASON_MAX_CHARACTERS = 500
RATE_MAX_PER_MINUTE = 60_000
"""What ResumeLink takes."""


def check_retry_now(order: RetryNow, waiting: Sequence[Waiting]) -> None:
    """`waiting`: the steps it is about. Raises ApplicationError."""
    _check_operator(order.operator, order.reason)
    if not waiting:
        about = f" about {order.delivery}" if order.delivery else ""
        raise _refused("NOTHING_WAITS", f"Nothing waits to be tried again{about}: see the current details.")


def check_resend_notification(order: ResendNotification, delivery: DeliveryPlan | None) -> None:
    """`delivery`: the one it names, None if the letter has no such. Raises ApplicationError."""
    _check_operator(order.operator, order.reason)
    if delivery is None:
        raise _refused("DELIVERY_NOT_FOUND", "The letter has no such delivery: name one as the current details do.")
    if not is_asked_for_more(delivery):
        raise _refused("NOTHING_EXPECTED", f"Nothing is expected of the recipient of {order.delivery} now.")


def check_pause(order: Pause, link: DownLink, *, up: bool) -> None:
    """`up`: the incident is over. Raises ApplicationError."""
    _check_operator(order.operator, order.reason)
    _check_down(link, up)
    if link.HasField("pause_time"):
        raise _refused("LINK_PAUSED", f"The link of {link.body} is paused already: `Resume` ends that.")


def check_resume(order: Resume, link: DownLink, *, up: bool) -> None:
    """`up`: the incident is over. Raises ApplicationError."""
    _check_operator(order.operator, order.reason)
    if not 0 <= order.rate_per_minute <= RATE_MAX_PER_MINUTE:
        raise _refused(
            "RATE_NOT_ALLOWED",
            f"ratePerMinute is {order.rate_per_minute}: give 1 to {RATE_MAX_PER_MINUTE} notifications a minute, or 0 "
            "for no limit.",
        )
    _check_down(link, up)
    if not link.HasField("pause_time"):
        raise _refused("LINK_NOT_PAUSED", f"The link of {link.body} is not paused: there is nothing to resume.")


def _check_down(link: DownLink, up: bool) -> None:
    if up:
        raise _refused("LINK_UP", f"The link of {link.body} is up: there is nothing to pause or resume.")


def _check_operator(operator: str, reason: str) -> None:
    if not 1 <= len(operator) <= OPERATOR_MAX_CHARACTERS or not 1 <= len(reason) <= REASON_MAX_CHARACTERS:
        raise _refused(
            "OPERATOR_AND_REASON_NEEDED",
            f"Say who asks (operator, 1 to {OPERATOR_MAX_CHARACTERS} characters) and why (reason, 1 to "
            f"{REASON_MAX_CHARACTERS}): both are stated in the ledger.",
        )
    try:
        # As intake checks what it states: refused there, the order would wait in the letter's run for ever.
        check_text(operator, "operator")
        check_text(reason, "reason")
    except FormatError as error:
        raise _refused(error.reason, str(error)) from None


def _refused(reason: str, sentence: str) -> ApplicationError:
    return ApplicationError(sentence, type=reason, non_retryable=True)
