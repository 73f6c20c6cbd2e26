# SPDX-License-Identifier: Apache-2.0
"""A driver that calls exit() where it shares this process: the run still ends with its report, and not with 0.

Only libc's own functions stand in the way of exit(), and none of Python: a callback is code made at run time, which
Fuchsia allows no component. What reaches the kernel without a word to the process cannot be helped: _exit(), exec.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vkzircon_cli.bindings.dynlib import in_this_process
from vkzircon_cli.errors import Exit

_LARGEST_SEMAPHORE = 128
_PATIENCE_S = 60  # for the report to be written, while the thread that called exit() waits
_kept: list[Any] = []


def watch_exit() -> Callable[[], bool]:
    """Stop each thread that calls exit() from now on; return what tells whether one has.

    The process then has a minute to end by ``os._exit``, before it ends with the code of a crash. What a driver
    registered later itself, as its destructors, runs before. quick_exit() gives its handlers no argument: it aborts.
    """
    try:
        return _watch_exit()
    except (ImportError, OSError, AttributeError):  # no cffi, as the probe will say; or a libc without these functions
        return lambda: False


def _watch_exit() -> Callable[[], bool]:
    from vkzircon_cli.bindings._abi import ffi

    libc = in_this_process()
    was_posted = libc.sem_trywait  # looked up now: exit() may come while the linker's lock is taken
    called = ffi.new("char[]", _LARGEST_SEMAPHORE)
    _kept.append(called)
    libc.sem_init(called, 0, 0)

    def handler(name: str) -> Any:
        return ffi.cast("void (*)(void *)", ffi.addressof(libc, name))

    # The last that is registered runs first.
    for name, argument in (("_exit", int(Exit.CRASHED)), ("sleep", _PATIENCE_S), ("sem_post", called)):
        getattr(libc, "__cxa_atexit")(handler(name), ffi.cast("void *", argument), ffi.NULL)
    with suppress(AttributeError):  # not every libc has it
        getattr(libc, "__cxa_at_quick_exit")(handler("abort"), ffi.NULL)
    return lambda: bool(was_posted(called) == 0)
