"""What an operator's action must be to be stated."""

from dabir.formats.events import REASON_CODE
from services.intake.domain.errors import ActionNotACode


def action(given: str) -> str:
    """The action as statements write it, UPPER_SNAKE. Raises ActionNotACode."""
    code = given.upper()
    if REASON_CODE.fullmatch(code) is None:
        raise ActionNotACode
    return code
