# SPDX-License-Identifier: Apache-2.0
"""What is measured: each row is ours against something else that does the same, with the ratio that we want at most."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from measure import Command, Pairs, instructions, paired, program, sample

HERE = Path(__file__).parent
MIB = 1 << 20


@dataclass(frozen=True)
class Where:
    """What a run has to work with: the environment, the interpreter, and the built C program, None without."""

    environ: Mapping[str, str]
    python: str
    baseline: Path | None
    pairs: int

    @property
    def under_emulation(self) -> dict[str, str]:
        """Give the environment in which any program sees what `--emulate` shows to ours."""
        command = [*program(), "emulate", "--", self.python, "-c", _PRINT_ENVIRONMENT]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=True)
        return dict(json.loads(done.stdout))


_PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


@dataclass(frozen=True)
class Row:
    """A measured row. *missing* says why it could not be; *target* is a ratio, or for *unit* MiB a difference."""

    id: str
    what: str
    unit: str
    target: float
    pairs: Pairs | None = None
    instructions: float | None = None
    missing: str = ""

    @property
    def is_met(self) -> bool | None:
        """Tell whether the target is reached, None where nothing was measured."""
        if self.pairs is None:
            return None
        seen = self.pairs.ours - self.pairs.theirs if self.unit == "MiB" else self.pairs.ratio
        return bool(seen <= self.target)


Measured = Callable[[Where], Row]


def _whole(row: Row, ours: Command, theirs: Command, codes: Sequence[int] = (0,), counts: bool = False) -> Measured:
    """Make a row of two whole processes."""

    def measure(where: Where) -> Row:
        mine, other = [*program(), *ours], [_filled(word, where) for word in theirs]
        if shutil.which(other[0]) is None:
            return replace(row, missing=f"{other[0]} is not installed")
        pairs = paired(
            lambda: sample(mine, where.environ, codes).wall_s * 1000,
            lambda: sample(other, where.environ, codes).wall_s * 1000,
            where.pairs,
        )
        counted = [instructions(command, where.environ) for command in (mine, other)] if counts else [None]
        ratio = counted[0] / counted[1] if all(counted) else None  # type: ignore[operator]
        return replace(row, pairs=pairs, instructions=ratio)

    return measure


def _filled(word: str, where: Where) -> str:
    return {"PYTHON": where.python, "ONE_OPTION": str(HERE / "one_option.py")}.get(word, word)


def _peak(row: Row, ours: Command, theirs: Command) -> Measured:
    def measure(where: Where) -> Row:
        pairs = paired(
            lambda: sample([*program(), *ours], where.environ).peak_bytes / MIB,
            lambda: sample(theirs, where.environ).peak_bytes / MIB,
            where.pairs,
        )
        return replace(row, pairs=pairs)

    return measure


# What a child does once it is asked, without what it loads before, and without the parent beside it. It starts no
# second process, as where nothing can be forked: the C program has none.
PROBE = """
import sys, time
from vkzircon_cli import probe
from vkzircon_cli.bindings import vk
from vkzircon_cli.stream.events import to_line
from vkzircon_cli.worker.protocol import probe_events
from vkzircon_cli.model.request import Depth, Formats, Request
vk.binding()
request = Request(Depth(sys.argv[1]), formats=Formats(sys.argv[2]))
began = time.perf_counter()
lines = [to_line(event) for event in probe_events(request, lambda _: None, {})]
print((time.perf_counter() - began) * 1000)
"""


def _against_c(row: Row, asked: Command, mode: Command) -> Measured:
    """Make a row of the probe's own time over the C program's, both without their start."""

    def measure(where: Where) -> Row:
        if where.baseline is None:
            return replace(row, missing="no C compiler")
        environ = {**where.under_emulation, "VKZIRCON_PLATFORM": "fuchsia"}
        ours, theirs = [where.python, "-c", PROBE, *asked], [str(where.baseline), "--time", *mode]
        pairs = paired(lambda: told_ms(ours, environ), lambda: told_ms(theirs, environ), where.pairs)
        return replace(row, pairs=pairs)

    return measure


def told_ms(command: Command, environ: Mapping[str, str]) -> float:
    """Run a command that prints last how many milliseconds it measured."""
    done = subprocess.run(command, env=environ, capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def _verification(row: Row) -> Measured:
    def measure(where: Where) -> Row:
        # In a process of its own: what this one has ever held would count as the peak of all that it starts.
        command = [where.python, str(HERE / "inside.py"), str(where.pairs)]
        done = subprocess.run(command, env=where.environ, capture_output=True, check=True)
        return replace(row, pairs=Pairs(**json.loads(done.stdout)))

    return measure


_COMPLETE = {"_VKZIRCON_COMPLETE": "complete_bash", "COMP_WORDS": "vkzircon ch", "COMP_CWORD": "1"}
_ONE_COMPLETE = {"_ONE_OPTION_COMPLETE": "complete_bash", "COMP_WORDS": "one-option --v", "COMP_CWORD": "1"}


def _completion(row: Row) -> Measured:
    def measure(where: Where) -> Row:
        ours, theirs = {**where.environ, **_COMPLETE}, {**where.environ, **_ONE_COMPLETE}
        one_option = [where.python, str(HERE / "one_option.py")]
        pairs = paired(
            lambda: sample(program(), ours).wall_s * 1000,
            lambda: sample(one_option, theirs).wall_s * 1000,
            where.pairs,
        )
        return replace(row, pairs=pairs)

    return measure


def _matrix(row: Row) -> Measured:
    def measure(where: Where) -> Row:
        if where.baseline is None:
            return replace(row, missing="no C compiler")
        environ, c = where.under_emulation, [str(where.baseline), "matrix", "all"]
        ours = [*program(), "matrix", "--emulate", "--formats", "all", "--format", "json"]
        pairs = paired(
            lambda: sample(ours, where.environ).wall_s * 1000, lambda: sample(c, environ).wall_s * 1000, where.pairs
        )
        return replace(row, pairs=pairs)

    return measure


_SUMMARY = ("vulkaninfo", "--summary")
_FULL = ("vulkaninfo",)
_ONE = ("PYTHON", "ONE_OPTION")

ROWS: tuple[tuple[Row, Callable[[Row], Measured]], ...] = (
    (
        Row("check", "check --emulate --quiet over vulkaninfo --summary", "ms", 2.0),
        lambda row: _whole(row, ("check", "--emulate", "--quiet"), _SUMMARY),
    ),
    (
        Row("devices", "devices --emulate over vulkaninfo --summary", "ms", 2.0),
        lambda row: _whole(row, ("devices", "--emulate"), _SUMMARY),
    ),
    (
        Row("report", "report --emulate over the whole vulkaninfo", "ms", 2.0),
        lambda row: _whole(row, ("report", "--emulate"), _FULL),
    ),
    (
        Row("doctor", "doctor over vulkaninfo --summary", "ms", 3.0),
        lambda row: _whole(row, ("doctor",), _SUMMARY, codes=(0, 1)),
    ),
    (
        Row("probe", "the probe of check alone over the same calls from C", "ms", 1.5),
        lambda row: _against_c(row, ("everything", "common"), ("check",)),
    ),
    (
        Row("matrix", "the probe of matrix --formats all alone over the same loop in C", "ms", 3.0),
        lambda row: _against_c(row, ("matrix", "all"), ("matrix", "all")),
    ),
    (
        Row("whole-matrix", "matrix --formats all, the whole process, over that of the same loop in C", "ms", 3.0),
        _matrix,
    ),
    (
        Row("verify", "verifying 1 GiB written and read back over memcmp of the same bytes", "ms", 1.5),
        _verification,
    ),
    (
        Row("version", "--version over that of a Typer app with one option", "ms", 1.3),
        lambda row: _whole(row, ("--version",), (*_ONE, "--version"), counts=True),
    ),
    (
        Row("help", "--help over that of a Typer app with one option", "ms", 1.3),
        lambda row: _whole(row, ("--help",), (*_ONE, "--help"), counts=True),
    ),
    (Row("completion", "completing a command over completing one option", "ms", 1.3), _completion),
    (
        Row("peak", "largest process of report --emulate, and of vulkaninfo", "MiB", 40.0),
        lambda row: _peak(row, ("report", "--emulate"), _FULL),
    ),
)


def measured(where: Where, only: Sequence[str]) -> Iterator[Row]:
    """Measure the rows whose ids are in *only*, or all where that is empty."""
    for row, make in ROWS:
        if not only or row.id in only:
            yield make(row)(where)
