"""What is raised for bytes that break a rule of a format."""


class FormatError(ValueError):
    """Bytes that break a rule of docs/formats.md.

    `reason` is the rule in UPPER_SNAKE, `path` the place in the message (`recipients[3].note`, empty for the whole);
    `str()` is a sentence that says what is wrong and what to do.
    """

    def __init__(self, reason: str, message: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path}: {message}" if path else message)


def shown(key: str) -> str:
    """A stranger's text, safe and short enough to stand in a message."""
    return ascii(key if len(key) <= 64 else key[:64] + "…")
