# SPDX-License-Identifier: Apache-2.0
"""The library that a manifest names: whether it is one for this process, and whether it can be loaded.

It is loaded in a child, since loading runs its code: a library that hangs or dies there costs that child.
"""

import ctypes
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from vkzircon_cli.environment import can_fork

_HEADER = 20
_MAGIC = b"\x7fELF"
_BITS = {1: 32, 2: 64}
_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
_MOST_BYTES = 4096
_POLL_S = 0.002
ENTRY_POINTS = ("vk_icdGetInstanceProcAddr", "vkGetInstanceProcAddr", "vkNegotiateLoaderLayerInterfaceVersion")


@dataclass(frozen=True, slots=True)
class Header:
    """What an ELF file is for: *bits* and *machine* by number."""

    bits: int
    machine: int

    @property
    def words(self) -> str:
        """Say it."""
        return f"{self.bits}-bit {_MACHINES.get(self.machine, f'machine {self.machine}')}"


def header_of(path: str) -> Header | None:
    """Read a file's ELF header, None where it has none.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        raw = file.read(_HEADER)
    if len(raw) < _HEADER or not raw.startswith(_MAGIC):
        return None
    (machine,) = struct.unpack_from("<H" if raw[5] == 1 else ">H", raw, 18)
    return Header(_BITS.get(raw[4], 0), machine)


def own_header() -> Header | None:
    """Tell what this process is."""
    with suppress(OSError):
        return header_of(sys.executable)
    return None


class Fate(StrEnum):
    """What came of loading a library."""

    LOADED = "loaded"
    REFUSED = "refused"
    CRASHED = "crashed"
    EXITED = "exited"
    HUNG = "hung"
    NOT_TRIED = "not-tried"


@dataclass(frozen=True, slots=True)
class Loading:
    """What came of loading: *words* are the linker's, or the signal; *symbols* are the entry points that it has."""

    fate: Fate
    words: str = ""
    symbols: tuple[str, ...] = ()


def load_all(libraries: Sequence[str], timeout_s: float) -> Mapping[str, Loading]:
    """Load each library in a child of its own, all at once, and tell what came of each."""
    if not can_fork():
        return dict.fromkeys(libraries, Loading(Fate.NOT_TRIED, "no process can be started here"))
    children = {library: _Child(library) for library in dict.fromkeys(libraries)}
    until = time.monotonic() + timeout_s
    return {library: child.ended(until) for library, child in children.items()}


class _Child:
    """A child that loads one library and says what it found through a pipe."""

    def __init__(self, library: str) -> None:
        self._read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._read)
            _load(library, write)
        os.close(write)

    def ended(self, until: float) -> Loading:
        """Wait for the child's end, and end it at *until*; one that ended long ago is asked all the same."""
        status = self._status()
        while status is None and time.monotonic() < until:
            time.sleep(_POLL_S)
            status = self._status()
        if status is None:
            with suppress(ProcessLookupError):  # it has no group yet, and no children
                os.killpg(self._pid, signal.SIGKILL)
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        return _fate(status, _drained(self._read))

    def _status(self) -> int | None:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return status if pid else None


def _drained(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    said = b""
    with suppress(BlockingIOError):
        said = os.read(descriptor, _MOST_BYTES)
    os.close(descriptor)
    return said


def _fate(status: int | None, said: bytes) -> Loading:
    if status is None:
        return Loading(Fate.HUNG)
    if os.WIFSIGNALED(status):
        return Loading(Fate.CRASHED, signal.Signals(os.WTERMSIG(status)).name)
    kind, _, words = said.decode("utf-8", "backslashreplace").partition("\n")
    if kind == "loaded":
        return Loading(Fate.LOADED, symbols=tuple(words.split()))
    if kind == "refused":
        return Loading(Fate.REFUSED, words)
    return Loading(Fate.EXITED, f"exit code {os.waitstatus_to_exitcode(status)}")


def _load(library: str, write: int) -> NoReturn:
    """Load *library* in this child, which ends here."""
    try:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
            signal.signal(number, signal.SIG_DFL)
        os.write(write, "\n".join(_tried(library)).encode("utf-8", "backslashreplace")[:_MOST_BYTES])
    finally:
        os._exit(0)


def _tried(library: str) -> Iterator[str]:
    try:
        loaded = ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except (OSError, ValueError) as refused:
        yield "refused"
        yield str(refused)
        return
    yield "loaded"
    yield from (name for name in ENTRY_POINTS if hasattr(loaded, name))
