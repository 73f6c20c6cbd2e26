# SPDX-License-Identifier: Apache-2.0
"""What every forked child needs: a pipe to its parent, a parent that learns how it ended, an end when that ends."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from vkzircon_cli.bindings.dynlib import in_this_process
from vkzircon_cli.worker.interrupt import SIGNALS

_PR_SET_PDEATHSIG = 1
_UNFINISHED = 71  # no answer at all: work that ends by itself leaves with 0
_POLL_S = 0.001
_PATIENCE_S = 5.0  # a process that was killed inside a driver's ioctl is gone when that returns, if ever


def pipe() -> tuple[int, int]:
    """Make a pipe whose ends are none of the standard descriptors, which the child puts its own things on."""
    import fcntl  # which a Python on Fuchsia has not, as it has no fork

    ends = os.pipe()
    try:
        moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    finally:
        for end in ends:
            os.close(end)
    return moved[0], moved[1]


class Process:
    """A forked process of *pid*, in a group of its own with whatever it starts. It stays to be asked until `reap`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        _living.append(self)
        with suppress(OSError):  # the child does so too: whoever comes first, the end finds the group
            os.setpgid(pid, 0)

    def exit_code(self, patience_s: float = 0.0) -> int | None:
        """Give its exit code, or minus the signal that killed it; None if it still runs when *patience_s* is over.

        It can be asked again: Ctrl-C between the kernel's answer and ours must take nothing away.
        """
        until = time.monotonic() + patience_s
        while (ended := os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() >= until:
                return None
            time.sleep(_POLL_S)
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def kill(self) -> None:
        """Kill it and what it started, which may live on where it died; it must not be reaped yet."""
        for kill in (os.killpg, os.kill):  # it may have no group yet
            with suppress(OSError):
                kill(self._pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait until it is gone, if that can be; whoever calls this asks nothing more of it."""
        if self in _living:
            _living.remove(self)
        if self.exit_code(_PATIENCE_S) is not None:
            os.waitpid(self._pid, 0)


_living: list[Process] = []
_first: list[str] = []


def refusal() -> str:
    """Return why the first fork of this process was refused, '' if it was not, or none was tried.

    The first one decides for the whole run: a driver that was asked in a child is never asked in this process later.
    """
    return "".join(_first)


def start(be_child: Callable[[], None]) -> Process:
    """Fork a process that does what *be_child* says and leaves; how it will end can be learned wherever we come from.

    Signals wait until the child is known to `end_all`, and until the child has its own handlers.

    Raises:
        OSError: the system refuses, because of a limit on processes or a filter of system calls.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who had it ignored had it ignored for us too
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            _be_child(be_child, mask)
        _first[:] = _first or [""]
        return Process(pid)
    except OSError as error:
        _first[:] = _first or [str(error.strerror)]
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _be_child(be_child: Callable[[], None], mask: set[int | signal.Signals]) -> NoReturn:
    try:
        # A driver that hangs in C never lets Python's handlers run, so signals must end this process by themselves.
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setpgid(0, 0)
        be_child()
    finally:
        os._exit(_UNFINISHED)


def end_all() -> None:
    """Kill every process that nobody reaped, and wait until each is gone."""
    for process in _living:
        process.kill()
    while _living:
        _living[0].reap()


def signal_name(number: int) -> str:
    """Name a signal; those without a name have a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when the parent's does, however that ends; not every system's can."""
    with suppress(ImportError, OSError, AttributeError):
        in_this_process().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
