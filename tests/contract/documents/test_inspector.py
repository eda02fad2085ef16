"""The warm child: its limits, its replacement, what it may reach."""

import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.documents.inspection import inspector as inspector_module
from services.documents.inspection.finding import Finding, Limits
from services.documents.inspection.inspector import Inspector, InspectorDiedError
from tests.contract.documents.test_crash import children
from tests.unit.documents import files

LIMITS = Limits(memory_bytes=400 << 20, cpu_seconds=20, time_seconds=60, pages_max=1000, image_pixels_max=100_000_000)
SOUND = Finding(pages=1)


@pytest.fixture
async def inspector(request: pytest.FixtureRequest) -> AsyncIterator[Inspector]:
    """One child with LIMITS, or as the test's parameter changes them."""
    made = Inspector(replace(LIMITS, **getattr(request, "param", {})), processes=1)
    yield made
    await made.close()


async def look(inspector: Inspector, folder: Path, data: bytes, media_type: str = "application/pdf") -> Finding:
    path = folder / "file"
    path.write_bytes(data)
    return await inspector.inspect(path, media_type)


def child() -> int:
    """The one child's pid."""
    ours = [
        pid for pid in children(os.getpid()) if b"documents.inspection" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(ours) == 1
    return ours[0]


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


HOSTILE = {
    "memory, pdf": ({}, "application/pdf", files.bomb_pdf(1 << 30), "memory"),
    "memory, image": ({"memory_bytes": 200 << 20}, "image/png", files.png(9000, 9000), "memory"),
    "memory, json": ({}, "application/json", b"[" + b"[]," * (20 << 20) + b"[]]", "memory"),
    "processor": ({"cpu_seconds": 1}, "application/pdf", files.busy_pdf(500), "processor time"),
    "time": ({"time_seconds": 0.5}, "application/pdf", files.busy_pdf(500), "time"),
}


@pytest.mark.parametrize(
    ("inspector", "media_type", "data", "limit"), HOSTILE.values(), ids=HOSTILE, indirect=["inspector"]
)
async def test_bombs_cost_their_limit_and_nothing_else(
    inspector: Inspector, tmp_path: Path, media_type: str, data: bytes, limit: str
) -> None:
    found = await look(inspector, tmp_path, data, media_type)
    assert found.rejection == "INSPECTION_LIMIT"
    assert f"({limit})" in found.message
    assert inspector._children[0]._process is None  # its memory is not trusted with the next file
    # The next file is looked into as if nothing had been.
    if limit != "time":
        assert await look(inspector, tmp_path, files.pdf()) == SOUND


async def test_processor_time_is_counted_for_each_file(inspector: Inspector, tmp_path: Path) -> None:
    inspector._children[0]._limits = replace(LIMITS, cpu_seconds=2)
    await look(inspector, tmp_path, files.pdf())
    pid = child()
    busy = files.busy_pdf(2)
    while cpu_seconds(pid) < 3:  # more than the limit, all files together
        assert (await look(inspector, tmp_path, busy)).rejection is None
    assert child() == pid


async def test_a_child_is_warm_and_replaced_after_its_files(
    inspector: Inspector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector_module, "FILES_PER_CHILD", 3)
    pids = []
    for _ in range(7):
        assert await look(inspector, tmp_path, files.pdf()) == SOUND
        pids.append(child())
    assert pids == [pids[0]] * 3 + [pids[3]] * 3 + [pids[6]]
    assert len(set(pids)) == 3


async def test_a_child_ended_from_outside_is_replaced_and_twice_said(inspector: Inspector, tmp_path: Path) -> None:
    await look(inspector, tmp_path, files.pdf())
    os.kill(child(), signal.SIGKILL)
    assert await look(inspector, tmp_path, files.pdf()) == SOUND

    busy, ended = inspector._children[0], []
    warm = busy._warm

    async def warm_and_doomed() -> object:
        process = await warm()
        process.kill()
        ended.append(process.pid)
        return process

    busy._warm = warm_and_doomed  # type: ignore[method-assign, assignment]  # an operator who kills each at once
    with pytest.raises(InspectorDiedError):
        await look(inspector, tmp_path, files.pdf())
    assert len(ended) == 2


async def test_a_file_is_not_blamed_for_a_child_that_stands_still(inspector: Inspector, tmp_path: Path) -> None:
    await look(inspector, tmp_path, files.pdf())
    inspector._children[0]._limits = replace(LIMITS, time_seconds=5)
    os.kill(stopped := child(), signal.SIGSTOP)
    assert await look(inspector, tmp_path, files.pdf()) == SOUND
    assert child() != stopped


async def test_what_the_child_may_reach(inspector: Inspector, tmp_path: Path) -> None:
    await look(inspector, tmp_path, files.pdf())
    limits = of_child("limits").decode()
    for name, value in (("file size", 0), ("open files", 16), ("core file size", 0), ("address space", 400 << 20)):
        assert re.search(rf"Max {name} +{value} +{value} ", limits), name
    assert of_child("environ") == b"LC_ALL=C.UTF-8\0"


def of_child(what: str) -> bytes:
    return Path(f"/proc/{child()}/{what}").read_bytes()
