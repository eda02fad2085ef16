"""Persian text: what is folded for look-up, and how numbers are shown. What is stored is never changed."""

_ARABIC_TO_PERSIAN = {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا", "ٱ": "ا"}
_LATIN_DIGITS = {ord(d): str(n) for digits in ("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩") for n, d in enumerate(digits)}
_PERSIAN_DIGITS = {ord(str(n)): d for n, d in enumerate("۰۱۲۳۴۵۶۷۸۹")}
# Joiners, tatweel and vowel signs differ between keyboards and are not heard.
_SILENT = dict.fromkeys([0x200C, 0x200D, 0x0640, 0x0670, *range(0x064B, 0x0656)])
_FOLD = {**{ord(key): value for key, value in _ARABIC_TO_PERSIAN.items()}, **_LATIN_DIGITS, **_SILENT}


def fold(text: str) -> str:
    """A key to find `text` by, however it was typed: ي/ی, ك/ک, digits, joiners, case and spaces. For look-up only."""
    return " ".join(text.translate(_FOLD).casefold().split())


def latin_digits(text: str) -> str:
    """`text` with Persian and Arabic digits as 0 to 9."""
    return text.translate(_LATIN_DIGITS)


def persian_digits(text: str) -> str:
    """`text` with 0 to 9 as Persian digits."""
    return text.translate(_PERSIAN_DIGITS)


def isolate(number_text: str) -> str:
    """`number_text` between U+2066 and U+2069, so that `1405/12/345` keeps its order inside right-to-left text."""
    return f"\u2066{number_text}\u2069"
