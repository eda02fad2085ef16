"""What the command line may ask of a running stack: a line of JSON to a Unix socket, a line of JSON back.

`dabir` is what members install: it holds neither a CA nor an operator's key, and must not import `infra`. So it asks,
and the supervisor's process, whose stack it is, does the work. The socket `run/control.sock` is its owner's alone: who
may use it could read the stack's keys as well.

    {"command": "add-body", "name": "pilot", "fa": "…", "en": "…", "office": "main", "positions": ["…"]}
    {"ok": true, "body": "bodies/pilot", "office": "bodies/pilot/offices/main", "profile": "profiles/pilot/…"}
    {"ok": false, "code": "INVALID_ARGUMENT", "reason": "BAD_NAME", "message": "…"}
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from infra.local.add_body import AddBodyError, add_body
from infra.local.members import Member
from infra.local.stack import Stack

NAME = "control.sock"
REQUEST_BYTES = 1 << 20
READ_TIMEOUT_SECONDS = 10.0


@contextlib.asynccontextmanager
async def served(stack: Stack) -> AsyncIterator[None]:
    """Answers while the block runs. Only for who holds the stack's lock."""
    one_at_a_time = asyncio.Lock()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(await _answer(stack, one_at_a_time, reader)).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # who asked is gone, and may ask again
        finally:
            writer.close()

    listener = _listen(stack.directory / "run")
    async with await asyncio.start_unix_server(answer, sock=listener, limit=REQUEST_BYTES):
        yield


def _listen(folder: Path) -> socket.socket:
    """The socket, through an open folder: a socket's path may be 107 bytes long, and a stack's be longer."""
    (folder / NAME).unlink(missing_ok=True)  # a killed supervisor's
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{opened}/{NAME}")
    finally:
        os.umask(before)
        os.close(opened)
    return listener


async def _answer(stack: Stack, one_at_a_time: asyncio.Lock, reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            wanted = _read(await reader.readline())
    except (ValueError, RecursionError, TimeoutError) as error:
        said = f"the request was not understood: {error or 'it did not come whole in time'}"
        return _no("INVALID_ARGUMENT", "REQUEST_INVALID", said)
    try:
        async with one_at_a_time:
            profile = await asyncio.to_thread(add_body, stack, wanted)
    except AddBodyError as error:
        return _no(error.code, error.reason, str(error))
    except (OSError, ValueError) as error:  # a disk that is full, a key that somebody damaged
        return _no(
            "FAILED_PRECONDITION", "STACK_UNUSABLE", f"{error}; what was done stays: put it right, and ask again"
        )
    relative = str(profile.relative_to(stack.directory))
    return {"ok": True, "body": wanted.name, "office": wanted.office, "profile": relative}


def _no(code: str, reason: str, message: str) -> dict[str, Any]:
    return {"ok": False, "code": code, "reason": reason, "message": message}


def _read(line: bytes) -> Member:
    """Raises ValueError."""
    given = json.loads(line)
    texts = ("name", "fa", "en", "office")
    if (
        not isinstance(given, dict)
        or given.keys() != {"command", "positions", *texts}
        or given["command"] != "add-body"
    ):
        raise ValueError("it must be an add-body with name, fa, en, office and positions")
    positions = given["positions"] if isinstance(given["positions"], list) else [None]
    if not all(isinstance(text, str) for text in (*(given[name] for name in texts), *positions)):
        raise ValueError("names must be strings, positions a list of strings")
    return Member(given["name"], given["fa"], given["en"], tuple(given["positions"]), office_id=given["office"])
