# SPDX-License-Identifier: Apache-2.0
"""The library that opens as the loader is found in a task, and each way to fail is a finding of its own."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.library import LibraryTrial
from vkzircon_cli.doctor.loader import Attempt, attempt_of_probe, attempts, loader_finding
from vkzircon_cli.doctor.search import Surroundings, names_tried
from vkzircon_cli.model.base import NEVER_REACHED, Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Loader
from vkzircon_cli.model.host import LIBVULKAN_VARIABLE
from vkzircon_cli.model.spec import api_version
from vkzircon_cli.worker.task import Task

UNASKED: Answer[Loader] = Answer(None, NEVER_REACHED)
NEW = api_version(1 << 22 | 3 << 12 | 239)


def _where(platform: str = "linux", timeout_s: float = 10, **environ: str) -> Surroundings:
    return Surroundings(platform, False, environ, timeout_s)


def _library(path: Path, source: str, *options: str) -> Path:
    path.with_suffix(".c").write_text(f"#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n{source}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, path.with_suffix(".c"), *options], check=True)
    return path


def _starting(statement: str) -> str:
    return f"__attribute__((constructor)) static void start(void) {{ {statement} }}"


def _text(path: Path) -> Path:
    path.write_text("no library\n" * 100)
    return path


def _empty(path: Path) -> Path:
    path.touch()
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _needing_what_is_gone(path: Path) -> Path:
    gone = _library(path.with_name("libgone.so"), "void gone(void) {}")
    _library(path, "void gone(void); void use(void) { gone(); }", f"-L{gone.parent}", "-lgone")
    gone.unlink()
    return path


_LOADER = "void *vkGetInstanceProcAddr(void *instance, const char *name) {{ {body} }}"
_VERSION = "static int version(unsigned *v) { *v = 1u << 22 | 4u << 12 | 7; return 0; }\n" + _LOADER.format(
    body="return (void *)version;"
)
CASES: dict[str, tuple[Callable[[Path], Path], str, Outcome, str]] = {
    "absent": (lambda path: path, "loader.not-found", Outcome.FAIL, "No such file"),
    "text": (_text, "loader.not-a-library", Outcome.FAIL, "invalid ELF header"),
    "short": (_empty, "loader.not-a-library", Outcome.FAIL, "too short"),
    "folder": (_folder, "loader.not-a-library", Outcome.FAIL, "Is a directory"),
    "other-library": (
        lambda path: _library(path, "int x;"),
        "loader.not-a-loader",
        Outcome.FAIL,
        "no vkGetInstanceProcAddr",
    ),
    "dependency": (_needing_what_is_gone, "loader.missing-dependency", Outcome.FAIL, "libgone.so"),
    "crashes": (lambda path: _library(path, _starting("abort();")), "loader.crashes", Outcome.CRASH, "SIGABRT"),
    "exits": (lambda path: _library(path, _starting("_exit(0);")), "loader.crashes", Outcome.CRASH, "ends the process"),
    "uses memory": (
        lambda path: _library(path, _starting("for (int i = 0; i < 192; i++) memset(malloc(1 << 20), 1, 1 << 20);")),
        "loader.memory",
        Outcome.FAIL,
        "uses more than 512 MiB of memory",
    ),
    "hangs": (
        lambda path: _library(path, _starting("for (;;) pause();")),
        "loader.hangs",
        Outcome.TIMEOUT,
        "no answer within 1 s",
    ),
    "old": (lambda path: _library(path, _LOADER.format(body="return 0;")), "loader.old", Outcome.WARN, "Vulkan 1.0.0"),
    "good": (lambda path: _library(path, _VERSION), "loader.opened", Outcome.PASS, "Vulkan 1.4.7"),
}


def _found(where: Surroundings) -> Finding:
    return loader_finding(attempts(where, UNASKED), where)


@pytest.mark.usefixtures("less_memory")
@pytest.mark.parametrize("case", CASES)
def test_each_way_to_fail_has_its_own_finding(case: str, tmp_path: Path) -> None:
    """Its sentence names the file and the fact, and the branch has its outcome."""
    make, word, outcome, words = CASES[case]
    path = make(tmp_path / "libvulkan_test.so")
    branch = _found(_where(timeout_s=1 if case == "hangs" else 10, **{LIBVULKAN_VARIABLE: str(path)}))
    (child,) = branch.children
    assert (child.id, child.outcome) == (word, outcome)
    assert str(path) in child.sentence
    assert words in f"{child.sentence} {child.cause}"
    assert "\n" not in child.sentence
    assert branch.outcome is outcome
    if outcome is not Outcome.PASS:
        assert child.cause
        assert child.command


def _descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


def test_nothing_of_a_trial_stays_behind(tmp_path: Path) -> None:
    """No library in this process, no process and no descriptor is left, also if the answer is never read."""
    path = _library(tmp_path / "libvulkan_test.so", _starting("for (;;) pause();"))
    before = _descriptors()
    _found(_where(timeout_s=0.3, **{LIBVULKAN_VARIABLE: str(path)}))
    unread = LibraryTrial([str(path)], 0.3)
    unread.close()
    unread.close()
    assert _descriptors() == before
    assert "libvulkan_test" not in Path("/proc/self/maps").read_text()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _runs(process: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_what_a_library_starts_ends_with_it(tmp_path: Path) -> None:
    """A process that a constructor forks, and that keeps the pipe open, neither delays nor outlives the task."""
    mark = tmp_path / "pid"
    forks = f'if (!fork()) {{ FILE *f = fopen("{mark}", "w"); fprintf(f, "%d", getpid()); fclose(f); sleep(60); }} '
    path = _library(tmp_path / "libvulkan_test.so", f"#include <stdio.h>\n{_starting(forks + 'for (;;) pause();')}")
    (child,) = _found(_where(timeout_s=1, **{LIBVULKAN_VARIABLE: str(path)})).children
    assert child.id == "loader.hangs"
    until = time.monotonic() + 5
    while _runs(mark.read_text()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(mark.read_text())


def test_an_errand_tells_what_it_answered_before_it_died() -> None:
    """Answers are kept, with what cut them short."""

    def work() -> list[int]:
        raise ValueError

    assert Task(lambda: iter([1, "two"]), 5).answers() == ([1, "two"], None)
    answers, fate = Task(work, 5).answers()
    assert answers == []
    assert fate == Missing(MissingKind.CRASHED, "dlopen", "", "the process ended with exit status 71")


def test_a_task_that_is_read_late_still_answers() -> None:
    """An answer within its timeout counts, however late it is read; a hang is still a hang."""
    limit_s = 2.0
    errand = Task(lambda: iter(["done"]), limit_s)
    hanging = Task(lambda: iter(threading.Event().wait, True), limit_s)
    time.sleep(limit_s + 0.1)
    assert errand.answers() == (["done"], None)
    began = time.monotonic()
    _, fate = hanging.answers()
    assert fate is not None
    assert fate.kind is MissingKind.TIMED_OUT
    assert time.monotonic() - began < limit_s


def test_a_slow_errand_has_its_limit_for_each_answer_however_late_it_is_read() -> None:
    """An answer's timeout starts with the one before, when it was written, not when it was read."""

    def work() -> Iterator[int]:
        for number in range(4):
            time.sleep(0.7)
            yield number

    for late_s in (0.0, 1.1):
        errand = Task(work, 2.4)  # less than all sleep together
        time.sleep(late_s)
        assert errand.answers() == ([0, 1, 2, 3], None)


def test_who_gives_up_waits_for_nothing() -> None:
    """Answers that came count, the rest is not tried, and no process is left."""
    errand = Task(lambda: iter(threading.Event().wait, True), 60)
    time.sleep(0.2)
    errand.give_up()
    began = time.monotonic()
    _, fate = errand.answers()
    assert fate == Missing(MissingKind.NOT_ASKED, "", "", "there was no time to try it")
    assert time.monotonic() - began < 30


def test_what_the_probe_opened_is_not_tried_again(tmp_path: Path) -> None:
    """The first name's result is the probe's; that of a later name does not explain the first."""
    path = str(_library(tmp_path / "libvulkan_test.so", _VERSION))
    where = Surroundings("linux", False, {LIBVULKAN_VARIABLE: path}, 10)
    seen = Answer(Loader(path, "/the/probe/says", NEW))
    assert attempts(where, seen) == (Attempt(path, "/the/probe/says", NEW),)
    other = Answer(Loader("libvulkan.so", "/the/probe/says", NEW))
    assert attempts(where, other) == (Attempt(path, path, api_version(1 << 22 | 4 << 12 | 7)),)


def test_the_names_are_those_of_the_probe() -> None:
    """A chosen library is the only one that is tried; an empty variable chooses none."""
    assert names_tried({}) == ("libvulkan.so.1", "libvulkan.so")
    assert names_tried({LIBVULKAN_VARIABLE: ""}) == names_tried({})
    assert names_tried({LIBVULKAN_VARIABLE: "/x.so"}) == ("/x.so",)


def test_a_name_that_fails_beside_one_that_opens_is_only_worth_knowing() -> None:
    """On Fuchsia the first name does not exist."""
    tried = (
        Attempt("libvulkan.so.1", reason="libvulkan.so.1: cannot open shared object file: No such file or directory"),
        Attempt("libvulkan.so", "/pkg/lib/libvulkan.so", NEW),
    )
    found = loader_finding(tried, _where())
    assert found.outcome is Outcome.PASS
    assert [child.outcome for child in found.children] == [Outcome.INFO, Outcome.PASS]
    assert "libvulkan.so was opened instead" in found.children[0].cause


@pytest.mark.parametrize(
    ("words", "id"),
    [
        ("libvulkan.so.1: cannot open shared object file: Permission denied", "loader.unreadable"),
        ("libvulkan.so.1: wrong ELF class: ELFCLASS32", "loader.wrong-class"),
        ("/lib/libc.so.6: version `GLIBC_2.99' not found (required by libvulkan.so.1)", "loader.missing-version"),
        ("libvulkan.so.1: undefined symbol: x", "loader.missing-symbol"),
        ("Error loading shared library libvulkan.so.1: No such file or directory", "loader.not-found"),
        ("Error loading shared library libx.so: No such file (needed by libvulkan.so.1)", "loader.missing-dependency"),
        ("Error relocating libvulkan.so.1: x: symbol not found", "loader.missing-symbol"),
        ("something new", "loader.refused"),
    ],
)
def test_the_linkers_words_are_understood(words: str, id: str) -> None:
    """Messages of glibc and musl are kept as evidence, and an unknown one is a finding as well."""
    (child,) = loader_finding((Attempt("libvulkan.so.1", reason=words),), _where()).children
    assert (child.id, child.evidence) == (id, (words,))


def test_the_hint_is_the_platforms_own() -> None:
    """No package manager is named on Fuchsia, where the loader is packaged with the component."""
    tried = (Attempt("libvulkan.so", reason="libvulkan.so: cannot open shared object file: No such file"),)
    (child,) = loader_finding(tried, _where("fuchsia")).children
    assert "@fuchsia_sdk//pkg/vulkan" in child.cause
    assert child.command == ""
    assert "apt-get" in loader_finding(tried, _where()).children[0].command


def test_without_fork_what_the_probe_saw_is_told() -> None:
    """No library is loaded for it: the probe opened it, or it is a skip."""
    seen = loader_finding(attempt_of_probe(Answer(Loader("libvulkan.so", "", NEW))), _where("fuchsia"))
    assert (seen.outcome, seen.children[0].id) == (Outcome.PASS, "loader.opened")
    unseen = loader_finding(None, _where("fuchsia"))
    assert unseen.children[0].outcome is Outcome.SKIP
