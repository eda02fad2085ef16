"""A process that is stopped in the middle of a transaction does not hold its book."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests.conftest import Postgres
from tests.integration.ledger.raw import lock

ROOT = Path(__file__).parents[3]
BOOK = "books/stopped/registry/out"

HOLDER = """
import sys, psycopg
with psycopg.connect(sys.stdin.readline().strip()) as connection:
    connection.execute("SELECT * FROM ledger.lock(%s)", ([sys.argv[1]],))
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_stopped_process_does_not_hold_a_book(postgres: Postgres) -> None:
    url = postgres.database_url("intake")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, BOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(url + "\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 30
        with psycopg.connect(url) as connection:
            connection.execute("SET lock_timeout = '2s'")
            connection.commit()
            waits = 0
            while True:
                try:
                    lock(connection, [BOOK])
                    break
                except psycopg.errors.LockNotAvailable:
                    connection.rollback()
                    waits += 1
                    assert time.monotonic() < deadline, "the stopped process still holds the book"
            assert waits, "the book was held at first"
    finally:
        holder.kill()
        holder.communicate()
