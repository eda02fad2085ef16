"""Ctrl-C ends a command with one sentence and status 130 at any moment of it, and never with a traceback."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

STATUS = 128 + signal.SIGINT
SENTENCE = "Interrupted: what this run started is stopped."


def expect() -> None:
    """For before a command's long imports: there is nothing to end, so Ctrl-C ends the process at once."""
    _handle(_end_at_once)


def told(command: Callable[[], int]) -> int:
    """The command's exit status; STATUS, and a sentence on standard error, if Ctrl-C ended it.

    The command ends by KeyboardInterrupt what it started; what it raises it with is said instead of SENTENCE.
    """
    _handle(_interrupt_once)
    try:
        return command()
    except KeyboardInterrupt as interrupted:
        print(str(interrupted) or SENTENCE, file=sys.stderr, flush=True)
        return STATUS
    finally:
        _handle(_end_at_once)


def _handle(handler: Callable[..., Any]) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell starts what is to run in the background
        signal.signal(signal.SIGINT, handler)


def _end_at_once(*_: object) -> NoReturn:
    os.write(2, b"Interrupted.\n")
    os._exit(STATUS)


def _interrupt_once(*_: object) -> NoReturn:
    signal.signal(signal.SIGINT, _ignore)  # ending takes seconds; a second Ctrl-C would leave it half done
    raise KeyboardInterrupt


def _ignore(*_: object) -> None:
    """Not SIG_IGN, which every process started from here on would inherit."""
