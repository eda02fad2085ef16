"""Which characters a string may hold."""

import re

from dabir.formats.strict_json.error import FormatError

# The only fields whose strings may hold line feeds, by json_name.
LINE_FEED_FIELDS = frozenset({"abstract", "note"})

FORBIDDEN = re.compile("[\x00-\x1f\x80-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def check_text(text: str, path: str = "", *, line_feeds: bool = False) -> None:
    """Refuses characters that no string of the form may hold. Raises FormatError."""
    for found in FORBIDDEN.finditer(text):
        character = found.group()
        if character == "\n" and line_feeds:
            continue
        code = f"U+{ord(character):04X}"
        if character < "\xa0":
            raise FormatError("CONTROL_CHARACTER", f"holds the control character {code}; remove it", path)
        if character == "\ufeff":
            raise FormatError("BYTE_ORDER_MARK", f"holds {code}; remove it", path)
        if "\ud800" <= character <= "\udfff":
            raise FormatError("LONE_SURROGATE", f"holds {code}, half of a character; write the whole one", path)
        raise FormatError("BIDI_CHARACTER", f"holds {code}, which changes how the text reads; remove it", path)
