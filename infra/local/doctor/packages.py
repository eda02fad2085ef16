"""Python, and whether the packages of the environment can be had."""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from infra.local.doctor.finding import CHECKOUT, ENVIRONMENT, Finding, environment_is_made

PYTHON_AT_LEAST = (3, 11)
ANSWER_SECONDS = 30


def python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    wanted = ".".join(map(str, PYTHON_AT_LEAST))
    old = sys.version_info[:2] < PYTHON_AT_LEAST
    return Finding("Python", found, f"install Python {wanted} or newer, and say make PYTHON=/path/to/it" if old else "")


def ensurepip() -> Finding:
    if environment_is_made():
        return Finding("ensurepip", f"not needed: {ENVIRONMENT} is made")
    if importlib.util.find_spec("ensurepip") is not None:
        return Finding("ensurepip", "there")
    return Finding("ensurepip", "missing", "python3 -m venv needs it; on Debian: apt-get install python3-venv")


def package_index() -> Finding:
    """Whether pip's index, as pip is configured, has the one package that make installs by pip."""
    part = "package index"
    if environment_is_made():
        return Finding(part, f"not needed: {ENVIRONMENT} is made")
    if not any(map(importlib.util.find_spec, ("pip", "ensurepip"))):
        return Finding(part, "not asked: this Python has no pip", "mend ensurepip, then run make doctor again")
    if index_has("uv"):
        return Finding(part, "pip finds uv in it")
    return Finding(
        part, "pip finds no uv in the index it is set to",
        "check the network, or name an index you reach: PIP_INDEX_URL, or index-url in pip.conf (pip config list)",
    )  # fmt: skip


def locked_packages() -> Finding:
    """Whether uv will reach the packages: with a frozen lock file it takes them from the addresses in it alone."""
    part = "locked packages"
    if environment_is_made():
        return Finding(part, f"not needed: {ENVIRONMENT} is made")
    address = re.search(r'url = "([^"]+\.whl)"', (CHECKOUT / "uv.lock").read_text(encoding="utf-8"))
    if address is None:
        return Finding(part, "uv.lock names none", "git checkout uv.lock")
    if _answers(address[1]):
        return Finding(part, "the addresses in uv.lock answer")
    return Finding(
        part, "the addresses in uv.lock do not answer",
        "uv reads no pip.conf: for an index of your own run UV_DEFAULT_INDEX=… .venv/bin/uv lock, then make again",
    )  # fmt: skip


@cache
def index_has(name: str) -> bool:
    """Whether pip, as it is configured, finds a package. Where this Python has no pip, that of a new environment."""
    with tempfile.TemporaryDirectory() as folder:
        python = sys.executable
        if importlib.util.find_spec("pip") is None:
            python = f"{folder}/bin/python"
            _succeeds(sys.executable, "-m", "venv", folder)
        options = ("--disable-pip-version-check", "--retries=1", "--timeout=10")
        return _succeeds(python, "-m", "pip", *options, "index", "versions", name)


def _succeeds(*command: str) -> bool:
    try:
        answer = subprocess.run(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=4 * ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def _answers(address: str) -> bool:
    """Whether the address gives its first byte. Proxies and SSL_CERT_FILE are kept to, as uv does."""
    if not address.startswith(("https://", "http://")):
        return Path(address).exists()
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - http(s), from uv.lock
            return bool(answer.read(1))
    except (urllib.error.URLError, OSError):
        return False
