"""A member's system is killed while it sends: it sends again from its journal, and there is one letter."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from infra.local.stack import Stack
from tests.chaos import sender, whole
from tests.chaos.letters import SENDERS
from tests.chaos.post import Post

CHECKOUT = Path(__file__).parents[2]


def registered(stack: Stack, letter: str) -> list[tuple[str, int]]:
    """The letter's number in intake, if it is there, and how many statements there are of it."""
    count = (
        "SELECT number_text, (SELECT count(*)::int FROM ledger.statement WHERE subject = %(letter)s AND sequence = 1)"
    )
    with psycopg.connect(stack.database_url("dabir")) as connection:
        return connection.execute(f"{count} FROM intake.letter WHERE name = %(letter)s", {"letter": letter}).fetchall()


@pytest.mark.parametrize("point", sender.POINTS)
def test_a_killed_sender_sends_again(stack: Stack, post: Post, point: str) -> None:
    body = SENDERS[0]
    client, before = post.clients[body], [entry.letter for entry in post.clients[body].journal.unsettled()]
    entry = post.write(body, ["sample-bank"], large=True)
    profile = post.profiles[body] / "profile.toml"
    command = [sys.executable, "-m", "tests.chaos.sender", str(profile), entry.letter, point]
    died = subprocess.run(command, cwd=CHECKOUT, check=False, timeout=60, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr

    there = registered(stack, entry.letter)
    assert len(there) == (1 if point == "answered" else 0), "wholly, or not at all"
    assert [left.letter for left in client.journal.unsettled()] == [*before, entry.letter]

    sent = client.send(entry, resumed=True)
    assert registered(stack, entry.letter) == [(sent.letter.registry_number.text, 1)]
    if there:
        assert sent.letter.registry_number.text == there[0][0]
    assert [left.letter for left in client.journal.unsettled()] == before
    whole.check(stack, post)
