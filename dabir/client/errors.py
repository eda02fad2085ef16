"""What can go wrong for a member's system, by what its owner can do about it.

Every error's `str()` is a sentence with what to do; `reason` is the same in UPPER_SNAKE for a program.
"""

from collections.abc import Mapping


class ClientError(Exception):
    """Any of the errors below. `reason` is UPPER_SNAKE."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ProfileError(ClientError):
    """The profile, or a key, certificate or trust folder it names, cannot be used as it is."""


class InputError(ClientError):
    """What was asked for cannot be written as a letter or receipt; nothing was sent."""


class RefusedError(ClientError):
    """The hub understood and said no; the same bytes will get the same answer.

    `code` is the gRPC status code's name, `metadata` the ErrorInfo's, `violations` (field, sentence) pairs.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        code: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[tuple[str, str], ...] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(reason, message)
        self.code = code
        self.metadata = dict(metadata or {})
        self.violations = violations
        self.request_id = request_id


class UnavailableError(ClientError):
    """No answer, or an answer that waiting may change: nothing is lost, the same call may be made again.

    `retry_after_seconds` is None where the hub did not say.
    """

    def __init__(self, reason: str, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after_seconds = retry_after_seconds


class AlarmError(ClientError):
    """Statements that are each proven do not hold together: the hub withheld one, or tells two stories. It is kept in
    the journal, with the statement: it is evidence.
    """


class HeldError(ClientError):
    """The letter was taken in, but one that it changes was not: nothing was done with its content (opening.py)."""


class VerificationError(ClientError):
    """Something that came from the hub does not prove what it says. Keep it: it is evidence."""
