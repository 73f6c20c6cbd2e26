# SPDX-License-Identifier: Apache-2.0
"""The limits of this process on address space, open files, threads and system calls; whether one is in the way."""

import mmap
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress

from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import about

_ROOM = 2 << 30  # bytes of address space: a driver with a compiler maps hundreds of MiB, and a stack per processor
_PIPES = 8  # twice as many files as a driver holds open for one device


@record
class Limit:
    """A limit that is in the way: a clause that says so, after "where", and what to do about it."""

    words: str
    fix: str


def _address_limit() -> int | None:
    """Return the bytes of address space that this process may use, None without a limit."""
    try:
        import resource  # not in Python for Fuchsia

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    except (ImportError, OSError):
        return None
    return None if limit == resource.RLIM_INFINITY else limit


def raise_open_files() -> None:
    """Raise the soft limit of open files of this process and its children to the hard one.

    Each emulated VMO is a file, and Vulkan allows 4,096 allocations at least.
    """
    import resource  # Linux only, as the emulation

    with suppress(OSError, ValueError):  # a sandbox may refuse it, and fewer files may be enough
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit_in_the_way() -> Limit | None:
    """Return the limit by which a library in this process may have failed, None if there is room for it.

    Each resource is taken for a moment: what a sandbox or a container refuses is in no limit that could be read.
    """
    if (limit := _address_limit()) is not None and _is_refused(_take_room):
        return Limit(f"the limit on address space, {about(limit)}, leaves too little room", "ulimit -v unlimited")
    if _is_refused(_take_files):
        return Limit("the limit on open files leaves too few", "ulimit -n 1024")
    if _is_refused(_take_thread):
        fix = "ulimit -u, or a container's --pids-limit; or allow clone3 in the sandbox"
        return Limit("the system refuses to start a thread", fix)
    if (name := next((name for name, call in _CALLS.items() if _is_refused(call)), None)) is not None:
        return Limit(f"the system refuses the system call {name}", f"allow {name} in the sandbox")
    return None


def _is_refused(take: Callable[[], None]) -> bool:
    try:
        take()
    except (OSError, RuntimeError, MemoryError):
        return True
    return False


def _access() -> None:
    if not os.access("/", os.F_OK):
        raise OSError


def _seek() -> None:
    try:
        descriptor = os.open(__file__, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # a driver may have changed the user
        return
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
    finally:
        os.close(descriptor)


def _unmap() -> None:
    """Map and unmap; Python ignores an error of munmap, so the size of this process shows it."""
    before = _mapped()
    with suppress(OSError):  # there may be no such room, which is no error of munmap
        _take_room()
    if before and _mapped() - before > _ROOM // 2:
        raise OSError


def _mapped() -> int:
    """Return the bytes of address space that this process uses, 0 if the system does not tell it."""
    try:
        with open("/proc/self/statm", "rb") as sizes:  # noqa: PTH123 - pathlib takes 3 ms to import
            return int(sizes.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


# The system calls that the loader or drivers need, and without which Python can start.
_CALLS: dict[str, Callable[[], None]] = {"access": _access, "lseek": _seek, "munmap": _unmap}


def _take_room() -> None:
    mmap.mmap(-1, _ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()


def _take_files() -> None:
    with ExitStack() as taken:
        for _ in range(_PIPES):
            for end in os.pipe():
                taken.callback(os.close, end)


def _take_thread() -> None:
    import _thread  # `threading` takes longer to import

    ended = _thread.allocate_lock()
    ended.acquire()
    _thread.start_new_thread(ended.release, ())
    ended.acquire()
