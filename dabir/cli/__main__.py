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


for one in (*send.COMMANDS, *receive.COMMANDS, *look.COMMANDS, *watch.COMMANDS, *tunnel.COMMANDS):
    main.add_command(one)
for one in hub.COMMANDS:
    hub_group.add_command(one)


if __name__ == "__main__":
    main()
