# SPDX-License-Identifier: Apache-2.0
"""What every forked child needs: a pipe to its parent, a name for what killed it, an end when the parent ends."""

import os
import signal
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def pipe() -> tuple[int, int]:
    """Make a pipe whose ends are none of the standard descriptors, which the child puts its own things on."""
    import fcntl  # which a Python on Fuchsia has not, as it has no fork

    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def signal_name(number: int) -> str:
    """Name a signal; those without a name have a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when the parent's does, however that ends; not every system's can."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes  # loads in a third of the time that cffi takes, and there may be a child for each manifest

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
