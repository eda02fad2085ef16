"""`dabir`: letters from the command line. `dabir COMMAND --help` says what each command takes."""

import signal

_ENDS_BY_CTRL_C = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _ENDS_BY_CTRL_C:  # quietly, while there is nothing to end but the reading of our own code
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from typing import Any  # noqa: E402 - as said above

import click  # noqa: E402

from dabir.cli import hub, look, receive, send, session, tunnel, watch  # noqa: E402

if _ENDS_BY_CTRL_C:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
