# SPDX-License-Identifier: Apache-2.0
"""Runs the loader that opens, and records the manifests that it reads, the libraries that it keeps, and its log.

A task creates instances with the loader's log on: one as the user would, and one for each driver alone, without layers.
The verdict on a driver or a layer is what the loader did; our own reading of files and variables only explains it. The
log is searched for paths and names, because its sentences differ between versions.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from typing import Any

from vkzircon_cli.bindings.dynlib import CannotOpen, Library, can_open, mapped_files, open_library
from vkzircon_cli.doctor.finding import shown
from vkzircon_cli.doctor.library import PATIENCE_S, each_alone
from vkzircon_cli.doctor.loader_log import paths_in
from vkzircon_cli.doctor.search import OF_FOLDERS, WITHOUT_LAYERS, Surroundings, nameable, names_tried, only_drivers
from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.model.host import FUCHSIA, VARIABLES
from vkzircon_cli.model.spec import result_name
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import TOO_MUCH_MEMORY, Task

_MOST_DRIVERS = 64
_MOST_LOG = 8 * 1024  # bytes of the log of one driver
_PIPE_SIZE, _SET_PIPE_SIZE = 1 << 18, 1031  # F_SETPIPE_SZ (linux/fcntl.h)
# Asked before the manifests: an instance with the user's own settings, and one without any driver.
_AS_IT_IS, _NOWHERE = "", "/nonexistent.json"
# Without the user's folders no settings file adds a driver, and no layer's manifest stops the loader.
_NO_FOLDERS = dict.fromkeys(("HOME", *OF_FOLDERS), "/nonexistent")
SETTINGS_FILE = "vk_loader_settings.json"
_MOST_LINES = 3
_PREFIX = "[Vulkan Loader] "
_WORDS_OF_LIST = 4  # a line of a list is a path after a prefix of at most three words
_INSTANCE_CREATE_INFO, _ENUMERATE_PORTABILITY, _NO_EXTENSION = 1, 1, -7  # vulkan_core.h
_PORTABILITY = b"VK_KHR_portability_enumeration"
_API_1_1 = 1 << 22 | 1 << 12
_USED, _NO_DRIVER = "VK_SUCCESS", "VK_ERROR_INCOMPATIBLE_DRIVER"


@record
class Tried:
    """What the loader did: the *result* of vkCreateInstance by name, '' if the process ended before that, with *fate*.

    *files* are those mapped by then, empty if that is not known; *earlier* are those mapped before the first instance.
    *log* has all lines of the loader's log.
    """

    result: str = ""
    files: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    fate: Missing | None = None
    earlier: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the loader was asked and answered, or ended the process."""
        return bool(self.result) or (self.fate is not None and self.fate.kind is not MissingKind.NOT_ASKED)

    @property
    def is_used(self) -> bool:
        """Whether the instance was created."""
        return self.result == _USED

    @property
    def has_no_driver(self) -> bool:
        """Whether the loader found no driver that works, and went on to the end."""
        return self.result == _NO_DRIVER

    @property
    def stops(self) -> bool:
        """Whether this stops the loader for all drivers, rather than leaving one out."""
        return self.fate is not None or self.result not in ("", _USED, _NO_DRIVER)

    def words_on(self, *names: str) -> tuple[str, ...]:
        """Return the last lines of the log, without list entries; with *names*, only lines that have one of these."""
        named = (line for line in self.log if not names or any(name and name in line for name in names))
        plain = (line.removeprefix(_PREFIX) for line in named)  # loader 1.4 has this prefix, and lines for debugging
        said = (line for line in plain if len(line.split()) > _WORDS_OF_LIST and not line.startswith("DEBUG"))
        return tuple(dict.fromkeys(shown(line.strip()) for line in said))[-_MOST_LINES:]


@record
class Asked:
    """The loader's results: *control* without a driver, *whole* with the user's settings, *alone* with one driver.

    *alone* has a result per manifest that a variable can name, and is empty if the loader does more than find no driver
    where none is named. *whole* and *control* are None if the loader was not run.
    """

    control: Tried | None = None
    whole: Tried | None = None
    alone: Mapping[str, Tried] = field(default_factory=dict)

    def loads(self, library: str) -> bool | None:
        """Whether the loader keeps *library* (a path, or a name for the linker) mapped, None if that is not known.

        It is not known of a library that was mapped before the loader ran (LD_PRELOAD).
        """
        if self.whole is None or not self.whole.is_used or not self.whole.files or not library:
            return None
        if _among(library, self.whole.earlier):
            return None
        return bool(_among(library, self.whole.files))

    def file_of(self, library: str) -> str:
        """Return the file behind *library*, the name itself where the loader mapped no such file, or several."""
        if "/" in library and "$" not in library:
            return os.path.realpath(library)
        mapped = _among(library, self.whole.files) if self.whole else ()
        return mapped[0] if len(mapped) == 1 else library

    def named_files(self) -> tuple[str, ...]:
        """Return the JSON files that the loader's log names and that exist."""
        found = map(os.path.normpath, paths_in(self.whole.log) if self.whole else ())
        return tuple(dict.fromkeys(path for path in found if os.path.isfile(path)))  # noqa: PTH113

    def passes_over(self, manifest: str) -> bool:
        """Whether the loader works and names JSON files in its log, but not this manifest."""
        if self.whole is None or self.whole.stops or any(manifest in line for line in self.whole.log):
            return False
        return bool(self.named_files())

    def stops_at(self, manifest: str, suspect: bool) -> bool:
        """Whether the loader gives up on all drivers because of a *manifest*, which is *suspect* by its text."""
        if (tried := self.alone.get(manifest)) is not None:
            return tried.stops
        return suspect and (self.control is None or self.control.stops)


def _among(library: str, files: Sequence[str]) -> tuple[str, ...]:
    """Return those of *files* that *library* (a path, or a name for the linker) may be."""
    if "/" in library and "$" not in library:
        real = os.path.realpath(library)
        return (real,) if real in files else ()
    stem = library.rpartition("/")[2].split(".so", 1)[0] + ".so"
    return tuple(path for path in files if path.rpartition("/")[2].startswith(stem))


class LoaderTrial:
    """Starts a task that creates the instances; *variables* are those by which layers are turned on and off."""

    def __init__(self, where: Surroundings, manifests: Sequence[str], variables: Sequence[str]) -> None:
        self._timeout_s = where.timeout_s
        self._manifests = nameable(manifests)[:_MOST_DRIVERS]
        self._environ = {name: where.environ.get(name) for name in (*VARIABLES, "HOME", *variables)}
        self._environ["VK_LOADER_DEBUG"] = "all"
        self._ask = partial(_ask, names_tried(where.environ), self._environ)
        self._tried: dict[str, Tried] | None = None
        # With raised privileges, the loader does not read the variables that select a single driver.
        self._is_possible = can_fork() and can_open() and not where.elevated and where.platform != FUCHSIA
        self._questions = [_AS_IT_IS, _NOWHERE, *self._manifests]
        self._task = self._start(self._questions) if self._is_possible else None

    def close(self) -> None:
        """End the task if it still runs. The loader is not run again."""
        self._is_possible = False
        if self._task is not None:
            self._task.close()

    def is_calm(self) -> bool:
        """Wait for the first process; return whether it answered every question."""
        if self._tried is None and self._task is not None and self._is_possible:
            self._tried = self._together(self._task, self._questions)
        return self._tried is not None and len(self._tried) == len(self._questions)

    def asked(self) -> Asked:
        """Wait for the results."""
        self.is_calm()
        if not self._is_possible or self._tried is None:
            return Asked()
        tried = self._completed(self._questions, self._tried)
        control, whole = tried[_NOWHERE], tried[_AS_IT_IS]
        if not control.is_known:
            return Asked()
        if control.has_no_driver and not any(path.endswith(SETTINGS_FILE) for path in paths_in(control.log)):
            return Asked(control, whole, _beside(tried, control, self._manifests))
        self._environ |= _NO_FOLDERS  # for all questions from now on
        return Asked(control, whole, self.alone(self._manifests))

    def alone(self, manifests: Sequence[str]) -> Mapping[str, Tried]:
        """Return the results with each of other *manifests* alone."""
        named = nameable(manifests)[:_MOST_DRIVERS]
        if not self._is_possible or not named:
            return {}
        questions = [_NOWHERE, *named]
        tried = self._completed(questions, self._together(self._start(questions), questions))
        control = tried[_NOWHERE]
        return _beside(tried, control, named) if control.has_no_driver else {}

    def _start(self, questions: Sequence[str]) -> Task:
        return Task(partial(self._ask, questions), min(PATIENCE_S, self._timeout_s))

    def _together(self, task: Task, questions: Sequence[str]) -> dict[str, Tried]:
        """Return the answers of one process; a question that was slow or used too much memory has none.

        The process keeps the libraries of earlier questions and their memory, so the last one may not be the cause.
        """
        answers, fate = task.answers()
        made = _made(answers)
        tried = dict(zip(questions, made, strict=False))
        is_limit = fate is TOO_MUCH_MEMORY or (fate is not None and fate.kind is MissingKind.TIMED_OUT)
        if fate is not None and not is_limit and answers and len(made) < len(questions):
            tried[questions[len(made)]] = Tried(fate=fate)
        return tried

    def _completed(self, questions: Sequence[str], tried: dict[str, Tried]) -> dict[str, Tried]:
        """Return the answers with those of questions that the first process did not answer, each from its own."""
        rest = [each for each in questions if each not in tried]
        for each, (answers, fate) in each_alone(self._ask, rest, self._timeout_s):
            made = _made(answers)
            tried = {**tried, each: made[0] if made else Tried(fate=fate if answers else None)}
        return tried


def _made(answers: Sequence[Any]) -> list[Tried]:
    """Return the results in the *answers* of `_ask`."""
    return [Tried(result, tuple(files), tuple(log), None, tuple(answers[0])) for result, files, log in answers[1:]]


def _beside(tried: Mapping[str, Tried], control: Tried, manifests: Sequence[str]) -> Mapping[str, Tried]:
    """Return the known results of *manifests*, with those lines of the log that the *control* does not have."""
    usual = set(control.log)
    known = {each: tried[each] for each in manifests if tried[each].is_known}
    return {each: replace(of, log=tuple(line for line in of.log if line not in usual)) for each, of in known.items()}


def _ask(names: Sequence[str], environ: Mapping[str, str | None], questions: Sequence[str]) -> Iterator[Any]:
    """Open the loader, and create an instance for each manifest. Runs only in a task's process."""
    log = _log()
    _change(environ)  # the loader reads VK_LOADER_DEBUG when it is loaded
    if (loader := _opened(names)) is None:
        return
    yield list(mapped_files())
    for manifest in questions:
        alone = {**WITHOUT_LAYERS, **only_drivers([manifest])}
        _change({name: environ.get(name) for name in alone} if manifest == _AS_IT_IS else alone)
        result, files = _instance(loader)
        is_driver = manifest not in (_NOWHERE, _AS_IT_IS)
        lines = os.fsdecode(_read(log)[-_MOST_LOG if is_driver else 0 :]).splitlines()
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
    """Create an instance as the probe does, and destroy it; return the result, and the files mapped between.

    The probe's own writer of these structures takes 30 ms to import.
    """
    from vkzircon_cli.bindings import _abi  # 0.4 ms, for a task only

    ffi: Any = _abi.ffi
    look_up = ffi.cast("PFN_vkGetInstanceProcAddr", loader.address("vkGetInstanceProcAddr"))
    create = ffi.cast("PFN_vkCreateInstance", look_up(ffi.NULL, b"vkCreateInstance"))
    if create == ffi.NULL:
        return "", []
    name = ffi.new("char[]", _PORTABILITY)
    names = ffi.new("char *[]", [name])
    application = ffi.new("VkApplicationInfo *", {"apiVersion": _API_1_1})
    info = ffi.new("VkInstanceCreateInfo *", {"sType": _INSTANCE_CREATE_INFO, "pApplicationInfo": application})
    info.flags, info.enabledExtensionCount, info.ppEnabledExtensionNames = _ENUMERATE_PORTABILITY, 1, names
    made = ffi.new("void **")
    result = create(info, ffi.NULL, made)
    if result == _NO_EXTENSION:
        info.flags = info.enabledExtensionCount = 0
        result = create(info, ffi.NULL, made)
    files = list(mapped_files())
    if result == 0:
        _keep_open(files)
        ffi.cast("PFN_vkDestroyInstance", look_up(made[0], b"vkDestroyInstance"))(made[0], ffi.NULL)
    return result_name(result), files


def _keep_open(files: Iterable[str]) -> None:
    """Open the libraries once more, so that the next instance does not load them again."""
    for path in files:
        if ".so" in path:
            with suppress(CannotOpen):
                open_library(path)
