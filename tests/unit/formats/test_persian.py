import pytest

from dabir.formats import persian


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("علي", "علی"),
        ("كتاب", "کتاب"),
        ("۱۲۳", "123"),
        ("١٢٣", "123"),
        ("می‌شود", "میشود"),
        ("نامــه", "نامه"),
        ("مُهر", "مهر"),
        ("بانک  مرکزی ", "بانک مرکزی"),
        ("Bank", "bank"),
    ],
)
def test_look_up_does_not_mind_the_keyboard(one: str, other: str) -> None:
    assert persian.fold(one) == persian.fold(other)


def test_look_up_still_tells_words_apart() -> None:
    assert persian.fold("بانک مرکزی") != persian.fold("بانک ملی")


def test_folding_twice_changes_nothing() -> None:
    text = "  كتاب‌هاي ۱۲ و ٣٤  "
    assert persian.fold(persian.fold(text)) == persian.fold(text)


def test_digits() -> None:
    assert persian.persian_digits("1405/12/345") == "۱۴۰۵/۱۲/۳۴۵"
    assert persian.latin_digits("۱۴۰۵ و ٣٤") == "1405 و 34"


def test_numbers_are_shown_isolated() -> None:
    assert persian.isolate("1405/12/345") == "\u20661405/12/345\u2069"
