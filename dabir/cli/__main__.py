"""`dabir`: letters from the command line. `dabir COMMAND --help` says what each command takes."""

from typing import Any

import click

from dabir.cli import hub, look, receive, send, session, tunnel, watch


@click.group(cls=session.Commands, epilog=(session.__doc__ or "").partition("\n\n")[2])
@session.shared_options
def main(**_read_by_the_command: Any) -> None:
    """Send, take in, answer and follow letters. Needs a profile: --profile, or DABIR_PROFILE.

    The options below may stand here or behind the COMMAND; `dabir COMMAND --help` says what else it takes.
    """


@main.group(name="hub")
def hub_group() -> None:
    """The local stack."""


for room in (send, receive, look, watch, tunnel):
    room.register(main)
hub.register(hub_group)


if __name__ == "__main__":
    main()
