"""Regenerates the stubs under `protos/gen` from every proto under `protos/dabir` and `protos/third_party`.

python protos/generate.py           write protos/gen
python protos/generate.py --check   change nothing; say which committed stubs differ, and end with 1 if any does
"""

import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
GENERATED = PROTOS / "gen"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def generate(target: Path) -> None:
    """Writes messages, services and their type stubs into `target`. Raises SystemExit with protoc's status."""
    sources = sorted(str(path) for root in ("dabir", "third_party") for path in (PROTOS / root).rglob("*.proto"))
    outputs = [f"--{plugin}_out=quiet:{target}" for plugin in ("mypy", "mypy_grpc")]
    outputs += [f"--{plugin}_out={target}" for plugin in ("python", "grpc_python")]
    roots = [f"-I{PROTOS / 'third_party'}", f"-I{PROTOS}", f"-I{WELL_KNOWN}"]
    status = protoc.main(["protoc", *roots, *outputs, *sources])  # type: ignore[no-untyped-call]  # grpcio-tools is untyped
    if status != 0:
        raise SystemExit(status)
    drop_empty_service_stubs(target)
    mark_typed(target)


def drop_empty_service_stubs(target: Path) -> None:
    """Removes the `_pb2_grpc` files of protos that define no service: they hold no class, only a version check."""
    for stubs in target.rglob("*_pb2_grpc.py"):
        if "class " not in stubs.read_text(encoding="utf-8"):
            stubs.unlink()
            stubs.with_suffix(".pyi").unlink(missing_ok=True)


def mark_typed(target: Path) -> None:
    """Puts `py.typed` in each package (PEP 561). The namespace `dabir` itself has two roots and can hold none."""
    for package in target.glob("*/*/"):
        (package / "py.typed").touch()


def differences(expected: Path, found: Path) -> list[Path]:
    """The files, relative, that are missing, stale or different in `found`."""
    wanted = {path.relative_to(expected) for path in expected.rglob("*") if path.is_file()}
    present = {path.relative_to(found) for path in found.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    changed = (p for p in wanted & present if not filecmp.cmp(expected / p, found / p, shallow=False))
    return sorted({*(wanted ^ present), *changed})


def bring_up_to_date(fresh: Path, names: list[Path]) -> None:
    """Replaces file by file, each atomically, so that a process importing the stubs meanwhile finds them whole."""
    for name in names:
        target = GENERATED / name
        if not (fresh / name).exists():
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(f".{target.name}.new")
        shutil.copyfile(fresh / name, arriving)
        arriving.replace(target)


def main(arguments: list[str]) -> int:
    # protoc looks for the plugins of mypy-protobuf on PATH; they stand beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        stale = differences(fresh, GENERATED)
        if arguments == ["--check"]:
            for name in stale:
                print(f"protos/gen/{name} is not what the protos say", file=sys.stderr)
            if stale:
                print("Run `make protos` and commit protos/gen.", file=sys.stderr)
            return 1 if stale else 0
        bring_up_to_date(fresh, stale)
    print(f"protos/gen: {len(stale)} files changed" if stale else "protos/gen is up to date")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
