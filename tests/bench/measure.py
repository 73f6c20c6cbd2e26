# SPDX-License-Identifier: Apache-2.0
"""Times whole commands, two in turn: wall time, processor time, the largest process, and the ratios."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

KIB = 1024
Command = Sequence[str]


@dataclass(frozen=True)
class Sample:
    """One run: *wall_s* from start to end, *cpu_s* of it and all it waited for, *peak_bytes* of its largest process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Pairs:
    """What came of running two in turn: medians of each, and the median, lowest and highest ratio of a pair."""

    ours: float
    theirs: float
    ratio: float
    lowest: float
    highest: float
    count: int


class Failed(Exception):
    """A command that was to be timed left with another exit code than it should."""


def sample(command: Command, environ: Mapping[str, str], codes: Sequence[int] = (0,)) -> Sample:
    """Run *command* once, its output thrown away.

    Raises:
        Failed: it left with none of *codes*.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)  # else Popen waits for it once more
    if process.returncode not in codes:
        raise Failed(f"exit code {process.returncode} of: {' '.join(command)}")
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * KIB)


def paired(ours: Callable[[], float], theirs: Callable[[], float], count: int) -> Pairs:
    """Measure the two in turn *count* times, after a round that does not count: a drift of the machine meets both."""
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(count)]
    ratios = [mine / other for mine, other in pairs]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Pairs(mine, other, statistics.median(ratios), min(ratios), max(ratios), count)


def instructions(command: Command, environ: Mapping[str, str]) -> int | None:
    """Count what the first process of *command* executes, None without valgrind: the same on a busy machine.

    A child that never ends by itself, as a forked probe does, counts nothing.
    """
    if shutil.which("valgrind") is None:
        return None
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, *command], env={**environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    counts = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)
    return int(counts[-1].replace(",", "")) if counts else None


def program() -> list[str]:
    """Give the command of vkzircon that belongs to this interpreter."""
    script = os.path.join(os.path.dirname(sys.executable), "vkzircon")  # noqa: PTH118, PTH120 - .venv's, not where it leads
    return [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "vkzircon_cli"]
