"""Errors that callers see: one class per reason, in each service's `domain`, mapped to the wire by `error_mapping`.

    class BodyNotFound(NotFound):
        reason = "BODY_NOT_FOUND"
        template = "There is no body {body}. ListBodies names those that have joined."
        template_fa = "دستگاه {body} ثبت نشده است. فهرست دستگاه‌ها در ListBodies است."

    raise BodyNotFound(body="bodies/x")                    # the sentence is made from the template
    raise DocumentsRefused("Two documents …", letter=name)  # or given

Nothing here imports grpc: `domain` may import this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with one field of the request: `field` as in `recipients[3].note`, a sentence with what to do."""

    field: str
    description: str


class DabirError(Exception):
    """A refusal or an outage that its caller can understand. Use a subclass of a subclass below, one per reason.

    `code`: the name of a gRPC status code. `reason`: UPPER_SNAKE, stable. `template`: what is wrong and what to do,
    with `{placeholders}` taken from the metadata; `template_fa`: the same in Persian, "" where there is none.
    Metadata reaches the caller: ids and figures, never content.
    """

    code: ClassVar[str] = "INTERNAL"
    reason: ClassVar[str] = ""
    template: ClassVar[str] = ""
    template_fa: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        field_violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        **metadata: object,
    ) -> None:
        if not self.reason:
            raise TypeError(f"{type(self).__name__} has no reason: raise a subclass that has one")
        self.metadata = {key: str(value) for key, value in metadata.items()}
        self.message = message or self.template.format(**self.metadata)
        self.message_fa = self.template_fa.format(**self.metadata)
        self.field_violations = tuple(field_violations)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class InvalidArgument(DabirError):
    """The request itself is wrong; sending it again changes nothing."""

    code = "INVALID_ARGUMENT"


class NotFound(DabirError):
    """There is no such thing, or it is not the caller's: one and the same to the caller."""

    code = "NOT_FOUND"


class AlreadyExists(DabirError):
    """The id stands for something else."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(DabirError):
    """The request is right, but things do not stand so that it could be done."""

    code = "FAILED_PRECONDITION"


class PermissionDenied(DabirError):
    """The caller is known and may not."""

    code = "PERMISSION_DENIED"


class Unauthenticated(DabirError):
    """The caller is not known."""

    code = "UNAUTHENTICATED"


class Unavailable(DabirError):
    """An outage of ours: trying again helps. Nothing was done, or trying again finds what was done."""

    code = "UNAVAILABLE"


class ResourceExhausted(DabirError):
    """A limit was reached."""

    code = "RESOURCE_EXHAUSTED"


class Aborted(DabirError):
    """Another was faster: begin again from what stands now."""

    code = "ABORTED"


class DeadlineExceeded(DabirError):
    """The time given did not do."""

    code = "DEADLINE_EXCEEDED"
