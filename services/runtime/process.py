"""A process of ours, service or worker: from its settings to its exit status.

    async def main(config: IntakeConfig) -> None:
        ...

    run(IntakeConfig, main)

It stands apart from `server`, so that the workers, which serve nothing, need neither a database nor a gate.
"""

import asyncio
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from services.runtime import logs
from services.runtime.config import ProcessConfig, StartRefused, load
from services.runtime.logs import log
from services.runtime.transport import check_certificates

START_REFUSED = 2
"""Exit status of a process that cannot start as it is configured."""

Config = TypeVar("Config", bound=ProcessConfig)


def run(config_class: type[Config], main: Callable[[Config], Awaitable[None]]) -> None:
    """`python -m services.x CONFIG.toml`: settings, logs, certificates, `main`. Ends the process: 0, 1 (failed), 2
    (cannot start)."""
    if len(sys.argv) != 2:
        print(f"usage: python -m {_module()} CONFIG.toml", file=sys.stderr)
        sys.exit(START_REFUSED)
    try:
        _take_all_descriptors()
        config = load(config_class, Path(sys.argv[1]))
        logs.configure(config)
        # Before anything is opened: directory's seed would be stated under a seal of the development PKI.
        check_certificates(config)
        asyncio.run(_main(config, main))
    except StartRefused as refused:
        print(refused, file=sys.stderr)
        sys.exit(START_REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)


def stop_signal() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes. Call it in the running loop, once."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked


def _take_all_descriptors() -> None:
    """As many open files as the kernel lets this process have: a shell's 1024 are fewer than the connections of members
    that idle, and who is connected could not store a segment any more.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _main(config: Config, main: Callable[[Config], Awaitable[None]]) -> None:
    try:
        await main(config)
    except StartRefused:
        raise
    except Exception:
        log.exception("process_failed")
        sys.exit(1)


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.parent if spec else "services.…"
