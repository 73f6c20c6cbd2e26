# SPDX-License-Identifier: Apache-2.0
"""Checks the libraries that manifests name: whether they are for this process and whether they load.

Loading runs a library's code, so it happens in a task's process. All are loaded in one process first, which is faster
where they share dependencies; if that process fails, each library gets a process of its own.
"""

import os
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum
from functools import partial
from typing import Any

from vkzircon_cli.bindings.dynlib import CannotOpen, can_open, open_library
from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import MOST_MEMORY_MIB, TOO_MUCH_MEMORY, Task

_HEADER = 20
_MAGIC = b"\x7fELF"
_BITS = {1: 32, 2: 64}
_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
_AT_ONCE = 64
NO_TIME = "there was no time to try it"
_PATIENCE_S = 1.0  # until each is loaded by itself; one that hangs then gets the timeout of the request
ENTRY_POINTS = ("vk_icdGetInstanceProcAddr", "vkGetInstanceProcAddr", "vkNegotiateLoaderLayerInterfaceVersion")


@record
class Header:
    """What an ELF file was built for; *machine* is its number."""

    bits: int
    machine: int

    @property
    def words(self) -> str:
        """Format it: ``64-bit x86-64``."""
        return f"{self.bits}-bit {_MACHINES.get(self.machine, f'machine {self.machine}')}"


class NoFile(Exception):
    """A path leads to neither a file nor a folder."""


def header_of(path: str) -> Header | None:
    """Return a file's ELF header, None if it has none.

    Raises:
        OSError: it cannot be read.
        NoFile: it is a pipe or a device; reading or loading it may block.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise NoFile
        raw = os.read(descriptor, _HEADER)
    finally:
        os.close(descriptor)
    if len(raw) < _HEADER or not raw.startswith(_MAGIC):
        return None
    (machine,) = struct.unpack_from("<H" if raw[5] == 1 else ">H", raw, 18)
    return Header(_BITS.get(raw[4], 0), machine)


def own_header() -> Header | None:
    """Return what this process was built for."""
    with suppress(OSError):
        return header_of(sys.executable)
    return None


class Fate(StrEnum):
    """The result of loading a library."""

    LOADED = "loaded"
    REFUSED = "refused"
    CRASHED = "crashed"
    EXITED = "exited"
    HUNG = "hung"
    BIG = "big"
    NOT_TRIED = "not-tried"


DEATHS = {
    Fate.HUNG: ("library.hangs", Outcome.TIMEOUT, "hangs"),
    Fate.CRASHED: ("library.crashes", Outcome.CRASH, "crashes"),
    Fate.BIG: ("library.memory", Outcome.FAIL, f"uses more than {MOST_MEMORY_MIB} MiB of memory"),
    Fate.EXITED: ("library.exits", Outcome.CRASH, "ends the program"),
}


@record
class Loading:
    """The result of loading: *words* are the linker's, or the signal; *symbols* are the entry points found."""

    fate: Fate
    words: str = ""
    symbols: tuple[str, ...] = ()


class LibraryTrial:
    """Starts a task that loads *libraries* and looks up the usual entry points and *entry_points*.

    Without *has_time*, all of them count as not tried.
    """

    def __init__(
        self, libraries: Sequence[str], timeout_s: float, entry_points: Iterable[str] = (), *, has_time: bool = True
    ) -> None:
        self._libraries = list(dict.fromkeys(libraries))
        self._names = tuple(dict.fromkeys((*ENTRY_POINTS, *entry_points)))
        self._timeout_s = timeout_s
        self._task: Task | None = None
        self._why_not = "" if has_time else NO_TIME
        self._why_not = self._why_not or ("" if can_fork() else "no process can be started here")
        self._why_not = self._why_not or ("" if can_open() else "the Python package cffi is missing")
        if self._libraries and not self._why_not:
            self._task = Task(partial(_load, self._libraries, self._names), min(timeout_s, _PATIENCE_S))

    def close(self) -> None:
        """End the task if it still runs."""
        if self._task is not None:
            self._task.close()

    def loadings(self) -> dict[str, Loading]:
        """Return the result for each library."""
        if self._why_not:
            return dict.fromkeys(self._libraries, Loading(Fate.NOT_TRIED, self._why_not))
        if (together := self._together()) is not None:
            return together
        starts = range(0, len(self._libraries), _AT_ONCE)
        return dict(one for start in starts for one in self._each_alone(self._libraries[start : start + _AT_ONCE]))

    def _together(self) -> dict[str, Loading] | None:
        """Return the results of the one process, None unless all loaded: otherwise the faulty one is not known."""
        answers, fate = self._task.answers() if self._task else ([], None)
        if fate is not None or len(answers) < len(self._libraries):
            return None
        if any(not _is_answer(answer) or answer[0] != Fate.LOADED for answer in answers):
            return None
        loaded = (Loading(Fate.LOADED, symbols=tuple(symbols)) for _, *symbols in answers)
        return dict(zip(self._libraries, loaded, strict=True))

    def _each_alone(self, libraries: Sequence[str]) -> Iterator[tuple[str, Loading]]:
        with ExitStack() as begun:
            tasks: dict[str, Task] = {}
            for library in libraries:
                tasks[library] = Task(partial(_load, [library], self._names), self._timeout_s)
                begun.callback(tasks[library].close)
            for library, task in tasks.items():
                yield library, _loading(*task.answers())


def fate_of(missing: Missing) -> Fate:
    """Return how a process ended that gave no answer."""
    if missing is TOO_MUCH_MEMORY:
        return Fate.BIG
    kinds = {MissingKind.TIMED_OUT: Fate.HUNG, MissingKind.NOT_ASKED: Fate.NOT_TRIED}
    return kinds.get(missing.kind, Fate.CRASHED if missing.result else Fate.EXITED)


def _loading(answers: Sequence[Any], fate: Missing | None) -> Loading:
    if fate is not None:
        return Loading(fate_of(fate), fate.result or fate.reason)
    if not answers or not _is_answer(answers[0]):
        return Loading(Fate.EXITED, "the process wrote a line that is not an answer")
    kind, words = Fate(answers[0][0]), answers[0][1:]
    return Loading(kind, words[0]) if kind is Fate.REFUSED else Loading(kind, symbols=tuple(words))


def _is_answer(answer: Any) -> bool:
    """Whether this is an answer, not something that a library wrote into the pipe."""
    is_text = isinstance(answer, list) and all(isinstance(each, str) for each in answer)
    return is_text and answer[:1] in ([Fate.LOADED], [Fate.REFUSED]) and (answer[0] == Fate.LOADED or len(answer) > 1)


def _load(libraries: Sequence[str], names: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield for each library its fate, then the linker's words or the entry points. Runs only in a task's process."""
    for library in libraries:
        try:
            loaded = open_library(library)
        except CannotOpen as refused:
            yield [Fate.REFUSED, refused.words]
        else:
            yield [Fate.LOADED, *filter(loaded.address, names)]
