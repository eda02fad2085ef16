"""evidence as the process that the stack runs."""

import asyncio
import dataclasses
import json
import signal
import sys
import time
from pathlib import Path

from infra.local.pki import DevelopmentPki
from tests.conftest import Postgres
from tests.contract.evidence.harness import DEADLINE_SECONDS, Evidence, config_of

ROOT = Path(__file__).parents[3]


async def test_it_numbers_until_it_is_asked_to_stop(
    evidence: Evidence, fresh_postgres: Postgres, tmp_path: Path
) -> None:
    config = config_of(tmp_path, DevelopmentPki(tmp_path / "pki"), fresh_postgres)
    given = dataclasses.asdict(dataclasses.replace(config, directory_target="127.0.0.1:1"))
    lines = [f"{key} = {json.dumps(value, default=str)}" for key, value in given.items() if value is not None]
    (tmp_path / "config.toml").write_text("\n".join(lines), encoding="utf-8")
    arguments = [sys.executable, "-m", "services.evidence", str(tmp_path / "config.toml")]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdout=log, stderr=log)
    try:
        await evidence.letter(numbered=False)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while evidence.rows(b"SELECT position FROM ledger.numbering") != [(3,)]:
            assert process.returncode is None, (tmp_path / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "nothing is numbered"
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0, (tmp_path / "log").read_text(
            encoding="utf-8"
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
