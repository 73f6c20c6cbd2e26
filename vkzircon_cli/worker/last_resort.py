# SPDX-License-Identifier: Apache-2.0
"""Holds back exit() in a process that the driver shares: the run still ends with its report, and not with code 0.

The exit handlers are functions of libc itself: a Python callback would be code made at run time, which Fuchsia forbids
in components. Calls that reach the kernel without exit handlers, _exit() and exec, cannot be held back.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vkzircon_cli.bindings.dynlib import in_this_process
from vkzircon_cli.errors import Exit

_LARGEST_SEMAPHORE = 128
_PATIENCE_S = 60  # to write the report, while the thread that called exit() sleeps
_kept: list[Any] = []


def watch_exit() -> Callable[[], bool]:
    """Have each thread that calls exit() sleep from now on; return a function that says whether one has.

    The process then has a minute to end by ``os._exit``, before it ends with the code of a crash. Handlers that a
    driver registers later, as its destructors, run before. quick_exit() aborts: its handlers take no argument.
    """
    try:
        return _watch_exit()
    except (
        ImportError,
        OSError,
        AttributeError,
    ):  # no cffi, or a libc without these functions
        return lambda: False


def _watch_exit() -> Callable[[], bool]:
    from vkzircon_cli.bindings._abi import ffi

    libc = in_this_process()
    was_posted = libc.sem_trywait  # looked up now: exit() may be called while the linker's lock is held
    called = ffi.new("char[]", _LARGEST_SEMAPHORE)
    _kept.append(called)
    libc.sem_init(called, 0, 0)

    def handler(name: str) -> Any:
        return ffi.cast("void (*)(void *)", ffi.addressof(libc, name))

    # Handlers run in reverse order.
    for name, argument in (("_exit", int(Exit.CRASHED)), ("sleep", _PATIENCE_S), ("sem_post", called)):
        getattr(libc, "__cxa_atexit")(handler(name), ffi.cast("void *", argument), ffi.NULL)
    with suppress(AttributeError):  # not every libc has it
        getattr(libc, "__cxa_at_quick_exit")(handler("abort"), ffi.NULL)
    return lambda: bool(was_posted(called) == 0)
