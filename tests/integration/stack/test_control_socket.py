"""The supervisor's socket: who may use it, what it does with what it cannot read, and a path longer than a socket's."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from dabir.cli import hub
from dabir.client import RefusedError, UnavailableError
from infra.local import control, control_socket
from infra.local.settings import config_file
from infra.local.stack import Stack, write

WANTED = {"command": "add-body", "name": "pilot", "fa": "ب", "en": "B", "office": "main", "positions": ["رئیس"]}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack of which nothing runs, in a folder whose name no socket's address could hold."""
    stack = Stack(tmp_path_factory.mktemp("far") / ("long" * 30), 20_000)
    control.prepare(stack)
    return stack


def exchange(stack: Stack, line: bytes) -> dict[str, Any]:
    """What a served stack answers to a line."""

    async def ask() -> bytes:
        async with control_socket.served(stack):
            return await asyncio.to_thread(hub._exchange, stack.directory / "run", line)

    answer: dict[str, Any] = json.loads(asyncio.run(ask()))
    return answer


def test_only_its_owner_may_use_it(far: Stack) -> None:
    async def mode() -> int:
        async with control_socket.served(far):
            return stat.S_IMODE((far.directory / "run" / control_socket.NAME).stat().st_mode)

    assert asyncio.run(mode()) == 0o600


def test_a_hub_in_production_is_given_no_development_certificate(far: Stack) -> None:
    settings = config_file(far, "directory")
    before = settings.read_text(encoding="utf-8")
    write(settings, before.replace('"development"', '"production"'))
    said = exchange(far, json.dumps(WANTED).encode() + b"\n")
    write(settings, before)
    assert (said["code"], said["reason"]) == ("FAILED_PRECONDITION", "NOT_DEVELOPMENT")
    assert not (far.directory / "profiles" / "pilot").exists()


def test_a_directory_that_is_down_is_an_outage(far: Stack) -> None:
    said = exchange(far, json.dumps(WANTED).encode() + b"\n")
    assert (said["code"], said["reason"]) == ("UNAVAILABLE", "UNAVAILABLE")
    assert "dabir hub status" in said["message"]
    assert not (far.directory / "profiles" / "pilot").exists()


@pytest.mark.parametrize(
    "line",
    [
        b'{"command": ',
        b"\xff\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        b"x" * (control_socket.REQUEST_BYTES + 1),
        json.dumps(WANTED | {"command": "clean"}).encode() + b"\n",
        json.dumps(WANTED | {"more": 1}).encode() + b"\n",
        json.dumps(WANTED | {"fa": 1}).encode() + b"\n",
        json.dumps(WANTED | {"positions": "رئیس"}).encode() + b"\n",
        json.dumps(WANTED | {"positions": [None]}).encode() + b"\n",
    ],
)
def test_what_is_no_request_is_answered_with_what_is_wrong(
    far: Stack, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "READ_TIMEOUT_SECONDS", 0.5)  # for the line that never ends
    said = exchange(far, line)
    assert (said["ok"], said["reason"]) == (False, "REQUEST_INVALID")
    assert said["message"]


def test_a_supervisor_that_ends_before_it_answers_is_an_outage(tmp_path: Path) -> None:
    async def ask() -> None:
        listener = control_socket._listen(tmp_path)

        def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_unix_server(hang_up, sock=listener):
            await asyncio.to_thread(hub._ask, tmp_path.parent, WANTED)

    (tmp_path.parent / "run").symlink_to(tmp_path)
    with pytest.raises(UnavailableError) as raised:
        asyncio.run(ask())
    assert raised.value.reason == "NO_ANSWER"


def test_a_socket_that_nobody_serves_any_more_is_no_stack(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    control_socket._listen(tmp_path / "run").close()
    with pytest.raises(UnavailableError) as raised:
        hub._ask(tmp_path, WANTED)
    assert raised.value.reason == "NO_STACK"
    assert not isinstance(raised.value, RefusedError)
