"""The workers as a process: a further one beside the stack's, its end, and what it does not start with."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from infra.local.settings import config_file, toml
from infra.local.stack import Stack


def start(stack: Stack, folder: Path, **changed: Any) -> subprocess.Popen[str]:
    """A worker with the settings of the stack's."""
    settings = tomllib.loads(config_file(stack, "workers").read_text(encoding="utf-8"))
    file = folder / "workers.toml"
    file.write_text(toml(settings | {"metrics_listen": ""} | changed), encoding="utf-8")
    return subprocess.Popen([sys.executable, "-m", "workers", str(file)], stderr=subprocess.PIPE, text=True)


def test_a_worker_drains_and_ends(stack: Stack, tmp_path: Path) -> None:
    with start(stack, tmp_path) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if '"working"' in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, said
    assert '"stopped"' in said[-1]


def test_without_temporal_a_worker_says_so(stack: Stack, tmp_path: Path) -> None:
    process = start(stack, tmp_path, temporal_target="127.0.0.1:1", temporal_connect_seconds=0.5)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Temporal at 127.0.0.1:1 does not answer with the namespace dabir" in said


def test_limits_of_the_settings_are_kept(stack: Stack, tmp_path: Path) -> None:
    process = start(stack, tmp_path, reconcile_seconds=300.0)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "reconcile_seconds must be more than 0 and at most 30" in said
