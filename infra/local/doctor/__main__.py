"""python -m infra.local.doctor [--s3 CONFIG.toml]

Ends with 0 if all is there, and with 1 if something needs mending.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Iterator

from infra.local.doctor import chromium, machine, packages, servers
from infra.local.doctor.finding import CHECKOUT, ENVIRONMENT, Finding, environment_is_made

PARTS: tuple[Callable[[], Finding], ...] = (
    packages.python, machine.system, machine.make, machine.git, packages.ensurepip, packages.package_index,
    packages.locked_packages, servers.temporal, servers.postgresql, servers.s3, chromium.chromium, machine.disk,
    machine.ports,
)  # fmt: skip


def examine() -> Iterator[Finding]:
    """Each part in turn. A check that itself fails is a finding too, so that the others are still seen."""
    for part in PARTS:
        try:
            yield part()
        except Exception as error:  # whatever it is, it is what this machine answers
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding(part.__name__, said, "mend what the message names, then run make doctor")


def show(finding: Finding) -> None:
    """A line for what was found, and a line for the remedy if it needs one."""
    print(f"{'MEND' if finding.remedy else 'ok':5}{finding.part:16} {finding.found}", flush=True)
    if finding.remedy:
        print(f"{'':5}{'':16} → {finding.remedy}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make doctor", description="What is missing here, and how to mend it.")
    parser.add_argument("--s3", metavar="CONFIG.toml", help="try the object store of documents' configuration too")
    chosen = parser.parse_args()
    whole = True
    for finding in examine():
        whole = whole and not finding.remedy
        show(finding)
    if chosen.s3 is None:
        return 0 if whole else 1
    if not environment_is_made():
        show(Finding("object store", "not tried: its client comes with the environment", "run make up, then this"))
        return 1
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "infra.conformance", chosen.s3]
    answer = subprocess.run(command, cwd=CHECKOUT, check=False)  # noqa: S603 - our own command
    return 0 if whole and answer.returncode == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
