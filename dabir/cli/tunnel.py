"""`dabir tunnel`: a service of the hub for programs whose TLS library cannot read its certificates."""

from contextlib import suppress
from pathlib import Path

import click

from dabir.cli.session import Session, command
from dabir.client import profile as profiles
from dabir.client import tunnel as tunnels


@command()
@click.argument("service", type=click.Choice(profiles.SERVICES))
@click.argument("socket", type=click.Path(path_type=Path))
def tunnel(session: Session, service: str, socket: Path) -> None:
    """Answers gRPC at the Unix SOCKET as SERVICE of the hub, with our body's certificate, until Ctrl-C.

    For programs whose TLS library cannot read the hub's certificates, as Go's cannot. Only your own user can open
    the socket; who can is your body to that service.
    """
    profile = session.client.profile

    def ready() -> None:
        opened = {"service": service, "socket": str(socket), "body": profile.body}
        session.answer(opened, lambda: session.out.print(f"{service} at {socket}, as {profile.body}"))

    with suppress(KeyboardInterrupt):
        tunnels.serve(profile, service, socket, ready)


COMMANDS = (tunnel,)
