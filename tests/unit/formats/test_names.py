from collections.abc import Callable

import pytest

from dabir.formats import names
from dabir.formats.strict_json import FormatError

UUID4 = "2f6a3f0e-5b1c-4d7e-9a43-0c7d1e5b8f21"
UUID7 = "019abb1e-7c15-7d3a-8f21-3b5c7d9e1f02"
OFFICE = "bodies/central-bank/offices/registry"


def test_names_split_into_what_they_were_made_of() -> None:
    letter = names.letter(UUID4)
    assert names.split_letter(letter) == UUID4
    assert names.split_delivery(names.delivery(letter, 500)) == (letter, 500)
    assert names.split_body(names.body("central-bank")) == "central-bank"
    assert names.split_office(names.office("central-bank", "registry")) == ("central-bank", "registry")
    assert names.body_of(OFFICE) == "bodies/central-bank"
    assert names.split_document(names.document(UUID4)) == UUID4
    assert names.split_statement(names.statement(UUID7)) == UUID7
    assert names.split_definition(names.definition("freeze-order", 3)) == ("freeze-order", 3)


@pytest.mark.parametrize("direction", ["out", "in", "out-confidential"])
def test_a_book_is_a_series_and_a_year(direction: names.Direction) -> None:
    book = names.book(OFFICE, direction, 1405)
    assert book == f"books/central-bank/registry/{direction}/1405"
    assert names.split_book(book) == (OFFICE, direction, 1405)
    assert names.series_of(book) == names.series(OFFICE, direction)
    assert names.split_series(names.series(OFFICE, direction)) == (OFFICE, direction)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"letters/{UUID4}", "letter"),
        (f"letters/{UUID4}/deliveries/3", "delivery"),
        ("bodies/interior", "body"),
        ("books/interior/central/out/1405", "book"),
    ],
)
def test_chains_have_kinds(name: str, kind: str) -> None:
    assert names.chain_kind(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        "",
        "letters/",
        f"letters/{UUID7}",
        f"letters/{UUID4}\n",
        f"letters/{UUID4}/deliveries/0",
        f"letters/{UUID4}/deliveries/1/",
        "bodies/interior/offices/central",
        "books/interior/central/out",
        "books/interior/central/out/0405",
        "books/interior/central/out/١٤٠٥",
        "books/interior/central/OUT/1405",
    ],
)
def test_what_is_no_chain_is_refused(name: str) -> None:
    with pytest.raises(FormatError) as raised:
        names.chain_kind(name, "sub")
    assert (raised.value.reason, raised.value.path) == ("BAD_NAME", "sub")


@pytest.mark.parametrize("identifier", ["a", "A1", "1a", "-a", "a_b", "a" * 64, "a.b", "a/b", "é1", ""])
def test_ids_are_narrow(identifier: str) -> None:
    with pytest.raises(FormatError):
        names.body(identifier)


@pytest.mark.parametrize("identifier", ["ab", "a1", "a-", "a" * 63, "central-bank"])
def test_ids_as_the_form_allows(identifier: str) -> None:
    assert names.split_body(names.body(identifier)) == identifier


def test_nothing_is_made_that_would_be_refused() -> None:
    makers: list[Callable[[], str]] = [
        lambda: names.letter(UUID7),
        lambda: names.delivery("letters/x", 1),
        lambda: names.document(UUID7),
        lambda: names.statement(UUID4),
        lambda: names.definition("Freeze", 1),
        lambda: names.definition("freeze", 0),
        lambda: names.office("central-bank", "R"),
        lambda: names.series("bodies/central-bank", "in"),
        lambda: names.series(OFFICE, "both"),  # type: ignore[arg-type]  # what is refused
        lambda: names.book(OFFICE, "in", 99),
        lambda: names.series_of("books/central-bank/registry/in"),
        lambda: names.body_of("bodies/central-bank"),
    ]
    for make in makers:
        with pytest.raises(FormatError):
            make()


@pytest.mark.parametrize("place", [0, -1, 501])
def test_a_letter_has_500_deliveries(place: int) -> None:
    with pytest.raises(FormatError):
        names.delivery(f"letters/{UUID4}", place)


@pytest.mark.parametrize("hub", ["log.dabir.example/1", "localhost", "localhost:8443/a/b", "a" * 255])
def test_hubs(hub: str) -> None:
    if len(hub) > 253:
        with pytest.raises(FormatError):
            names.check_hub(hub + "/x")
    else:
        assert names.check_hub(hub) == hub


@pytest.mark.parametrize(
    "hub", ["https://x.example", "x.example/", "X.example", "x.example?1", "x.example:0", "/1", ""]
)
def test_what_is_no_hub_is_refused(hub: str) -> None:
    with pytest.raises(FormatError):
        names.check_hub(hub)
