"""Where a stack keeps its things, and its ports. Two stacks are two folders: nothing else is shared."""

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local import postgres, s3, temporal

SERVICES = ("directory", "documents", "evidence", "notifications", "intake")
"""The gRPC services, in the order in which they start."""
MOST_REPLICAS = 2
BLOCK_PORTS = 64
"""A stack's ports are one block of neighbours; the first is held by the supervisor, and so reserves the block."""
FIRST_BLOCK, BLOCKS = 10240, 330
"""Below 32768: above it, any outgoing connection of this machine may sit on a port just when a server wants it."""


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says what to do."""


def _port_names() -> Iterator[str]:
    yield from ("supervisor", "postgres")
    yield from (f"s3.{name}" for name in s3.PORTS)
    yield from (f"temporal.{name}" for name in temporal.PORTS)
    for replica in range(1, MOST_REPLICAS + 1):
        yield from (f"{replica_name(name, replica)}.{use}" for name in SERVICES for use in ("grpc", "metrics"))
        yield f"{replica_name('workers', replica)}.metrics"


def replica_name(name: str, replica: int) -> str:
    """The process of a service's n-th copy: `intake`, `intake-2`."""
    return name if replica == 1 else f"{name}-{replica}"


PORT_NAMES = tuple(_port_names())


@dataclass(frozen=True)
class Stack:
    """One stack: its folder, the first port of its block, and how many copies of each service it runs."""

    directory: Path
    base_port: int
    replicas: int = 1

    def port(self, name: str) -> int:
        """The port of one of PORT_NAMES, e.g. `temporal.ui`."""
        return self.base_port + PORT_NAMES.index(name)

    def address(self, name: str) -> str:
        """`127.0.0.1:PORT` of one of PORT_NAMES."""
        return f"127.0.0.1:{self.port(name)}"

    def addresses(self, service: str) -> list[str]:
        """The gRPC addresses of all copies of a service."""
        return [self.address(f"{replica_name(service, number)}.grpc") for number in range(1, self.replicas + 1)]

    def database_url(self, role: str) -> str:
        """The connection string of a service's role, or of the owner (`dabir`)."""
        return postgres.url(role, self.secrets()["postgres"][role], self.port("postgres"))

    def secrets(self) -> dict[str, dict[str, str]]:
        """The passwords made at the first start: `postgres` by role, `s3` access_key and secret_key."""
        return json.loads(self.secrets_file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # ours

    @property
    def pki(self) -> Path:
        """The folder of the development PKI."""
        return self.directory / "pki"

    @property
    def roots(self) -> Path:
        """PEM: what everybody trusts here."""
        return self.pki / "root.pem"

    @property
    def crls(self) -> Path:
        """The folder of the revocation lists in force, one PEM file for each issuer."""
        return self.pki / "crls"

    @property
    def secrets_file(self) -> Path:
        return self.directory / "secrets" / "secrets.json"

    def make_folders(self) -> None:
        """Makes what is missing. PostgreSQL's user passes through the folder; what is secret is closed by itself."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, mode in (("run", 0o755), ("logs", 0o755), ("config", 0o700), ("secrets", 0o700)):
            (self.directory / name).mkdir(mode=mode, exist_ok=True)

    def make_secrets(self) -> None:
        """Draws the passwords at the first start: all of them or none."""
        if self.secrets_file.exists():
            return
        passwords = {role: secrets.token_urlsafe(24) for role in (postgres.OWNER, *postgres.ROLES)}
        keys = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}
        write(self.secrets_file, json.dumps({"postgres": passwords, "s3": keys}, indent=1), mode=0o600)


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replaces a file whole, so that a kill leaves the old one or the new one."""
    arriving = path.with_name(f".{path.name}.new")
    arriving.unlink(missing_ok=True)
    descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    arriving.replace(path)


def named_directory() -> Path:
    """The stack that DABIR_STACK names; `.stack` of the checkout if it names none."""
    return Path(os.environ.get("DABIR_STACK") or ".stack").absolute()


def named_replicas() -> int:
    """How many copies of each service REPLICAS asks for. Raises StackError."""
    given = os.environ.get("REPLICAS") or "1"
    if given not in {str(number) for number in range(1, MOST_REPLICAS + 1)}:
        raise StackError(f"REPLICAS={given}: write a number from 1 to {MOST_REPLICAS}.")
    return int(given)


def opened(directory: Path) -> Stack:
    """The stack in this folder as it was started last. Raises StackError if there never was one."""
    try:
        known = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackError(f"There is no stack in {directory}: start one with `make up`.") from error
    return Stack(directory, known["base_port"], known["replicas"])


def settle(directory: Path, replicas: int) -> tuple[Stack, socket.socket]:
    """Settles the ports for a start: those of last time if they are free, else another block; DABIR_PORTS names one.

    Returns the stack and the socket on the block's first port, to be kept open: it reserves the block.
    Raises StackError if the ports that DABIR_PORTS names are taken.
    """
    for base in _candidates(directory):
        reservation = _reserve(base)
        if reservation is not None:
            known = {"base_port": base, "replicas": replicas}
            write(directory / "stack.json", json.dumps(known))
            return Stack(directory, base, replicas), reservation
    where = f"from {named} on" if (named := os.environ.get("DABIR_PORTS")) else "wherever it was tried"
    raise StackError(
        f"Of {BLOCK_PORTS} neighbouring ports some are taken {where}: name a free block, DABIR_PORTS=21000."
    )


def _candidates(directory: Path) -> Iterator[int]:
    if named := os.environ.get("DABIR_PORTS"):
        if not named.isascii() or not named.isdigit() or not 1024 <= int(named) <= 65536 - BLOCK_PORTS:
            raise StackError(
                f"DABIR_PORTS={named}: write the first of {BLOCK_PORTS} ports, 1024 to {65536 - BLOCK_PORTS}."
            )
        yield int(named)
        return
    with contextlib.suppress(StackError):
        yield opened(directory).base_port
    for _ in range(BLOCKS):
        yield FIRST_BLOCK + BLOCK_PORTS * secrets.randbelow(BLOCKS)


def _reserve(base: int) -> socket.socket | None:
    """Listens on the first port if the whole block is free. Only one stack can."""
    first = _listen(base)
    if first is None:
        return None
    for port in range(base + 1, base + len(PORT_NAMES)):
        other = _listen(port)
        if other is None:
            first.close()
            return None
        other.close()
    return first


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    )  # as the servers do: a closing connection is no hindrance
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
    except OSError:
        listener.close()
        return None
    return listener
