"""A feed that is whole is passed on once and in order, over every break; one that is not is an alarm."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from dabir.client import AlarmError, Client, InputError, RefusedError, VerificationError, watching
from dabir.client.profile import Profile
from dabir.client.watch_journal import Alarm, WatchJournal
from dabir.common.v1.statement_pb2 import Statement
from tests.unit.client.feed import CONFIDENTIAL, HIGHLY_CONFIDENTIAL, Feeds, Ledger, serving
from tests.unit.client.member import BODY

OTHER = "bodies/bank"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Feeds, Ledger, Profile]]:
    monkeypatch.setattr(watching, "FIRST_WAIT_SECONDS", 0.01)
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def feeds(hub: tuple[Feeds, Ledger, Profile]) -> Feeds:
    """Serves what the ledger has stated, unless a test serves something else."""
    hub[0].statements = hub[1].stated
    return hub[0]


@pytest.fixture
def ledger(hub: tuple[Feeds, Ledger, Profile]) -> Ledger:
    return hub[1]


@pytest.fixture
def client(hub: tuple[Feeds, Ledger, Profile]) -> Iterator[Client]:
    with Client(hub[2]) as made:
        yield made


class CaughtUp(Exception):
    """There is nothing more to give."""


def read(client: Client, after: int | None = None) -> list[int]:
    """Positions of everything that is there, each dealt with."""
    found: list[int] = []
    with contextlib.suppress(CaughtUp):
        found.extend(proven.position for proven in client.watch(after, caught_up=end))
    return found


def end(position: int) -> None:
    """For `caught_up`: the test is over when there is nothing more."""
    raise CaughtUp


def alarm(client: Client) -> tuple[str, str]:
    """Reason and sentence of the alarm that the feed ends with."""
    with pytest.raises(AlarmError) as caught:
        list(client.watch(caught_up=end))
    return caught.value.reason, str(caught.value)


def line(ledger: Ledger) -> None:
    """Two letters of ours with deliveries, one that came to us, and an end; ten statements."""
    for place in (1, 2):
        letter = ledger.register(place)
        ledger.available(f"{letter}/deliveries/1", body=OTHER)
        ledger.expire(f"{letter}/deliveries/1")
        ledger.close(letter)
    ledger.register(3, year=1406)
    ledger.available("letters/00000000-0000-4000-8000-000000000009/deliveries/2")


def test_everything_is_given_once_and_in_order(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    assert read(client) == list(range(1, 11))
    assert read(client) == []
    ledger.register(4, year=1406)
    assert read(client) == [11]
    assert feeds.asked == [0, 10, 10]
    assert client.alarms() == []


def test_what_was_not_dealt_with_is_given_again(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    stream = client.watch()
    assert [proven.position for proven in itertools.islice(stream, 3)] == [1, 2, 3]
    stream.close()  # type: ignore[attr-defined]  # a generator, whatever its annotation says
    assert read(client) == list(range(3, 11)), "the third was given, and not dealt with"


def test_a_break_is_waited_for_and_gone_on_from(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    feeds.break_after = [3, 0, 0, 4]
    waits: list[tuple[str, float]] = []
    stream = client.watch(interrupted=lambda error, seconds: waits.append((error.reason, seconds)))
    assert [proven.position for proven in itertools.islice(stream, 10)] == list(range(1, 11))
    assert feeds.asked[:2] == [0, 3]
    assert feeds.asked[-1] == 7
    assert {reason for reason, _ in waits} == {"STOPPING"}


def test_the_feed_may_be_shown_again_from_before(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    read(client)
    assert read(client, after=4) == [5, 6, 7, 8, 9, 10]
    assert read(client) == []
    assert client.alarms() == []


def test_a_new_journal_may_show_the_end_only_and_judges_all(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    assert read(client, after=8) == [9, 10]
    ledger.close("letters/00000000-0000-4000-8000-000000000003")
    assert read(client) == [11]
    assert client.alarms() == []


LETTERS = "letters/00000000-0000-4000-8000-00000000000"
WITHHELD = {
    "a letter's registration": (
        1,
        {("STATEMENT_WITHHELD", f"{LETTERS}1"), ("STATEMENT_WITHHELD", "books/interior/main/out/1405")},
    ),
    "a delivery's first": (2, {("STATEMENT_WITHHELD", f"{LETTERS}1/deliveries/1")}),
    "the last number of a year": (
        5,
        {("STATEMENT_WITHHELD", f"{LETTERS}2"), ("CHAIN_FORKED", "books/interior/main/out/1406")},
    ),
    "the first number of a year": (9, {("STATEMENT_WITHHELD", "books/interior/main/out/1406")}),
    "an entry of the incoming book": (10, {("STATEMENT_WITHHELD", "books/interior/main/in/1405")}),
}


@pytest.mark.parametrize("which", WITHHELD)
def test_a_withheld_statement_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger, which: str) -> None:
    line(ledger)
    ledger.register(4, year=1406)
    ledger.available(f"{LETTERS}9/deliveries/1")
    position, expected = WITHHELD[which]
    feeds.statements = [one for one in ledger.stated if one.position != position]
    raised = 0
    while raised < len(expected):
        with contextlib.suppress(AlarmError):
            assert not list(client.watch(caught_up=end))
        raised += 1
    read(client)
    kept = client.alarms()
    assert {(one.reason, one.chain) for one in kept} == expected
    assert all(one.jws for one in kept)


def test_an_alarm_is_kept_and_gone_on_behind(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    for place in (1, 2, 3, 4):
        ledger.register(place)
    feeds.statements = [one for one in ledger.stated if one.position != 2]
    reason, sentence = alarm(client)
    assert reason == "STATEMENT_WITHHELD"
    assert sentence.startswith("books/interior/main/out/1405 3 (statements/")
    assert "stands after 1: a statement before it was withheld from us or lost. Keep the journal" in sentence
    assert read(client) == [3, 4]
    assert [(one.reason, one.statement, one.jws) for one in client.alarms()] == [
        ("STATEMENT_WITHHELD", ledger.stated[2].name, ledger.stated[2].jws)
    ]
    assert [one.statement for one in client.settle_alarms()] == [ledger.stated[2].name]
    assert client.alarms() == []
    assert read(client, after=0) == [1, 3, 4], "and it is not raised again"


def _another(ledger: Ledger, change: Callable[[Ledger], None]) -> list[Statement]:
    """What a hub states that tells a second story behind what it has told so far."""
    second = Ledger(ledger.seal, dict(ledger.ends), list(ledger.stated))
    change(second)
    return second.stated[len(ledger.stated) :]


def test_a_number_given_twice_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    ledger.register(1)
    (forked,) = _another(ledger, lambda second: (second.register(8), None)[1])
    ledger.register(2)
    forked.position = 3
    feeds.statements = [*ledger.stated, forked]
    reason, sentence = alarm(client)
    assert reason == "CHAIN_FORKED"
    assert "books/interior/main/out/1405 2" in sentence
    assert "stands after 2 of 1405: the hub tells two stories" in sentence


def test_a_statement_that_names_another_before_it_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    letter = ledger.register(1)
    ledger.expire(f"{letter}/deliveries/1")
    ledger.ends[f"{letter}/deliveries/1"] = (1, b"\7" * 32)
    ledger.expire(f"{letter}/deliveries/1")
    assert alarm(client)[0] == "CHAIN_FORKED"


def test_a_delivery_that_begins_from_another_registration_is_an_alarm(
    client: Client, feeds: Feeds, ledger: Ledger
) -> None:
    letter = ledger.register(1)
    ledger.ends[f"{letter}/deliveries/1"] = (0, b"\7" * 32)
    ledger.expire(f"{letter}/deliveries/1")
    assert alarm(client)[0] == "CHAIN_FORKED"


def test_a_number_of_a_year_that_is_over_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    ledger.register(1, year=1405)
    ledger.register(2, year=1406)
    ledger.register(3, year=1405)
    assert alarm(client)[0] == "CHAIN_FORKED"


@pytest.mark.parametrize("position", [1, 2, 3])
def test_a_repeated_statement_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger, position: int) -> None:
    ledger.register(1)
    ledger.register(2)
    again = Statement()
    again.CopyFrom(ledger.stated[1])
    again.position = position
    feeds.statements = [*ledger.stated, again]
    assert alarm(client)[0] == "STATEMENT_REPEATED"
    assert len(client.alarms()) == (2 if position == 3 else 1), "of both its chains, or of its place"


def test_what_is_slipped_in_behind_a_heartbeat_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    ledger.register(1)
    ledger.stated[0].position = 5
    heard: list[int] = []

    def caught_up(position: int) -> None:
        """The hub said that all up to 5 is read; then it gives 4."""
        heard.append(position)
        if len(heard) > 1:
            raise CaughtUp
        ledger.register(2)
        ledger.stated[1].position = 4

    with pytest.raises(AlarmError) as caught:
        list(client.watch(caught_up=caught_up))
    assert caught.value.reason == "STATEMENT_REPEATED"
    assert heard == [5]


@pytest.mark.parametrize("direction", ["out", "in"])
def test_another_bodys_book_is_seen_in_part_and_not_judged(
    client: Client, feeds: Feeds, ledger: Ledger, direction: str
) -> None:
    for place in (1, 2, 3):
        letter = ledger.register(place, body=OTHER if direction == "out" else BODY)
        ledger.available(f"{letter}/deliveries/1", body=OTHER)
    feeds.statements = [one for one in ledger.stated if one.position not in (3, 4)]
    if direction == "in":
        feeds.statements = [one for one in ledger.stated if one.position != 4]
    assert len(read(client)) == len(feeds.statements)
    assert client.alarms() == []


@pytest.mark.parametrize(
    ("roles", "alarmed"), [([], False), ([CONFIDENTIAL], False), ([CONFIDENTIAL, HIGHLY_CONFIDENTIAL], True)]
)
def test_books_that_hold_what_we_are_not_cleared_for_are_not_judged(
    client: Client, feeds: Feeds, ledger: Ledger, roles: list[int], alarmed: bool
) -> None:
    for place in (1, 2, 3):
        ledger.available(f"letters/00000000-0000-4000-8000-{place:012}/deliveries/1")
    feeds.statements = [one for one in ledger.stated if one.position != 2]
    feeds.roles = roles  # type: ignore[assignment]  # numbers of an enum
    if alarmed:
        assert alarm(client)[0] == "STATEMENT_WITHHELD"
    else:
        assert read(client) == [1, 3]


def test_a_clearance_gained_opens_what_was_not_shown_before(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    for place in (1, 2, 3):
        ledger.available(f"letters/00000000-0000-4000-8000-{place:012}/deliveries/1")
    feeds.roles, feeds.statements = [], [one for one in ledger.stated if one.position != 2]
    assert read(client) == [1, 3]
    feeds.roles, feeds.statements = [HIGHLY_CONFIDENTIAL], ledger.stated
    ledger.expire("letters/00000000-0000-4000-8000-000000000002/deliveries/1")
    assert read(client) == [4], "the chains are followed from their beginning, and nothing old is shown"
    assert client.alarms() == []


def test_what_was_once_judged_stays_so_whatever_the_hub_says_of_our_clearance(
    client: Client, feeds: Feeds, ledger: Ledger
) -> None:
    for place in (1, 2, 3):
        ledger.available(f"letters/00000000-0000-4000-8000-{place:012}/deliveries/1")
    feeds.statements = ledger.stated[:1]
    assert read(client) == [1]
    feeds.roles, feeds.statements = [], [one for one in ledger.stated if one.position != 2]
    assert alarm(client)[0] == "STATEMENT_WITHHELD", "a book that was followed is, cleared or not"


def test_a_clearance_that_the_hub_says_rose_rewrites_nothing(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    feeds.roles = []
    told = Ledger(ledger.seal)
    for place in (1, 2):
        ledger.register(place)
        told.register(place)
    assert read(client) == [1, 2]
    feeds.roles, feeds.statements = [HIGHLY_CONFIDENTIAL], told.stated
    reason, sentence = alarm(client)
    assert (reason, "the hub tells two stories" in sentence) == ("CHAIN_FORKED", True)
    assert {one.chain for one in client.alarms()} == {
        "letters/00000000-0000-4000-8000-000000000001",
    }, "of the book only the end is remembered, which the first does not meet"


@pytest.mark.parametrize("kept", [0, 3, 9])
def test_a_reading_anew_that_was_ended_goes_on(client: Client, feeds: Feeds, ledger: Ledger, kept: int) -> None:
    feeds.roles = []
    line(ledger)
    assert read(client) == list(range(1, 11))
    feeds.roles, feeds.break_after = [HIGHLY_CONFIDENTIAL], [kept]
    with contextlib.suppress(Ended):
        list(client.watch(interrupted=_end_there))
    ledger.register(4, year=1406)
    assert read(client) == [11]
    assert client.alarms() == []


class Ended(Exception):
    """The process that watched was ended."""


def _end_there(error: object, seconds: float) -> None:
    raise Ended


def test_a_journal_of_before_positions_were_kept_is_read_on(
    client: Client, feeds: Feeds, ledger: Ledger, hub: tuple[Feeds, Ledger, Profile]
) -> None:
    line(ledger)
    assert read(client) == list(range(1, 11))
    with contextlib.closing(sqlite3.connect(hub[2].journal / "watch.sqlite")) as database:
        database.execute("ALTER TABLE chain DROP COLUMN position")
        database.commit()
    ledger.register(4, year=1406)
    assert read(client) == [11]
    assert client.alarms() == []


def test_a_position_that_the_hub_made_up_does_not_shut_us_out(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    ledger.stated[5].position = 2**63 - 1
    feeds.statements = ledger.stated[:6]
    for _ in range(2):
        feeds.refusal = None
        assert read(client) == [1, 2, 3, 4, 5, 2**63 - 1]
        feeds.refusal = (grpc.StatusCode.FAILED_PRECONDITION, "POSITION_AHEAD")
        assert alarm(client)[0] == "LEDGER_CUT"
        assert [one.reason for one in client.settle_alarms()] == ["LEDGER_CUT"], "at every look, also once settled"
    ledger.stated[5].position = 6
    feeds.refusal, feeds.statements = None, ledger.stated
    assert read(client) == list(range(1, 11)), "all of it is shown once more"
    assert client.alarms() == []
    assert read(client) == []


def test_where_a_chain_ends_is_known_again_once_its_true_position_is(
    client: Client, feeds: Feeds, ledger: Ledger
) -> None:
    for place in (1, 2):
        ledger.available(f"{LETTERS}{place}/deliveries/1")
    second = Ledger(ledger.seal, {}, list(ledger.stated))
    ledger.stated[1].position = 2**63 - 1
    assert read(client) == [1, 2**63 - 1]
    feeds.refusal = (grpc.StatusCode.FAILED_PRECONDITION, "POSITION_AHEAD")
    assert alarm(client)[0] == "LEDGER_CUT"
    client.settle_alarms()
    ledger.stated[1].position, feeds.refusal = 2, None
    assert read(client) == [1, 2]
    second.available(f"{LETTERS}3/deliveries/1")  # the first number of the book once more
    feeds.statements = second.stated
    assert alarm(client)[0] == "CHAIN_FORKED"


def test_what_a_cut_ledger_then_tells_stands_against_what_is_remembered(
    client: Client, feeds: Feeds, ledger: Ledger
) -> None:
    ledger.register(1)
    told = Ledger(ledger.seal, dict(ledger.ends), list(ledger.stated))
    ledger.register(2)
    told.register(3)
    assert read(client) == [1, 2]
    feeds.refusal = (grpc.StatusCode.FAILED_PRECONDITION, "POSITION_AHEAD")
    assert alarm(client)[0] == "LEDGER_CUT"
    client.settle_alarms()
    feeds.refusal, feeds.statements = None, told.stated
    assert alarm(client)[0] == "CHAIN_FORKED"


def test_a_stream_that_says_nothing_more_is_asked_anew(
    feeds: Feeds, ledger: Ledger, hub: tuple[Feeds, Ledger, Profile]
) -> None:
    line(ledger)
    feeds.stall_after = [3, 0]
    reasons: list[str] = []
    with Client(replace(hub[2], watch_silence_seconds=0.5)) as client:
        stream = client.watch(interrupted=lambda error, _seconds: reasons.append(error.reason))
        assert [proven.position for proven in itertools.islice(stream, 10)] == list(range(1, 11))
    assert reasons[:2] == ["STREAM_SILENT"] * 2
    assert feeds.asked[:3] == [0, 3, 3]


def test_a_ledger_that_ends_before_what_it_gave_is_an_alarm(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    read(client)
    feeds.refusal = (grpc.StatusCode.FAILED_PRECONDITION, "POSITION_AHEAD")
    for _ in range(2):
        reason, sentence = alarm(client)
        assert (reason, "ends before position 10" in sentence) == ("LEDGER_CUT", True)
    assert len(client.alarms()) == 1


def test_a_revoked_certificate_is_said_and_not_tried_again(client: Client, feeds: Feeds) -> None:
    feeds.refusal = (grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_REVOKED")
    with pytest.raises(RefusedError) as caught:
        next(client.watch())
    assert caught.value.reason == "CERTIFICATE_REVOKED"
    assert len(feeds.asked) == 1


def test_a_statement_that_does_not_verify_is_not_passed(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    ledger.register(1)
    ledger.stated[0].subject = "letters/00000000-0000-4000-8000-000000000002"
    for _ in range(2):
        with pytest.raises(VerificationError):
            next(client.watch())


def test_one_journal_has_one_watcher(client: Client, feeds: Feeds, ledger: Ledger) -> None:
    line(ledger)
    first = client.watch()
    next(first)
    with pytest.raises(InputError) as caught:
        next(client.watch())
    assert caught.value.reason == "WATCHED_ALREADY"
    first.close()  # type: ignore[attr-defined]  # a generator, whatever its annotation says
    next(client.watch())


@pytest.mark.parametrize("reason", ["LEDGER_CUT", "CHAIN_FORKED"])
def test_alarms_are_settled_beside_a_watcher_unless_it_would_have_to_start_again(tmp_path: Path, reason: str) -> None:
    """It would go on from where it is, and the feed would not be read from its beginning."""
    with WatchJournal(tmp_path) as journal, WatchJournal(tmp_path) as other:
        with journal.alone():
            journal.dealt_with(100, {})
            journal.add_alarm(Alarm(reason, "", "position 100", "said", ""))
            if reason != "LEDGER_CUT":
                assert len(other.settle()) == 1
                return
            with pytest.raises(InputError) as caught:
                other.settle()
            assert caught.value.reason == "WATCHED_ALREADY"
            assert len(journal.alarms()) == 1
        assert len(other.settle()) == 1
        assert (journal.position, journal.judged) == (0, 0)
