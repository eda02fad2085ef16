"""`dabir`: letters from the command line. `dabir COMMAND --help` says what each command takes."""

import click

from dabir.cli import hub, look, receive, send, session


@click.group(epilog=(session.__doc__ or "").partition("\n\n")[2])
def main() -> None:
    """Send, take in, answer and follow letters. Needs a profile: --profile, or DABIR_PROFILE."""


@main.group(name="hub")
def hub_group() -> None:
    """The local stack."""


for room in (send, receive, look):
    room.register(main)
hub.register(hub_group)


if __name__ == "__main__":
    main()
