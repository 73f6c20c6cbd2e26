# SPDX-License-Identifier: Apache-2.0
"""Runs commands and measures them: wall time, peak memory, instructions; two commands in turn, as ratios."""

import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MIB = 1 << 20
KIB = 1 << 10
CACHES = Path("/proc/sys/vm/drop_caches")
T = TypeVar("T")


@dataclass(frozen=True)
class Command:
    """A command line with its environment, and the exit codes of a good run."""

    words: Sequence[str]
    environ: Mapping[str, str]
    codes: Sequence[int] = (0,)


@dataclass(frozen=True)
class Pairs:
    """The median of each side, and the median, lowest and highest ratio of *count* pairs."""

    ours: float
    theirs: float
    ratio: float
    lowest: float
    highest: float
    count: int


class Failed(Exception):
    """A measured command ended with an exit code that is none of its good ones."""


def _sample(command: Command) -> tuple[float, int]:
    """Run *command* with its output discarded; return the wall time in ms and the peak of its largest process.

    Raises:
        Failed: the exit code is none of the command's.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command.words,
        env=command.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_ms = (time.monotonic() - began) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)  # otherwise Popen waits for a process that is gone
    if process.returncode not in command.codes:
        raise Failed(f"exit code {process.returncode} of: {' '.join(command.words)}")
    return wall_ms, used.ru_maxrss * KIB


def wall_ms(command: Command) -> float:
    """Return the wall time of the whole process."""
    return _sample(command)[0]


def cold_ms(command: Command) -> float:
    """Return the wall time of the whole process with no file in the system's cache; only root can empty it."""
    os.sync()  # pages that are not written yet stay in the cache
    CACHES.write_text("3")
    return wall_ms(command)


def peak_mib(command: Command) -> float:
    """Return the peak of the largest process that *command* starts, itself included."""
    return _sample(command)[1] / MIB


def printed_ms(command: Command) -> float:
    """Return the time that *command* measured itself and printed last."""
    done = subprocess.run(command.words, env=command.environ, capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def paired(measure: Callable[[T], float], ours: T, theirs: T, count: int) -> Pairs:
    """Measure the two in turn *count* times, so that a change of the machine's speed affects both.

    A first round warms the caches and does not count; a single pair does without.
    """
    if count > 1:
        measure(ours)
        measure(theirs)
    pairs = [(measure(ours), measure(theirs)) for _ in range(count)]
    ratios = [mine / other for mine, other in pairs]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Pairs(mine, other, statistics.median(ratios), min(ratios), max(ratios), count)


def instructions(command: Command) -> int | None:
    """Count the instructions of the first process of *command*, None without valgrind. Other load does not matter.

    A child that is killed, as a forked worker is, adds nothing.
    """
    if shutil.which("valgrind") is None:
        return None
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    environ = {**command.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([*valgrind, *command.words], env=environ, capture_output=True, text=True, check=False)
    counts = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)
    return int(counts[-1].replace(",", "")) if counts else None
