# SPDX-License-Identifier: Apache-2.0
"""Runs the loader that opens, and records the manifests that it reads, the libraries that it keeps, and its log.

A task creates instances with the loader's log on: one as the user would, and one for each driver alone, without layers.
The verdict on a driver or a layer is what the loader did; our own reading of files and variables only explains it. The
log is searched for paths and names, because its sentences differ between versions.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from typing import Any

from vkzircon_cli.bindings.dynlib import LOADER_NAMES, CannotOpen, Library, can_open, mapped_files, open_library
from vkzircon_cli.doctor.search import Surroundings
from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.model.host import FUCHSIA, LIBVULKAN_VARIABLE, VARIABLES
from vkzircon_cli.model.spec import result_name
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import Task

_PATIENCE_S = 1.0  # for the first attempt; a driver that hangs then gets the timeout of the request
_MOST_DRIVERS = 64
_MOST_LOG = 8 * 1024  # bytes of the log of one driver
_PIPE_SIZE, _SET_PIPE_SIZE = 1 << 18, 1031  # F_SETPIPE_SZ (linux/fcntl.h)
# Tried before the manifests: an instance without any driver, and one with the user's own settings.
_NOWHERE, _AS_IT_IS = "/nonexistent.json", ""
_MOST_LINES = 3
_JSON = re.compile(r"/[^\s\"',]*?\.json(?![\w.])")
_WORDS_OF_LIST = 4  # a line of a list is a path after a prefix of at most three words
_NO_EXTENSION = -7
_PORTABILITY = b"VK_KHR_portability_enumeration"
_API_1_1 = 1 << 22 | 1 << 12
_USED, _NO_DRIVER = "VK_SUCCESS", "VK_ERROR_INCOMPATIBLE_DRIVER"
# Loaders before 1.3.207 read the older variable only, and those before 1.3.234 keep the layers on.
_ONLY = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_WITHOUT_LAYERS = {
    "VK_LOADER_LAYERS_DISABLE": "~all~",
    **dict.fromkeys(("VK_LOADER_LAYERS_ENABLE", "VK_LOADER_LAYERS_ALLOW", "VK_INSTANCE_LAYERS")),
}


@record
class Tried:
    """What the loader did: the *result* of vkCreateInstance by name, '' if the process ended before that, with *fate*.

    *files* are the libraries that the loader had mapped by then, empty if that is not known. *log* has the lines of the
    loader and of drivers and layers.
    """

    result: str = ""
    files: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    fate: Missing | None = None

    @property
    def is_known(self) -> bool:
        """Whether the loader was asked and answered, or ended the process."""
        return bool(self.result) or self.fate is not None

    @property
    def is_used(self) -> bool:
        """Whether the instance was created."""
        return self.result == _USED

    @property
    def stops(self) -> bool:
        """Whether this stops the loader for all drivers, rather than leaving one out."""
        return self.fate is not None or self.result not in ("", _USED, _NO_DRIVER)

    def words_on(self, *names: str) -> tuple[str, ...]:
        """Return the last lines that name a file or a layer by one of its *names*, except those that only list it."""
        return _last(line for line in self.log if any(name and name in line for name in names))

    def last_words(self) -> tuple[str, ...]:
        """Return the last lines of the log, except those that only list a file."""
        return _last(self.log)


def _last(lines: Iterable[str]) -> tuple[str, ...]:
    said = (line.strip() for line in lines if len(line.split()) > _WORDS_OF_LIST)
    return tuple(dict.fromkeys(said))[-_MOST_LINES:]


@record
class Asked:
    """The loader's results: *control* without a driver, *whole* with the user's settings, *alone* with one driver.

    *alone* has a result per manifest, and is empty if the loader fails without any driver. *whole* and *control* are
    None if the loader was not run.
    """

    control: Tried | None = None
    whole: Tried | None = None
    alone: Mapping[str, Tried] = field(default_factory=dict)

    def loads(self, library: str) -> bool | None:
        """Whether the loader keeps *library* (a path, or a name for the linker) mapped, None if that is not known."""
        if self.whole is None or not self.whole.is_used or not self.whole.files or not library:
            return None
        return _is_among(library, self.whole.files)

    @property
    def log(self) -> tuple[str, ...]:
        """Return the log of the run with the user's settings."""
        return self.whole.log if self.whole else ()

    def named_files(self) -> tuple[str, ...]:
        """Return the JSON files that the log names and that exist."""
        found = (os.path.normpath(path) for line in self.log for path in _json_in(line))
        return tuple(dict.fromkeys(path for path in found if os.path.isfile(path)))  # noqa: PTH113

    def passes_over(self, manifest: str) -> bool:
        """Whether the loader works and names JSON files in its log, but not this manifest."""
        gives_up = self.whole is None or self.whole.stops
        return not gives_up and bool(self.named_files()) and not any(manifest in line for line in self.log)

    def stops_at(self, manifest: str, suspect: bool) -> bool:
        """Whether the loader gives up on all drivers because of a *manifest*, which is *suspect* by its text."""
        if (tried := self.alone.get(manifest)) is not None:
            return tried.stops
        return suspect and (self.control is None or self.control.stops)


def _json_in(line: str) -> list[str]:
    """Return the absolute paths in a *line*; a path at the end of the line may contain spaces."""
    start = line.find("/")
    return [line[start:].strip()] if line.rstrip().endswith(".json") and start >= 0 else _JSON.findall(line)


def _is_among(library: str, files: Sequence[str]) -> bool:
    if "/" in library and "$" not in library:
        return os.path.realpath(library) in files
    stem = library.rpartition("/")[2].split(".so", 1)[0] + ".so"
    return any(path.rpartition("/")[2].startswith(stem) for path in files)


class LoaderTrial:
    """Starts a task that creates the instances; *variables* are those by which layers are turned on and off."""

    def __init__(self, where: Surroundings, manifests: Sequence[str], variables: Sequence[str]) -> None:
        self._timeout_s = where.timeout_s
        self._manifests = list(dict.fromkeys(manifests))[:_MOST_DRIVERS]
        self._environ = {name: where.environ.get(name) for name in (*VARIABLES, "HOME")}
        self._environ |= {name: where.lookup(name) for name in variables}
        self._environ["VK_LOADER_DEBUG"] = "all"
        chosen = where.environ.get(LIBVULKAN_VARIABLE)
        self._names = (chosen,) if chosen else LOADER_NAMES
        # With raised privileges, the loader does not read the variables that select a single driver.
        is_possible = can_fork() and can_open() and not where.elevated and where.platform != FUCHSIA
        self._questions = (_NOWHERE, _AS_IT_IS, *self._manifests)
        self._task = self._start(self._questions, _PATIENCE_S) if is_possible else None

    def close(self) -> None:
        """End the task if it still runs."""
        if self._task is not None:
            self._task.close()
            self._task = None

    give_up = close

    def asked(self, dead: Collection[str] = ()) -> Asked:
        """Wait for the results. Drivers in *dead*, whose library crashes or hangs, are not tried in a later process."""
        if self._task is None:
            return Asked()
        tried = self._answers(self._task, self._questions, dead)
        control, whole, *alone = (tried.get(each, Tried()) for each in self._questions)
        if not control.is_known:
            return Asked()
        known = {path: _beside(each, control) for path, each in zip(self._manifests, alone, strict=True)}
        return Asked(
            control, whole, {} if control.stops else {path: each for path, each in known.items() if each.is_known}
        )

    def _start(self, questions: Sequence[str], patience_s: float) -> Task:
        return Task(partial(_ask, self._names, self._environ, questions), min(patience_s, self._timeout_s))

    def _answers(self, task: Task, questions: Sequence[str], dead: Collection[str]) -> dict[str, Tried]:
        """Return the answer to each question. If a question ends the process, another process tries the rest."""
        answers, fate = task.answers()
        if not answers:  # no loader opens, or opening it ends the process
            return {}
        before, *rest_of = answers
        made = [Tried(result, tuple({*files} - {*before}), tuple(log)) for result, files, log in rest_of]
        tried = dict(zip(questions, made, strict=False))
        if fate is None or len(made) >= len(questions):
            return tried
        bad, rest = questions[len(made)], [each for each in questions[len(made) + 1 :] if each not in dead]
        tried[bad] = Tried(fate=fate)
        later = self._start(rest, _PATIENCE_S) if rest else None
        if fate.kind is MissingKind.TIMED_OUT and self._timeout_s > _PATIENCE_S and bad and len(questions) > 1:
            tried |= self._answers(self._start([bad], self._timeout_s), [bad], dead)
        return tried | (self._answers(later, rest, dead) if later else {})


def _beside(tried: Tried, control: Tried) -> Tried:
    """Return *tried* with those lines of its log that the loader does not print without the driver."""
    usual = set(control.log)
    return replace(tried, log=tuple(line for line in tried.log if line not in usual))


def _ask(names: Sequence[str], environ: Mapping[str, str | None], questions: Sequence[str]) -> Iterator[Any]:
    """Open the loader, and create an instance for each manifest. Runs only in a task's process."""
    log = _log()
    _change(environ)  # the loader reads VK_LOADER_DEBUG when it is loaded
    if (loader := _opened(names)) is None:
        return
    yield list(mapped_files())
    for manifest in questions:
        alone = {**_WITHOUT_LAYERS, **dict.fromkeys(_ONLY, manifest)}
        _change({name: environ.get(name) for name in alone} if manifest == _AS_IT_IS else alone)
        result, files = _instance(loader)
        is_driver = manifest not in (_NOWHERE, _AS_IT_IS)
        lines = _read(log)[-_MOST_LOG if is_driver else 0 :].decode("utf-8", "backslashreplace").splitlines()
        yield result, () if is_driver else files, lines


def _change(environ: Mapping[str, str | None]) -> None:
    for name, value in environ.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _log() -> int:
    """Replace standard error by a pipe. Output that does not fit is lost: a full pipe would block the loader."""
    import fcntl

    read, write = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(write, _SET_PIPE_SIZE, _PIPE_SIZE)
    for end in (read, write):
        os.set_blocking(end, False)
    os.dup2(write, 2)
    return read


def _read(log: int) -> bytes:
    data = bytearray()
    with suppress(BlockingIOError):
        while more := os.read(log, _PIPE_SIZE):
            data += more
    return bytes(data)


def _opened(names: Sequence[str]) -> Library | None:
    for name in names:
        with suppress(CannotOpen):
            library = open_library(name)
            if library.address("vkGetInstanceProcAddr"):
                return library
    return None


def _instance(loader: Library) -> tuple[str, list[str]]:
    """Create an instance as the probe does, and destroy it; return the result, and the files mapped between."""
    from vkzircon_cli.bindings import _abi  # 0.4 ms, for a task only

    ffi: Any = _abi.ffi
    look_up = ffi.cast("PFN_vkGetInstanceProcAddr", loader.address("vkGetInstanceProcAddr"))
    create = ffi.cast("PFN_vkCreateInstance", look_up(ffi.NULL, b"vkCreateInstance"))
    if create == ffi.NULL:
        return "", []
    name = ffi.new("char[]", _PORTABILITY)
    names = ffi.new("char *[]", [name])
    application = ffi.new("VkApplicationInfo *", {"apiVersion": _API_1_1})
    info = ffi.new("VkInstanceCreateInfo *", {"sType": 1, "flags": 1, "pApplicationInfo": application})
    info.enabledExtensionCount, info.ppEnabledExtensionNames = 1, names
    made = ffi.new("void **")
    result = create(info, ffi.NULL, made)
    if result == _NO_EXTENSION:
        info.flags = info.enabledExtensionCount = 0
        result = create(info, ffi.NULL, made)
    files = list(mapped_files())
    if result == 0:
        ffi.cast("PFN_vkDestroyInstance", look_up(made[0], b"vkDestroyInstance"))(made[0], ffi.NULL)
    return result_name(result), files
