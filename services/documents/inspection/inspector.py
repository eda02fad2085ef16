"""Keeps warm children and gives them files: a Python start per document would cost more than the letter."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import asdict, dataclass
from pathlib import Path

from services.documents.inspection.finding import Finding, Limits, Rejection, too_costly

_ROOT = Path(__file__).resolve().parents[3]
FILES_PER_CHILD = 100


class InspectorDiedError(RuntimeError):
    """The child was ended from outside, twice: the file stays uninspected."""


class Inspector:
    """A fixed number of children; `inspect` waits for a free one."""

    def __init__(self, limits: Limits, *, processes: int) -> None:
        # The last one used is used again, so that children nobody needs are never started.
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        self._children = [_Child(limits) for _ in range(processes)]
        for child in self._children:
            self._free.put_nowait(child)

    async def inspect(self, path: Path, media_type: str) -> Finding:
        """Looks into the file at `path`. Raises InspectorDiedError."""
        child = await self._free.get()
        try:
            finding = await child.inspect(path, media_type)
            # A death may be an operator's doing or a leak's, a stall the machine's: a fresh child is asked before the
            # file is blamed.
            if isinstance(finding, _Death):
                finding = await child.inspect(path, media_type)
            if isinstance(finding, Finding):
                return finding
            if finding.blame is None:
                raise InspectorDiedError("two inspecting processes were killed over one file")
            return finding.blame
        finally:
            self._free.put_nowait(child)

    async def close(self) -> None:
        """Ends the children."""
        for child in self._children:
            await child.end()


@dataclass(frozen=True)
class _Death:
    """A child ended or stalled without an answer, and not by a limit of the kernel's.

    `blame`: what is found of a file over which it happens twice; None where it was killed from outside.
    """

    blame: Finding | None


class _Child:
    """One warm child, replaced after FILES_PER_CHILD files, after a limit was hit and after any death."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: Process | None = None
        self._files = 0

    async def inspect(self, path: Path, media_type: str) -> Finding | _Death:
        process = await self._warm()
        request = {"path": str(path), "media_type": media_type, "limits": asdict(self._limits)}
        sound = False
        try:
            async with asyncio.timeout(self._limits.time_seconds):
                line = await _ask(process, json.dumps(request).encode())
                if not line:
                    # It is ending: kill() would poll it first and take its exit status away from asyncio (255).
                    await process.wait()
            finding = _read(line) if line else None
            # After a limit its memory is not to be trusted with the next file.
            sound = finding is not None and finding.rejection is not Rejection.INSPECTION_LIMIT
        except TimeoutError:
            return _Death(too_costly("time"))
        finally:
            # Also when we are cancelled: its answer must not be taken for the next file's.
            if not sound:
                await asyncio.shield(self.end())
        return finding or _cause_of_death(process)

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _warm(self) -> Process:
        if self._files >= FILES_PER_CHILD or (self._process is not None and self._process.returncode is not None):
            await self.end()
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-E", "-s", "-m", "services.documents.inspection.child", str(self._limits.memory_bytes),
                # Nothing of the server's environment: no secret that a hostile file could reach.
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=_ROOT, env={"LC_ALL": "C.UTF-8"},
            )  # fmt: skip
            self._files = 0
        self._files += 1
        return self._process


async def _ask(process: Process, request: bytes) -> bytes:
    """One line to the child, and its line back; empty if it died."""
    assert process.stdin is not None  # noqa: S101 - made with PIPE
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ConnectionError):
        process.stdin.write(request + b"\n")
        await process.stdin.drain()
        return await process.stdout.readline()
    return b""


def _read(line: bytes) -> Finding:
    answer = json.loads(line)
    rejection = Rejection(answer["rejection"]) if answer["rejection"] else None
    return Finding(rejection, answer["message"], answer["pages"])


def _cause_of_death(process: Process) -> Finding | _Death:
    """Of a child that is dead: one that used up its time was ended by SIGXCPU (setrlimit(2))."""
    if process.returncode == -signal.SIGXCPU:
        return too_costly("processor time")
    killed = process.returncode in (-signal.SIGKILL, -signal.SIGTERM)
    return _Death(None if killed else too_costly("it makes the inspection fail"))
