"""Runs a program so that the kernel ends it when its starter dies.

    python -I -S leash.py STARTER SIGNAL USER GROUP PROGRAM ARGUMENT...

STARTER is the starter's process id, SIGNAL the number of what PROGRAM gets then (prctl(2), PR_SET_PDEATHSIG), USER and
GROUP are ids or `-`. A program of its own and no `preexec_fn`: the starter has threads, and Python code between fork
and exec may deadlock there. The user is changed first, because the kernel forgets the wish at such a change.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    starter, signal_number, user, group, *program = sys.argv[1:]
    if group != "-":
        os.setgroups([])
        os.setgid(int(group))
    if user != "-":
        os.setuid(int(user))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal_number)) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != int(starter):  # it died before the wish was noted
        raise SystemExit("the starter is gone")
    os.execve(program[0], program, os.environ)  # noqa: S606 - running it is the point


if __name__ == "__main__":
    main()
