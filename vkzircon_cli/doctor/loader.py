# SPDX-License-Identifier: Apache-2.0
"""Checks which library opens as the Vulkan loader; if none does, explains the linker's message for each name."""

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Any

from vkzircon_cli.bindings.caller import LOCAL, Caller, OpenedLibrary
from vkzircon_cli.bindings.dynlib import CannotOpen, can_open
from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.doctor.search import Surroundings, names_tried
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.facts import Loader
from vkzircon_cli.model.host import FUCHSIA, LIBVULKAN_VARIABLE
from vkzircon_cli.model.spec import Version, api_version
from vkzircon_cli.model.text import visible
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import MOST_MEMORY_MIB, TOO_MUCH_MEMORY, Task

_API_1_0, _API_1_1 = 1 << 22, 1 << 22 | 1 << 12
_SUBJECT = "Vulkan loader"
_NO_PROCESS = "no process can be started in which it may crash"
_NO_CFFI = "the Python package cffi is missing"


@record
class Attempt:
    """One name that was tried: the *path* and the loader's *version* if it opened, else the linker's *reason*.

    *reason* is '' if the library opened but is not a Vulkan loader; *fate* is what ended the process that opened it.
    """

    name: str
    path: str = ""
    version: Version | None = None
    reason: str = ""
    fate: Missing | None = None


def attempts(where: Surroundings, probed: Answer[Loader]) -> tuple[Attempt, ...] | None:
    """Return the result for each name that was tried, None if no process can be started for it.

    If the probe opened the first name, nothing is tried again.
    """
    if not can_fork() or not can_open():
        return None
    names = names_tried(where.environ)
    if (loader := probed.value) is not None and loader.library == names[0]:
        return (Attempt(shown(loader.library), shown(loader.path), loader.api_version),)
    answers, fate = Task(lambda: try_names(LOCAL, names), where.timeout_s).answers()
    if fate is not None and fate.kind is MissingKind.NOT_ASKED:
        return None
    return attempts_of(names, answers, fate)


def attempts_of(names: Sequence[str], answers: Sequence[Any], fate: Missing | None) -> tuple[Attempt, ...]:
    """Return the result for each of *names*, by the *answers* of `try_names`, which *fate* ended."""
    made = [
        Attempt(name, path, None if version is None else api_version(version), reason)
        for name, path, version, reason in answers
    ]
    if fate is not None and len(made) < len(names):
        made.append(Attempt(shown(names[len(made)]), fate=fate))
    return tuple(made)


def try_names(caller: Caller, names: Sequence[str]) -> Iterator[tuple[str, str, int | None, str]]:
    """Open the names in order up to the first Vulkan loader. Runs only in a task's process, or in an agent's."""
    for name in names:
        try:
            library = caller.open(name)
        except CannotOpen as refused:
            yield shown(name), "", None, visible(refused.words)
            continue
        version = _version(caller, library) if library.address("vkGetInstanceProcAddr") else None
        yield shown(name), shown(caller.file_of(name)), version, ""
        if version is not None:
            return


def _version(caller: Caller, library: OpenedLibrary) -> int:
    from vkzircon_cli.bindings._abi import ffi  # 0.4 ms, for a task only

    look_up = caller.function(ffi, "void *(*)(void *, const char *)", library.address("vkGetInstanceProcAddr"))
    address = look_up(ffi.NULL, b"vkEnumerateInstanceVersion")
    if address == ffi.NULL:
        return _API_1_0  # only a 1.0 loader lacks the command (spec)
    version = caller.new(ffi, "uint32_t *", _API_1_0)
    caller.function(ffi, "int32_t (*)(uint32_t *)", address)(version)
    return int(version[0])


def loader_file(attempts: Sequence[Attempt] | None, probed: Answer[Loader]) -> str:
    """Return the file of the loader that opens, '' if none does."""
    if attempts is None:
        return probed.value.path if probed.value else ""
    return next((attempt.path for attempt in attempts if attempt.version), "")


def loader_finding(
    attempts: Sequence[Attempt] | None, probed: Answer[Loader], where: Surroundings, why_not: str = ""
) -> Finding:
    """Return which loader opens; if none was tried (*attempts* None, *why_not*), the one that the probe opened."""
    if attempts is None:
        why_not = why_not or (_NO_PROCESS if can_open() else _NO_CFFI)
        child = Finding("loader.not-tried", _SUBJECT, Outcome.SKIP, "The loader was not opened here.", cause=why_not)
        if (loader := probed.value) is not None:
            child = _opened(Attempt(shown(loader.library), shown(loader.path), loader.api_version))
        return branch("loader", _SUBJECT, child.sentence, [child])
    good = next((attempt for attempt in attempts if attempt.version is not None), None)
    children = [_tried(attempt, good, where) for attempt in attempts]
    sentence = children[attempts.index(good)].sentence if good else "No Vulkan loader can be opened."
    return branch("loader", _SUBJECT, sentence, children)


def _tried(attempt: Attempt, good: Attempt | None, where: Surroundings) -> Finding:
    if attempt is good:
        return _opened(attempt)
    if attempt.fate is not None:
        return _died(attempt, attempt.fate, where)
    word, cause, command = _fault(attempt, where)
    sentence = f"{attempt.name} opens, but has no vkGetInstanceProcAddr."
    if attempt.reason:
        sentence = f"{attempt.name} cannot be opened: {attempt.reason.removeprefix(f'{attempt.name}: ').rstrip('.')}."
    evidence = tuple(filter(None, (attempt.reason, attempt.path)))
    outcome = Outcome.FAIL
    if good is not None:
        outcome, cause = Outcome.INFO, f"{good.name} was opened instead. {cause[:1].upper()}{cause[1:]}"
    return Finding(f"loader.{word}", attempt.name, outcome, sentence, evidence, cause, command)


def _opened(attempt: Attempt) -> Finding:
    version = attempt.version or Version(_API_1_0, "1.0.0")
    is_file = attempt.path not in ("", attempt.name)
    sentence = f"{attempt.name} opens{f' ({attempt.path})' if is_file else ''}, Vulkan {version.text}."
    if version.value < _API_1_1:
        cause = "with Vulkan 1.0 the extension also needs VK_KHR_external_memory_capabilities"
        command = "sudo apt-get install --only-upgrade libvulkan1"
        return Finding("loader.old", attempt.name, Outcome.WARN, sentence, (attempt.path,), cause, command)
    return Finding("loader.opened", attempt.name, Outcome.PASS, sentence, (attempt.path,) if is_file else ())


def _died(attempt: Attempt, fate: Missing, where: Surroundings) -> Finding:
    outcome, word, does = Outcome.CRASH, "crashes", "ends the process"
    if fate.kind is MissingKind.TIMED_OUT:
        outcome, word, does = Outcome.TIMEOUT, "hangs", "hangs"
    if fate is TOO_MUCH_MEMORY:
        outcome, word, does = Outcome.FAIL, "memory", f"uses more than {MOST_MEMORY_MIB} MiB of memory"
    sentence = f"{attempt.name} {does} when it is opened: {fate.reason}."
    cause = "its constructor, or that of a library that it loads, does so"
    return Finding(f"loader.{word}", attempt.name, outcome, sentence, (), cause, _command(attempt, where))


# The messages of the linkers of glibc and musl, and what they mean.
_WORDS = (
    ("Permission denied", "unreadable", "this process may not read the file"),
    ("wrong ELF class", "wrong-class", "it was built for processes of another word size than this one"),
    ("Exec format error", "not-a-library", "it is not a shared library, or one for another machine"),
    ("invalid ELF header", "not-a-library", "the file is not a shared library"),
    ("file too short", "not-a-library", "the file is not a shared library, or is truncated"),
    ("Is a directory", "not-a-library", "it is a folder"),
    ("' not found (required by", "missing-version", "a library that it needs is too old"),
    ("undefined symbol", "missing-symbol", "a library that it needs lacks the symbol"),
    ("symbol not found", "missing-symbol", "a library that it needs lacks the symbol"),
)
_ABSENT = ("No such file", "cannot open shared object file", "Error loading shared library")


def _fault(attempt: Attempt, where: Surroundings) -> tuple[str, str, str]:
    """Return the id's word, the cause and the command."""
    command = _command(attempt, where)
    if not attempt.reason:
        return "not-a-loader", "it is a library, but not the Vulkan loader", command
    for words, word, cause in _WORDS:
        if words in attempt.reason:
            return word, cause, command
    if any(words in attempt.reason for words in _ABSENT):
        missing = attempt.reason.removeprefix("Error loading shared library ").partition(":")[0]
        if missing.rpartition("/")[2] != attempt.name.rpartition("/")[2]:
            return "missing-dependency", f"it exists, but needs {missing}, which does not", command
        return "not-found", _absent(where), command
    return "refused", "the linker's message is not one that vkzircon recognizes", command


def _absent(where: Surroundings) -> str:
    if where.environ.get(LIBVULKAN_VARIABLE):
        return f"{LIBVULKAN_VARIABLE} names it, so no other is tried"
    if where.platform == FUCHSIA:
        return (
            "there is no system-wide loader on Fuchsia: package libvulkan.so in the component's lib folder "
            "(//src/lib/vulkan or @fuchsia_sdk//pkg/vulkan)"
        )
    return "the Vulkan loader is not installed, or not where the linker searches"


def _command(attempt: Attempt, where: Surroundings) -> str:
    if where.environ.get(LIBVULKAN_VARIABLE):
        return f"unset {LIBVULKAN_VARIABLE}"
    if where.platform == FUCHSIA:
        return ""
    if attempt.path:
        return f"ls -lL {quote(attempt.path)}"
    return "sudo apt-get install --reinstall libvulkan1"
