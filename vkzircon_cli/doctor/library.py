# SPDX-License-Identifier: Apache-2.0
"""Checks the libraries that manifests name: whether they are for this process and whether they load.

Loading runs a library's code, so it happens in a task's process. All are loaded in one process first, which is faster
where they share dependencies; if that process fails, each library gets a process of its own.
"""

import errno
import os
import stat
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from shlex import quote
from typing import Any

from vkzircon_cli.bindings.dynlib import CannotOpen, can_open, open_library
from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.manifest import Manifest, fault
from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.model.text import with_article
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import MOST_MEMORY_MIB, TOO_MUCH_MEMORY, Task

_HEADER = 20
_MAGIC = b"\x7fELF"
_BITS = {1: 32, 2: 64}
_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
_AT_ONCE = 64
NO_TIME = "there was no time to try it"
PATIENCE_S = 1.0  # until each question gets a process of its own, with the timeout of the request
_DRIVER_ENTRY_POINTS = ("vk_icdGetInstanceProcAddr", "vkGetInstanceProcAddr")
ENTRY_POINTS = (*_DRIVER_ENTRY_POINTS, "vkNegotiateLoaderLayerInterfaceVersion")


@record
class Header:
    """What an ELF file was built for; *machine* is its number."""

    bits: int
    machine: int

    @property
    def words(self) -> str:
        """Format it: ``64-bit x86-64``."""
        return f"{self.bits}-bit {_MACHINES.get(self.machine, f'machine {self.machine}')}"


def _header_of(path: str) -> Header | None:
    """Return a file's ELF header, None if it has none. Raises `OSError` if it cannot be read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        raw = os.read(descriptor, _HEADER)
    finally:
        os.close(descriptor)
    if len(raw) < _HEADER or not raw.startswith(_MAGIC):
        return None
    (machine,) = struct.unpack_from("<H" if raw[5] == 1 else ">H", raw, 18)
    return Header(_BITS.get(raw[4], 0), machine)


@cache
def _own_header() -> Header | None:
    """Return what this process was built for."""
    with suppress(OSError):
        return _header_of(sys.executable)
    return None


def unfit(manifest: Manifest) -> Finding | None:
    """Return why the library of *manifest*, named by a path, does not fit this process, as far as its file shows."""
    path = manifest.resolved
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return None  # a pipe or a device: loading it shows what happens
        header = _header_of(path)
    except FileNotFoundError:
        return _lacking(manifest, "library-missing", f"names {path}, which does not exist")
    except OSError as error:
        return _lacking(manifest, "not-a-library", f"names {path}, which cannot be read: {error.strerror}")
    return _of_another_machine(manifest, header)


def _of_another_machine(manifest: Manifest, header: Header | None) -> Finding | None:
    ours = _own_header()
    if header is None:
        return _lacking(manifest, "not-a-library", f"names {manifest.resolved}, which is not a shared library")
    if ours is None or header == ours:
        return None
    what = "wrong-class" if header.bits != ours.bits else "wrong-machine"
    words = f"names {manifest.resolved}, {with_article(header.words)} library, and this process is {ours.words}"
    # Layers are installed for each word size, and the loader silently uses its own.
    is_usual = not manifest.is_driver and what == "wrong-class"
    return _lacking(manifest, what, words, outcome=Outcome.INFO if is_usual else Outcome.FAIL)


def _lacking(manifest: Manifest, what: str, words: str, **more: Any) -> Finding:
    more.setdefault("command", f"ls -l {quote(manifest.resolved or manifest.path)}")
    return fault(f"{manifest.prefix}.{what}", manifest.path, words, **more)


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
        self._load = partial(_load, tuple(dict.fromkeys((*ENTRY_POINTS, *entry_points))))
        self._timeout_s = timeout_s
        self._task: Task | None = None
        self._why_not = "" if has_time else NO_TIME
        self._why_not = self._why_not or ("" if can_fork() else "no process can be started here")
        self._why_not = self._why_not or ("" if can_open() else "the Python package cffi is missing")
        if self._libraries and not self._why_not:
            self._task = Task(partial(self._load, self._libraries), min(timeout_s, PATIENCE_S))

    def close(self) -> None:
        """End the task if it still runs."""
        if self._task is not None:
            self._task.close()

    def loadings(self) -> dict[str, Loading]:
        """Return the result for each library: from one process if all loaded there, else from a process for each."""
        if self._task is None:
            return dict.fromkeys(self._libraries, Loading(Fate.NOT_TRIED, self._why_not))
        answers, fate = self._task.answers()
        together = [_loading([answer], fate) for answer in answers]
        if len(together) == len(self._libraries) and all(each.fate is Fate.LOADED for each in together):
            return dict(zip(self._libraries, together, strict=True))
        alone = each_alone(self._load, self._libraries, self._timeout_s)
        return {library: _loading(*ended) for library, ended in alone}


def each_alone(
    ask: Callable[[Sequence[str]], Iterable[Any]], questions: Sequence[str], timeout_s: float
) -> Iterator[tuple[str, tuple[list[Any], Missing | None]]]:
    """Yield for each question what `Task.answers` returns for *ask*, in a process of its own; some run side by side."""
    for first in range(0, len(questions), _AT_ONCE):
        with ExitStack() as begun:
            some = questions[first : first + _AT_ONCE]
            tasks = [begun.enter_context(closing(Task(partial(ask, [each]), timeout_s))) for each in some]
            yield from ((each, task.answers()) for each, task in zip(some, tasks, strict=True))


def fate_of(missing: Missing) -> Fate:
    """Return how a process ended that gave no answer."""
    if missing is TOO_MUCH_MEMORY:
        return Fate.BIG
    kinds = {MissingKind.TIMED_OUT: Fate.HUNG, MissingKind.NOT_ASKED: Fate.NOT_TRIED}
    return kinds.get(missing.kind, Fate.CRASHED if missing.result else Fate.EXITED)


def _loading(answers: Sequence[Any], fate: Missing | None) -> Loading:
    if fate is not None:
        return Loading(fate_of(fate), fate.result or fate.reason)
    kind, words, symbols = answers[0]
    return Loading(Fate(kind), words, tuple(symbols))


def _load(names: tuple[str, ...], libraries: Sequence[str]) -> Iterator[tuple[Fate, str, list[str]]]:
    """Yield for each library the fields of its `Loading`. Runs only in a task's process."""
    for library in libraries:
        try:
            loaded = open_library(library)
        except CannotOpen as refused:
            yield Fate.REFUSED, refused.words, []
        else:
            yield Fate.LOADED, "", [*filter(loaded.address, names)]


def loading_problem(manifest: Manifest, loading: Loading) -> Finding | None:
    """Return why the library of *manifest* cannot be used, by the result of loading it."""
    if loading.fate in DEATHS:
        word, outcome, words = DEATHS[loading.fate]
        how = f" ({loading.words})" if loading.words else ""
        sentence = f"{manifest.path} names {manifest.resolved}, which {words} when it is loaded{how}."
        leave = f"export {'='.join(manifest.switch)}" if manifest.switch else f"ls -l {quote(manifest.path)}"
        return Finding(word, manifest.path, outcome, sentence, (manifest.resolved,), "", leave)
    if loading.fate is Fate.REFUSED:
        return _refused(manifest, loading.words)
    wanted = _DRIVER_ENTRY_POINTS if manifest.is_driver else manifest.entry_points
    if loading.fate is Fate.LOADED and not set(loading.symbols) & set(wanted):
        what = "driver" if manifest.is_driver else "layer"
        words = f"names {manifest.resolved}, which has no {' and no '.join(wanted)}: it is not a Vulkan {what}"
        return _lacking(manifest, "no-entry-point", words)
    return None


def _refused(manifest: Manifest, words: str) -> Finding:
    """Return from the linker's words whether the library is missing or one that it needs."""
    name, _, rest = words.partition(": ")
    is_absent = "cannot open shared object file" in rest and rest.endswith(os.strerror(errno.ENOENT))
    is_expanded = "$" in manifest.resolved and Path(name).name == Path(manifest.resolved).name
    if is_absent and name != manifest.resolved and not is_expanded:
        said = f"names {manifest.resolved}, which needs {name}, and that does not exist"
        command = f"ldd {quote(manifest.resolved)}"
        return _lacking(manifest, "missing-dependency", said, evidence=(words,), command=command)
    if is_absent:
        said = f"names {manifest.library}, which the linker does not find"
        command = f"ldconfig -p | grep {quote(name)}"
        return _lacking(manifest, "library-missing", said, evidence=(words,), command=command)
    said = f"names {manifest.resolved}, which cannot be loaded"
    return _lacking(manifest, "not-loaded", said, evidence=(words,))
