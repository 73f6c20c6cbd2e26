# SPDX-License-Identifier: Apache-2.0
"""Processes: fork, pipe, exit status, kill, reap, die with the parent.

Imports little: the first worker is forked before this process has loaded more.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NoReturn

from vkzircon_cli.worker.interrupt import SIGNALS

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_UNFINISHED = 71  # the exit status of work that raised; work that returns exits with 0
NOT_BEGUN = 73  # the system refused a call before the work: no driver has run
_POLL_S = 0.001
_KEY_BYTES = 16
_STANDARD_ERROR = 2
_UNUSUAL = 256  # programs and drivers use lower descriptors; `select` allows up to 1023
_PATIENCE_S = 5.0  # a process that is killed inside a driver's ioctl ends only when the ioctl returns, if it ever does


def pipe() -> tuple[int, int]:
    """Return a pipe's read end and write end, as `unusual` has them."""
    ends = os.pipe()
    try:
        read, write = map(unusual, ends)
    finally:
        for end in ends:
            os.close(end)
    return read, write


def unusual(descriptor: int) -> int:
    """Return a copy of *descriptor*, above those that a library expects to be in use if the limit on them allows it.

    It is no standard descriptor, because a fork replaces those.

    Raises:
        OSError: there are too many already.
    """
    for number in (*range(_UNUSUAL, 2 * _UNUSUAL), *range(3, _UNUSUAL)):
        try:
            os.fstat(number)
        except OSError:  # it is free
            with suppress(OSError):  # it is above the limit
                return os.dup2(descriptor, number, inheritable=False)
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def new_key() -> bytes:
    """Return a random key for the frames of a process, in hexadecimal digits."""
    return os.urandom(_KEY_BYTES).hex().encode("ascii")


def is_readable(descriptor: int, patience_s: float = 0.0) -> bool:
    """Whether the descriptor has data, or reaches its end, within *patience_s*."""
    return bool(select.select([descriptor], [], [], patience_s)[0])


class Process:
    """A forked process, in a process group of its own. Its exit status can be read until `reap`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        _living.append(self)
        with suppress(OSError):  # both processes make this call, because either may run first
            os.setpgid(pid, 0)

    def exit_status(self, patience_s: float = 0.0) -> int | None:
        """Return the exit status, or minus the signal that killed it; None if it still runs after *patience_s*.

        The status can be read again, so a signal between the system call and this method's return loses nothing.
        """
        until = time.monotonic() + patience_s
        try:
            while (ended := os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
                if time.monotonic() >= until:
                    return None
                time.sleep(_POLL_S)
        except ChildProcessError:  # a library in this process ignores SIGCHLD, which discards the status
            return 0
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def kill(self) -> None:
        """Kill the process and its group, which may outlive it. The process must not be reaped yet."""
        for kill in (os.killpg, os.kill):  # the group may not exist yet
            with suppress(OSError):
                kill(self._pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for the process and free its id; the exit status cannot be read any more."""
        if self in _living:
            _living.remove(self)
        with suppress(OSError):  # a sandbox may refuse to wait; the process ends without that too
            if self.exit_status(_PATIENCE_S) is not None:
                os.waitpid(self._pid, 0)


_living: list[Process] = []
_adopting: list[bool] = []
_first: list[str] = []


def refusal() -> str:
    """Return why the first fork of this process was refused, '' if it succeeded or none was tried.

    The first fork decides for the whole run: a driver that ran in a worker never runs in this process later.
    """
    return "".join(_first)


def start(work: Callable[[], None], output: int | None = None, keeps: Collection[int] | None = None) -> Process:
    """Fork a process that calls *work* and exits; *output*, else the null device, replaces its standard streams.

    Of the descriptors that this process opened, or that can be written to, the forked one has those of *keeps* only: a
    library in it could write to the others, such as a trace or the requests of another worker. None keeps all.

    Signals are blocked until the process is listed for `end_all`, and until the process has its own handlers.

    Raises:
        OSError: the system refuses, because of a limit on processes or a filter of system calls.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an ignored SIGCHLD is inherited, and discards exit statuses
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    parent = os.getpid()
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            _run(work, output, keeps, mask, parent)
        _first[:] = _first or [""]
        return Process(pid)
    except OSError as error:
        _first[:] = _first or [str(error.strerror)]
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run(
    work: Callable[[], None],
    output: int | None,
    keeps: Collection[int] | None,
    mask: set[int | signal.Signals],
    parent: int,
) -> NoReturn:
    status = NOT_BEGUN
    try:
        # While a driver hangs in C, Python's handlers do not run: the default actions must end this process.
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with suppress(OSError):
            os.setpgid(0, 0)
        nothing = _open_nothing()
        for descriptor, target in enumerate((nothing, output or nothing, output or nothing)):
            os.dup2(target, descriptor)
        if keeps is not None:
            _close_all_but(keeps)
        die_with(parent)
        _leave_no_core()
        status = _UNFINISHED
        work()
        status = 0
    finally:
        os._exit(status)


def _leave_no_core() -> None:
    """Turn off core dumps: the report describes the crash, and a driver's core file may have gigabytes."""
    import resource  # not in Python for Fuchsia, which has no fork either

    with suppress(OSError, ValueError):  # a sandbox may refuse it
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _open_nothing() -> int:
    """Open the null device; in a sandbox without devices, a folder, which cannot be read or written."""
    with suppress(OSError):
        return os.open(os.devnull, os.O_RDWR)
    return os.open("/", os.O_RDONLY)


def _close_all_but(kept: Collection[int]) -> None:
    """Close what the start of another program would close, and what can be written to, such as a result's target.

    What this process inherited to read stays: a shell's ``<(...)`` may be a manifest.
    """
    from fcntl import F_GETFL, fcntl  # not in Python for Fuchsia, which has no fork either

    try:
        numbers = list(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - pathlib takes 3 ms to import
    except OSError:
        numbers = list(range(2 * _UNUSUAL))
    for descriptor in numbers:
        with suppress(OSError):  # a descriptor that is not open, as that of the list itself
            is_ours = descriptor in kept or descriptor <= _STANDARD_ERROR
            is_only_read = fcntl(descriptor, F_GETFL) & os.O_ACCMODE == os.O_RDONLY
            if not is_ours and not (is_only_read and os.get_inheritable(descriptor)):
                os.close(descriptor)


def adopt_orphans() -> None:
    """Become the parent of each process that a library starts and leaves behind, so that `end_all` ends it too.

    Not if this process has children that it did not fork: they are of the program that it was before.
    """
    if len(_children()) > len(_living):
        return
    with suppress(ImportError, OSError, AttributeError):  # the system may lack it
        from vkzircon_cli.bindings.dynlib import in_this_process

        in_this_process().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _adopting.append(True)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as listed:  # noqa: PTH123 - pathlib takes 3 ms
            return list(map(int, listed.read().split()))
    except OSError:  # a kernel may lack the list
        return []


def end_all() -> None:
    """Kill every process that is not reaped, and every orphan of theirs, and wait for their ends."""
    for process in _living:
        process.kill()
    while _living:
        _living[0].reap()
    until = time.monotonic() + _PATIENCE_S
    while _adopting and (orphans := _children()) and time.monotonic() < until:
        for orphan in orphans:  # the next look finds what it started
            with suppress(OSError):
                os.kill(orphan, signal.SIGKILL)
                if os.waitpid(orphan, os.WNOHANG) == (0, 0):
                    time.sleep(_POLL_S)


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def die_with(parent: int) -> None:
    """Make the kernel kill this process when *parent* ends, if the system supports it."""
    with suppress(ImportError, OSError, AttributeError):
        from vkzircon_cli.bindings.dynlib import in_this_process  # 3 ms, in the forked process only

        in_this_process().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if min(parent, os.getppid()) > 0 and os.getppid() != parent:  # a sandbox may refuse to tell either
        os._exit(0)
