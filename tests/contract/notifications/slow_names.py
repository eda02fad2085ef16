"""A body's name server of the test's own, which takes its time."""

import socket
import threading

from tests.contract.harness import until


class SlowNames:
    """A look-up of a test's own: a name that begins with `slow` hangs until `answer` is set."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ("127.0.0.1",)
        self.answer, self._hanging = threading.Event(), 0

    def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        if host.startswith("slow"):
            self._hanging += 1
            self.answer.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self.addresses

    async def hangs(self, count: int = 1) -> None:
        """So many names have been looked up in vain."""
        await until(lambda: self._hanging == count)

    def threads(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "resolve"]
