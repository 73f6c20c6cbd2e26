# SPDX-License-Identifier: Apache-2.0
"""What the time of a command consists of: each part measured alone, to see where a missed target comes from."""

import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import Command, instructions, printed_ms, wall_ms
from rows import Where


@dataclass(frozen=True)
class Part:
    """The median of one part, in ms unless it has another *unit*."""

    what: str
    ms: float
    unit: str = "ms"


def parts(where: Where) -> list[Part]:
    """Measure all parts; those of the C program only if it is built."""
    measured: dict[str, tuple[Callable[[Command], float], Command]] = {
        "Python that does nothing": (wall_ms, _python(where, "pass")),
        "a Typer app with one option, its --version": (wall_ms, where.script("one_option.py", "--version")),
        "Python that imports what the main process of check imports": (wall_ms, _python(where, _imports(where))),
        "Python that imports what the probe imports": (wall_ms, where.probe("imports")),
        "the probe of check, with its second process": (printed_ms, where.probe("time", "everything")),
        "vulkaninfo --summary": (wall_ms, where.vulkaninfo("--summary")),
    }
    if where.baseline is not None:
        measured["the calls of devices from C"] = (printed_ms, where.c("--time", "devices"))
        measured["the calls of check from C"] = (printed_ms, where.c("--time", "check"))
    found = [
        Part(what, statistics.median(measure(command) for _ in range(where.pairs)))
        for what, (measure, command) in measured.items()
    ]
    return [*found, *_counted(where), *round_trips(where)]


def _counted(where: Where) -> Iterator[Part]:
    """Count what no other load changes: the instructions of each part without a driver, where there is valgrind."""
    parts = {
        "Python that does nothing": _python(where, "pass"),
        "a Typer app with one option, its --version": where.script("one_option.py", "--version"),
        "Python that imports what the main process of check imports": _python(where, _imports(where)),
        "Python that imports what the probe imports": where.probe("imports"),
    }
    for what, command in parts.items():
        if (count := instructions(command)) is not None:
            yield Part(f"instructions of {what}", count / 1e6, "million")


def round_trips(where: Where) -> Iterator[Part]:
    """Count the round trips of a check through an agent on a line with 2 ms delay in each direction."""
    if where.agent is not None:
        with tempfile.NamedTemporaryFile() as count:
            wall_ms(where.through_agent("check", "--emulate", "--quiet", delay_ms=2.0, count=count.name))
            yield Part("round trips of check through an agent", float(Path(count.name).stat().st_size), "times")


def _python(where: Where, code: str) -> Command:
    return Command([str(where.python), "-P", "-c", code], where.environ)  # -P: not the vkzircon_cli of a checkout


def _imports(where: Where) -> str:
    """Return code that imports the modules of ours that `check` imports in its first process."""
    check = where.vkzircon("check", "--emulate", "--quiet")
    command = [str(where.python), "-X", "importtime", *check.words]
    done = subprocess.run(command, env=check.environ, capture_output=True, text=True, check=True)
    names = re.findall(r"^import time:.*\|\s*(vkzircon_cli\S*)$", done.stderr, re.MULTILINE)
    return f"import {', '.join(names)}"
