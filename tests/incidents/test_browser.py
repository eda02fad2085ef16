"""Where the browser comes from, and what is said where none can be had."""

import os
import stat
from pathlib import Path

import pytest

from infra.parts import browser, browser_package
from infra.parts.cache import PartMissing

NPM = '#!/bin/sh\necho "$4" >"${3#--pack-destination=}/fake.tgz"\n'


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but what the returned folder holds, and an empty cache."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("DABIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DABIR_CHROMIUM", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return programs


def program(path: Path, text: str) -> Path:
    """A shell script that may be run."""
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_one_that_is_named_goes_first(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "chromium", "#!/bin/sh\nexit 0\n")
    named = program(tmp_path / "named", "#!/bin/sh\nexit 0\n")
    monkeypatch.setenv("DABIR_CHROMIUM", str(named))
    assert browser.program().path == named


def test_one_on_path_is_taken(bare: Path) -> None:
    there = program(bare / "chromium", "#!/bin/sh\nexit 0\n")
    assert browser.program(report=pytest.fail).path == there


def test_one_that_is_named_and_does_not_run_is_said(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DABIR_CHROMIUM", os.devnull)
    with pytest.raises(PartMissing, match="DABIR_CHROMIUM=/dev/null does not run"):
        browser.program()


def test_a_machine_without_a_build_says_what_to_install(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(PartMissing, match="apt-get install chromium"):
        browser.program()


def test_another_package_than_the_known_is_refused(bare: Path, tmp_path: Path) -> None:
    program(bare / "npm", NPM)
    program(bare / "node", "#!/bin/sh\nexit 0\n")
    with pytest.raises(PartMissing, match="is another file"):
        browser.program(report=lambda _: None)
    assert list((tmp_path / "cache").glob("chromium-*")) == []


def test_no_answer_of_the_registry_says_what_to_install(bare: Path) -> None:
    program(bare / "npm", "#!/bin/sh\necho offline >&2\nexit 1\n")
    program(bare / "node", "#!/bin/sh\nexit 0\n")
    with pytest.raises(PartMissing, match=f"npm does not give {browser_package.PACKAGE} .offline"):
        browser.program(report=lambda _: None)
