# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark: each compares vkzircon with another program, and has a target for the ratio."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from measure import CACHES, Command, Pairs, cold_ms, instructions, paired, peak_mib, printed_ms, wall_ms

HERE = Path(__file__).parent


class Missing(Exception):
    """What a row is compared with is not on this machine."""


@dataclass(frozen=True)
class Where:
    """The environment of a run, the same under emulation, the installed vkzircon's Python and the C program."""

    environ: Mapping[str, str]
    emulating: Mapping[str, str]  # shows every program the layer that `--emulate` shows vkzircon
    python: Path
    baseline: Path | None
    agent: Path | None
    pairs: int
    more: bool

    def vkzircon(self, *arguments: str, **env: str) -> Command:
        """Return a command line of the installed vkzircon."""
        return Command([str(self.python.with_name("vkzircon")), *arguments], {**self.environ, **env})

    def script(self, name: str, *arguments: str, **env: str) -> Command:
        """Return a run of a script beside this file, with the installed vkzircon's Python."""
        return Command([str(self.python), str(HERE / name), *arguments], {**self.environ, **env})

    def probe(self, *arguments: str, **env: str) -> Command:
        """Return a run of probe.py under emulation."""
        return self.script("probe.py", *arguments, **{**self.emulating, **env})

    def vulkaninfo(self, *arguments: str, **env: str) -> Command:
        """Return a command line of vulkaninfo.

        Raises:
            Missing: it is not installed.
        """
        if shutil.which("vulkaninfo") is None:
            raise Missing("vulkaninfo is not installed")
        return Command(["vulkaninfo", *arguments], {**self.environ, **env})

    def c(self, *arguments: str) -> Command:
        """Return a command line of the C program.

        Raises:
            Missing: it could not be built.
        """
        if self.baseline is None:
            raise Missing("no C compiler")
        return Command([str(self.baseline), *arguments], self.emulating)

    def through_agent(self, *arguments: str, delay_ms: float | None = None, count: str = "/dev/null") -> Command:
        """Return a command line of the installed vkzircon through an agent, on a line that is *delay_ms* slow.

        The file *count* gets one byte for each round trip on such a line.

        Raises:
            Missing: the agent could not be built.
        """
        if self.agent is None:
            raise Missing("no C compiler")
        agent = str(self.agent)
        if delay_ms is not None:
            agent = shlex.join([str(self.python), "-SE", str(HERE / "delay.py"), str(delay_ms), count, agent])
        return self.vkzircon(*arguments, "--agent", agent)


@dataclass(frozen=True)
class Row:
    """A row, and what was measured or why that was not possible. The target is a ratio, for MiB a difference."""

    id: str
    what: str
    unit: str
    target: float
    pairs: Pairs | None = None
    instructions: float | None = None
    missing: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached, None where nothing was measured."""
        if self.pairs is None:
            return None
        seen = self.pairs.ours - self.pairs.theirs if self.unit == "MiB" else self.pairs.ratio
        return bool(seen <= self.target)


Sides = Callable[[Where], tuple[Command, Command]]
# The C program has no second process, and without fork the probe has none either.
_ALONE = {"VKZIRCON_PLATFORM": "fuchsia"}
_COMPLETE = {"_VKZIRCON_COMPLETE": "complete_bash", "COMP_WORDS": "vkzircon ch", "COMP_CWORD": "1"}
_ONE_COMPLETE = {"_ONE_OPTION_COMPLETE": "complete_bash", "COMP_WORDS": "one-option --v", "COMP_CWORD": "1"}
_CHECK = ("check", "--emulate", "--quiet")
_COUNTED = {"version", "help"}  # with --more, the instructions of these rows are counted too

_SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


def _swiftshader() -> dict[str, str]:
    """Return the variable that chooses the driver.

    Raises:
        Missing: Chromium is not installed.
    """
    if not _SWIFTSHADER.is_file():
        raise Missing("no SwiftShader")
    return {"VK_DRIVER_FILES": str(_SWIFTSHADER)}


def _if_root(command: Command) -> Command:
    """Return *command*.

    Raises:
        Missing: the system's cache cannot be emptied.
    """
    if not os.access(CACHES, os.W_OK):
        raise Missing("the cache cannot be emptied")
    return command


ROWS: tuple[tuple[Row, Callable[[Command], float], Sides], ...] = (
    (
        Row("check", "check --emulate --quiet over vulkaninfo --summary", "ms", 3.0),
        wall_ms,
        lambda where: (where.vkzircon(*_CHECK), where.vulkaninfo("--summary")),
    ),
    (
        Row("swiftshader", "the same on Chromium's SwiftShader, a driver that starts in no time", "ms", 6.0),
        wall_ms,
        lambda where: (
            where.vkzircon(*_CHECK, **_swiftshader()),
            where.vulkaninfo("--summary", **_swiftshader()),
        ),
    ),
    (
        Row("cold", "check --emulate --quiet over vulkaninfo --summary, no file in the system's cache", "ms", 3.0),
        cold_ms,
        lambda where: (_if_root(where.vkzircon(*_CHECK)), where.vulkaninfo("--summary")),
    ),
    (
        Row("whole-check", "check --emulate --quiet over the same calls from C, whole processes", "ms", 2.5),
        wall_ms,
        lambda where: (where.vkzircon(*_CHECK), where.c("check")),
    ),
    (
        Row("devices", "devices --emulate over vulkaninfo --summary", "ms", 2.0),
        wall_ms,
        lambda where: (where.vkzircon("devices", "--emulate"), where.vulkaninfo("--summary")),
    ),
    (
        Row("report", "report --emulate --format json over vulkaninfo --summary", "ms", 3.0),
        wall_ms,
        lambda where: (where.vkzircon("report", "--emulate", "--format", "json"), where.vulkaninfo("--summary")),
    ),
    (
        Row("doctor", "doctor over vulkaninfo --summary", "ms", 3.0),
        wall_ms,
        lambda where: (replace(where.vkzircon("doctor"), codes=(0, 1)), where.vulkaninfo("--summary")),
    ),
    (
        Row("probe", "the probe of check alone over the same calls from C", "ms", 1.5),
        printed_ms,
        lambda where: (where.probe("time", "everything", **_ALONE), where.c("--time", "check")),
    ),
    (
        Row("matrix", "the probe of matrix --formats all alone over the same loop in C", "ms", 3.0),
        printed_ms,
        lambda where: (where.probe("time", "matrix", **_ALONE), where.c("--time", "matrix")),
    ),
    (
        Row("whole-matrix", "matrix --formats all, the whole process, over that of the same loop in C", "ms", 3.0),
        wall_ms,
        lambda where: (
            where.vkzircon("matrix", "--emulate", "--formats", "all", "--format", "json"),
            where.c("matrix"),
        ),
    ),
    (
        Row("verify", "verifying 1 GiB written and read back over memcmp of the same bytes", "ms", 1.5),
        printed_ms,
        lambda where: (where.script("inside.py"), where.script("inside.py", "memcmp")),
    ),
    (
        Row("version", "--version over that of a Typer app with one option", "ms", 1.3),
        wall_ms,
        lambda where: (where.vkzircon("--version"), where.script("one_option.py", "--version")),
    ),
    (
        Row("help", "--help over that of a Typer app with one option", "ms", 1.3),
        wall_ms,
        lambda where: (where.vkzircon("--help"), where.script("one_option.py", "--help")),
    ),
    (
        Row("completion", "completing a command over completing one option", "ms", 1.3),
        wall_ms,
        lambda where: (where.vkzircon(**_COMPLETE), where.script("one_option.py", **_ONE_COMPLETE)),
    ),
    (
        Row("peak", "largest process of report --emulate, and of vulkaninfo", "MiB", 40.0),
        peak_mib,
        lambda where: (where.vkzircon("report", "--emulate"), where.vulkaninfo()),
    ),
    (
        Row("agent", "check --emulate --quiet through an agent over the same without", "ms", 4.0),
        wall_ms,
        lambda where: (where.through_agent(*_CHECK), where.vkzircon(*_CHECK)),
    ),
    (
        Row("slow-agent", "the same with 2 ms of delay in each direction over sleep 6", "ms", 1.0),
        wall_ms,
        lambda where: (where.through_agent(*_CHECK, delay_ms=2.0), Command(["sleep", "6"], where.environ)),
    ),
)


def measured(where: Where, only: Sequence[str]) -> Iterator[Row]:
    """Measure the rows whose ids are in *only*, or all if that is empty."""
    for row, measure, sides in ROWS:
        if not only or row.id in only:
            yield _measured(where, row, measure, sides)


def _measured(where: Where, row: Row, measure: Callable[[Command], float], sides: Sides) -> Row:
    try:
        ours, theirs = sides(where)
    except Missing as missing:
        return replace(row, missing=str(missing))
    is_counted = where.more and row.id in _COUNTED
    counts = [instructions(command) for command in (ours, theirs)] if is_counted else []
    ratio = counts[0] / counts[1] if counts and counts[0] and counts[1] else None
    return replace(row, pairs=paired(measure, ours, theirs, where.pairs), instructions=ratio)
