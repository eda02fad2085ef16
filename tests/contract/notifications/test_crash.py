"""kill -9 between sending and recording: sent again under the same id, stated once."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from infra.local.settings import toml
from tests.contract.harness import until
from tests.contract.notifications.harness import ACCEPTANCE, Hub, running
from tests.contract.notifications.receiver import receiving


async def start(hub: Hub, folder: Path, **settings_given: Any) -> asyncio.subprocess.Process:
    """The service as a process; its claims end after two seconds."""
    short = {"webhook_timeout_seconds": 1.0, "claim_seconds": 2.0, "retry_seconds": (1, 1, 1, 1)}
    config = hub.config(**short, **settings_given)
    settings = {name: value for name, value in vars(config).items() if value is not None}
    file = folder / "notifications.toml"
    file.write_text(toml({k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}), encoding="utf-8")
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "services.notifications", str(file))


async def test_what_was_sent_and_not_recorded_is_sent_again_under_the_same_id(hub: Hub, tmp_path: Path) -> None:
    held = asyncio.Event()

    async def hold() -> int:
        await held.wait()
        return 200

    async with receiving(answer=lambda count: hold() if count == 1 else 200) as receiver:
        delivery = await hub.delivery()
        process = await start(hub, tmp_path)
        try:
            async with running(hub, delivering=False) as service:
                await service.endpoint(receiver)
                assert await service.notify(delivery) == 1
            await until(lambda: receiver.under_way == 1)
            os.kill(process.pid, signal.SIGKILL)
        finally:
            await process.wait()
        held.set()
        process = await start(hub, tmp_path)
        try:
            await until(lambda: bool(hub.stated(delivery)))
        finally:
            process.terminate()
            assert await process.wait() == 0
    assert len(receiver.arrived) == 2
    assert receiver.arrived[0].id == receiver.arrived[1].id
    assert receiver.arrived[0].body == receiver.arrived[1].body
    assert [event for event, _ in hub.stated(delivery)] == [ACCEPTANCE]
