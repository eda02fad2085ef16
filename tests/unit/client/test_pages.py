"""A list is read to its end, and has one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dabir.client import Client, VerificationError, directory
from dabir.evidence.v1.evidence_pb2 import ListStatementsRequest
from tests.unit.client.feed import Feeds, Ledger, serving


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Feeds, Ledger, Client]]:
    """Three statements listed, one a page."""
    with serving(tmp_path) as (feeds, ledger, profile), Client(profile) as client:
        for place in (1, 2, 3):
            ledger.register(place)
        feeds.statements = ledger.stated
        yield feeds, ledger, client


def names(client: Client) -> list[str]:
    request = ListStatementsRequest()
    return [one.name for one in directory.pages(client.hub, client.hub.evidence.ListStatements, request, "statements")]


def test_every_page_is_read_once(hub: tuple[Feeds, Ledger, Client]) -> None:
    feeds, ledger, client = hub
    assert names(client) == [one.name for one in ledger.stated]
    assert [one.position for one in client.statements()] == [1, 2, 3]
    assert feeds.asked == [0, 1, 2] * 2


@pytest.mark.parametrize("tokens", [["1", "2", "0"], ["1", "1", "1"]])
def test_a_list_that_goes_round_is_refused(hub: tuple[Feeds, Ledger, Client], tokens: list[str]) -> None:
    feeds, _, client = hub
    feeds.tokens = tokens
    with pytest.raises(VerificationError) as caught:
        names(client)
    assert caught.value.reason == "LIST_ENDLESS"
    assert len(feeds.asked) <= 4


def test_a_list_without_an_end_is_refused(hub: tuple[Feeds, Ledger, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    feeds, _, client = hub
    monkeypatch.setattr(directory, "MOST_PAGES", 5)
    feeds.tokens = [str(page) for page in range(1, 100)]
    with pytest.raises(VerificationError) as caught:
        names(client)
    assert caught.value.reason == "LIST_ENDLESS"
    assert len(feeds.asked) == 5


@pytest.mark.parametrize("positions", [(1, 1, 2), (1, 3, 2), (0, 1, 2)])
def test_positions_of_a_list_that_do_not_rise_are_refused(
    hub: tuple[Feeds, Ledger, Client], positions: tuple[int, ...]
) -> None:
    _, ledger, client = hub
    for one, position in zip(ledger.stated, positions, strict=True):
        one.position = position
    with pytest.raises(VerificationError) as caught:
        client.statements()
    assert caught.value.reason == "OUT_OF_ORDER"
