# SPDX-License-Identifier: Apache-2.0
"""The seam between the probe and the process that calls the driver: this process, or an agent's."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from vkzircon_cli.bindings.dynlib import in_this_process, mapped_file, open_library
from vkzircon_cli.bindings.free_memory import system_memory
from vkzircon_cli.bindings.memory import LocalMemory, Memory
from vkzircon_cli.model.host import FUCHSIA, platform

Listener = Callable[[int, bytes], None]  # a message's severity and its text
_MOST_TEXT = 4096


class Later:
    """Argument of a call: the handle that an earlier call writes to *pointer*."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer


class Call(NamedTuple):
    """One call of a sequence. *on_call* gets its name before the call; *check* raises for a result other than 0."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    on_call: Callable[[str], None]
    check: Callable[[str, int], None]


class OpenedLibrary(Protocol):
    """A library that is open where the driver is called."""

    def address(self, symbol: str) -> int:
        """Return the address of *symbol*, 0 if the library does not have it."""

    def through(self, ffi: Any) -> Any:
        """Return the library with the functions that *ffi* declares."""


class Caller(Protocol):
    """Makes structures, opens libraries and calls functions in one process; *is_here* if that is this one."""

    is_here: bool

    @property
    def is_gone(self) -> bool:
        """Whether no further call can be made."""

    def second(self, descriptor: int, entry: str) -> Any:
        """Start a second process that calls, which only an agent does: here, a process is forked."""

    def new(self, ffi: Any, type: str, value: Any = None) -> Any:
        """Make what ``ffi.new`` makes, where the functions can reach it."""

    def open(self, name: str) -> OpenedLibrary:
        """Open a library. Raises `CannotOpen` if the linker refuses it."""

    def already_open(self) -> Any:
        """Return the functions of libraries that the process has loaded already."""

    def file_of(self, library: str) -> str:
        """Return the file behind an opened *library*, '' if it is not known."""

    def function(self, ffi: Any, type: str, address: Any) -> Callable[..., Any]:
        """Return the function at *address*, a pointer, of the function type *type*."""

    def in_turn(self, calls: Sequence[Call]) -> None:
        """Make calls, in one message to an agent, up to the first that does not return 0; raise what its check raises.

        A call without a result returns 0.
        """

    def look_up(self, function: Any, owner: Any, names: Sequence[str]) -> list[Any]:
        """Call *function*, a vkGet*ProcAddr, with *owner* and each of *names*; return the addresses."""

    def string(self, ffi: Any, pointer: Any, most: int = _MOST_TEXT) -> bytes:
        """Read the C string at *pointer*, which a function returned."""

    def memory(self, ffi: Any, address: int, size: int) -> Memory:
        """Return the *size* bytes that a function has mapped at *address*."""

    def scratch(self, ffi: Any, size: int) -> Memory:
        """Return *size* bytes of ordinary memory, whose pages exist, for as long as the result is referenced."""

    def listener(self, ffi: Any, listen: Listener) -> Any:
        """Return a PFN_vkDebugUtilsMessengerCallbackEXT, or None; *listen* gets its messages by the next `heard`."""

    def heard(self) -> None:
        """Pass on all messages so far."""

    def variable(self, name: str) -> str | None:
        """Return a variable of the process's environment."""

    def exists(self, path: str) -> bool:
        """Whether the process sees a file or a folder of this name."""

    def platform(self) -> str:
        """Return the platform of the process."""

    def clock_ns(self) -> int:
        """Return a time in nanoseconds; two of them enclose what was called in between."""

    def timer(self, limit_s: float) -> Callable[[], bool]:
        """Return a function that reports whether *limit_s* seconds have passed, of calls only behind an agent."""

    def resident(self) -> int:
        """Return the process's resident bytes, 0 if they are not known."""

    def free_memory(self) -> int | None:
        """Return the bytes that the process can still allocate, None if they are not known."""

    def begin_step(self, limit_s: float) -> None:
        """Allow the calls of one step *limit_s* seconds."""

    def flush(self) -> None:
        """Make every call that was put off."""


class LocalCaller:
    """Calls in this process."""

    is_here = True
    is_gone = False

    def second(self, descriptor: int, entry: str) -> Any:
        """Raise `NotImplementedError`: a process is forked instead."""
        raise NotImplementedError

    def new(self, ffi: Any, type: str, value: Any = None) -> Any:
        """Make what ``ffi.new`` makes."""
        return ffi.new(type, value)

    def open(self, name: str) -> OpenedLibrary:
        """Open a library. Raises `CannotOpen` if the linker refuses it."""
        return open_library(name)

    def already_open(self) -> Any:
        """Return the functions of libraries that this process has loaded already."""
        return in_this_process()

    def file_of(self, library: str) -> str:
        """Return the file behind an opened *library*, '' on systems without /proc."""
        return mapped_file(library)

    def function(self, ffi: Any, type: str, address: Any) -> Callable[..., Any]:
        """Return the function at *address*."""
        return ffi.cast(type, address)  # type: ignore[no-any-return]

    def in_turn(self, calls: Sequence[Call]) -> None:
        """Make calls, and check the result of each."""
        for name, function, arguments, on_call, check in calls:
            now = arguments
            if Later in map(type, arguments):
                now = tuple(given.pointer[0] if isinstance(given, Later) else given for given in arguments)
            on_call(name)
            check(name, function(*now) or 0)

    def look_up(self, function: Any, owner: Any, names: Sequence[str]) -> list[Any]:
        """Look up each of *names*."""
        return [function(owner, name.encode()) for name in names]

    def string(self, ffi: Any, pointer: Any, most: int = _MOST_TEXT) -> bytes:
        """Read the C string at *pointer*."""
        return bytes(ffi.string(pointer, most))

    def memory(self, ffi: Any, address: int, size: int) -> Memory:
        """Return the *size* bytes at *address*."""
        return LocalMemory(ffi, ffi.cast("uint8_t *", address), size)

    def scratch(self, ffi: Any, size: int) -> Memory:
        """Return new memory. Pages that were never written share one zero page, which is read too fast."""
        made = LocalMemory(ffi, ffi.new("uint8_t[]", size), size)
        made.fill(b"\x5a", size)
        return made

    def listener(self, ffi: Any, listen: Listener) -> Any:
        """Return a callback that passes each message on at once, None where code cannot be made at run time."""
        if platform() == FUCHSIA:
            return None

        def hear(severity: int, _types: int, data: Any, _user: Any) -> int:
            if data.pMessage != ffi.NULL:
                listen(int(severity), ffi.string(data.pMessage, _MOST_TEXT))
            return 0  # VK_TRUE is reserved for layer development

        return ffi.callback("PFN_vkDebugUtilsMessengerCallbackEXT", hear)

    def heard(self) -> None:
        """Do nothing: each message was passed on at once."""

    def variable(self, name: str) -> str | None:
        """Return a variable of the environment."""
        return os.environ.get(name)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder of this name."""
        return os.path.exists(path)

    def platform(self) -> str:
        """Return the platform of this process."""
        return platform()

    def clock_ns(self) -> int:
        """Return the time of a clock that only grows."""
        return time.perf_counter_ns()

    def timer(self, limit_s: float) -> Callable[[], bool]:
        """Return a function that reports whether *limit_s* seconds have passed."""
        until = time.monotonic() + limit_s
        return lambda: time.monotonic() >= until

    def resident(self) -> int:
        """Return this process's resident bytes, 0 on systems without /proc."""
        try:
            with open("/proc/self/statm", encoding="ascii") as counts:
                return int(counts.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        except OSError:
            return 0

    def free_memory(self) -> int | None:
        """Return the bytes that this process can still allocate, None on systems without Linux's files."""
        return system_memory()

    def begin_step(self, limit_s: float) -> None:
        """Do nothing: the supervisor ends a step that takes too long."""

    def flush(self) -> None:
        """Do nothing: no call is put off."""


LOCAL = LocalCaller()
