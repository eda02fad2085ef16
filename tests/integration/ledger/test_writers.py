"""Sixteen writers under kill -9: no gap, no fork, no repeat, and nothing acknowledged is lost."""

import multiprocessing
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psycopg

from dabir.formats.signer import FileSigner
from infra.local.pki import Pair
from tests.conftest import Postgres
from tests.integration.ledger import audit, writer

WRITERS, KILLS, SEED = 16, 48, 1405


def start(url: str, seal: Pair, acknowledged: Path, seed: int) -> BaseProcess:
    # A server that has the imports already and no threads forks each writer: quick, and safe beside an event loop.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.ledger.writer"])
    process = context.Process(target=writer.write, args=(url, seal, acknowledged, seed), daemon=True)
    process.start()
    return process


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_killed_writers_leave_whole_chains(fresh_postgres: Postgres, intake_seal: Pair, tmp_path: Path) -> None:
    chance, acknowledged = random.Random(SEED), tmp_path / "acknowledged"  # noqa: S311 - a schedule, no secret
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(writer.FACTS)
    url, seeds = fresh_postgres.database_url("intake"), iter(range(10_000))
    running = [start(url, intake_seal, acknowledged, next(seeds)) for _ in range(WRITERS)]
    deadline = time.monotonic() + 240
    try:
        for _ in range(KILLS):
            grown = size(acknowledged) + chance.randrange(50, 2000)
            while size(acknowledged) < grown:  # a kill falls anywhere, but not before anything happened
                assert time.monotonic() < deadline, "the writers do not get on"
                assert all(process.is_alive() for process in running), "a writer died of itself"
                time.sleep(0.005)  # leaves the processor to the writers
            victim = running.pop(chance.randrange(WRITERS))
            victim.kill()
            victim.join()
            running.append(start(url, intake_seal, acknowledged, next(seeds)))
    finally:
        for process in running:
            process.kill()
            process.join()
    chains = audit.read(fresh_postgres.owner_url, FileSigner(intake_seal.key, intake_seal.certificate).certificate)
    stated = {payload.jti: payload.sub for places in chains.values() for _, payload in places.values()}
    told = acknowledged.read_text(encoding="ascii").split()
    assert len(set(told)) == len(told)
    assert {name.removeprefix("statements/") for name in told} <= stated.keys(), "what was acknowledged is there"
    assert len(told) > KILLS
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        facts = [row[0] for row in connection.execute("SELECT name FROM public.fact")]
    assert sorted(facts) == sorted(stated.values()), "a fact without its statement, or a statement without its fact"
