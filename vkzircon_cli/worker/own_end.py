# SPDX-License-Identifier: Apache-2.0
"""Keeps a driver in this process from ending it, or from replacing its program, by a system call.

Only vkzircon may choose the exit code: after _exit(0), or exec of another program, it could be 0, as for a pass. The
kernel holds a thread that makes such a call (seccomp_unotify(2); Linux 5.0), and the main thread notices it. In the
main thread, only a signal handler of the driver can make such a call. No thread is left that could notice it, so the
kernel kills the process.

Every start imports this module, but few need more of it than `status`: so the functions import the rest.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_KILL, _HOLD, _ALLOW = 0x80000000, 0x7FC00000, 0x7FFF0000
_LOAD, _IS, _IS_AT_LEAST, _SHIFT_RIGHT, _RETURN = 0x20, 0x15, 0x35, 0x74, 0x06
_X32, _NONE = 0x40000000, 0x80000000  # numbers from here on: the calls of x32; no call, such as -1
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # offsets in struct seccomp_data
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_NOTICE_SIZE, _GO_ON = 80, 1
# By machine: architecture, and numbers of seccomp, execve, execveat and exit_group (linux/audit.h, asm/unistd.h).
_OF_MACHINE = {"x86_64": (0xC000003E, 317, 59, 322, 231), "aarch64": (0xC00000B7, 277, 221, 281, 94)}
_STATUS_BITS = 8  # the kernel ignores all higher bits, so they can hold a key
_key = [0]


def status(code: int) -> int:
    """Return the argument of `_exit` by which this process ends with *code*."""
    return _key[0] << _STATUS_BITS | code


def hold() -> Callable[[], bool]:
    """From now on, hold this thread, and each that it starts, if it ends the process without `status` or uses exec.

    Returns:
        A function that returns whether a thread is held. If the system cannot hold one, such a call kills the process.
    """
    from vkzircon_cli.worker.process import unusual

    with suppress(ImportError, OSError, AttributeError, KeyError):
        from fcntl import ioctl  # now: a driver may hold the linker's lock later. Not in Python for Fuchsia

        _key[0] = int.from_bytes(os.urandom(2)) | 1 << 16
        if (opened := _filter(_HOLD, _NEW_LISTENER)) >= 0:
            listener = unusual(opened)
            os.close(opened)
            return partial(_is_held, listener, ioctl)
        kill_here()  # the sandbox of a container may have the only listener that there can be
    return lambda: False


def kill_here() -> None:
    """From now on, let the kernel kill this process if this thread makes such a call. Call `hold` first."""
    with suppress(ImportError, OSError, AttributeError, KeyError):
        _filter(_KILL, 0)


def _is_held(listener: int, ioctl: Callable[..., object]) -> bool:
    """Whether a thread of this process is held. A process that a driver forked has the filter too, and may go on.

    Before Linux 5.5, which has `_GO_ON`, such a process stays held too.
    """
    import select  # loaded already, as struct is: no wait for the linker's lock
    import struct

    events = select.poll()
    events.register(listener, select.POLLIN)
    with suppress(OSError):  # a driver may close it
        while any(event & select.POLLIN for _, event in events.poll(0)):
            notice = bytearray(_NOTICE_SIZE)
            ioctl(listener, _RECEIVE, notice)
            number, thread = struct.unpack_from("QI", notice)
            if _is_own(thread):
                return True
            ioctl(listener, _SEND, struct.pack("QqiI", number, 0, 0, _GO_ON))
    return False


def _is_own(thread: int) -> bool:
    """Whether *thread* is one of this process; True if /proc cannot be read."""
    try:
        return str(thread) in os.listdir("/proc/self/task")  # noqa: PTH208 - pathlib takes 3 ms to import
    except OSError:
        return True


def _filter(otherwise: int, flags: int) -> int:
    """Install the filter in this thread; return what the system call does, a listener if *flags* ask for one.

    Calls of another architecture, which a thread can make by the interrupt 0x80, have other numbers: all are refused.
    """
    import struct

    from vkzircon_cli.bindings._abi import ffi
    from vkzircon_cli.bindings.dynlib import in_this_process

    arch, seccomp, execve, execveat, exit_group = _OF_MACHINE[os.uname().machine]
    steps = (  # operation, steps to skip if it is true, steps to skip if it is false, operand
        (_LOAD, 0, 0, _ARCH),
        (_IS, 0, 10, arch),
        (_LOAD, 0, 0, _NUMBER),
        (_IS_AT_LEAST, 7, 0, _NONE),
        (_IS_AT_LEAST, 7, 0, _X32),
        (_IS, 6, 0, execve),
        (_IS, 5, 0, execveat),
        (_IS, 0, 3, exit_group),
        (_LOAD, 0, 0, _FIRST),
        (_SHIFT_RIGHT, 0, 0, _STATUS_BITS),
        (_IS, 0, 1, _key[0]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, otherwise),
    )
    code = ffi.new("char[]", b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ffi.new("char[]", struct.pack("HP", len(steps), int(ffi.cast("uintptr_t", code))))
    libc = in_this_process()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return int(libc.syscall(seccomp, _SET_MODE_FILTER, flags, program))
