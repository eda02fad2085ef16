"""make doctor, as a person runs it: before there is an environment, and with something wrong."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]


def doctor(*, python: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "infra.local.doctor"],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_needs_nothing_but_the_standard_library() -> None:
    answer = doctor(python=("-S",))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "PostgreSQL" in answer.stdout


def test_names_the_part_and_the_remedy() -> None:
    answer = doctor(DABIR_TEMPORAL="/bin/false")
    assert answer.returncode == 1
    assert "MEND Temporal" in answer.stdout
    assert "/bin/false is not temporal 1.8.2" in answer.stdout


def test_names_a_port_that_cannot_be_had() -> None:
    answer = doctor(DABIR_PORTS="70000")
    assert answer.returncode == 1
    assert "ports" in answer.stdout
