# SPDX-License-Identifier: Apache-2.0
"""What a run left: the time of each step, and what the loader, the driver and the layers printed."""

from collections import Counter
from collections.abc import Iterable, Sequence

from vkzircon_cli.render.content import Code, Column, Lines, Table
from vkzircon_cli.stream.document import Run
from vkzircon_cli.stream.fold import StepTime

_STEPS = (Column("began, ms", right=True), Column("took, ms", right=True), Column("step"))
_SLOWEST = 10


def steps_table(title: str, steps: Sequence[StepTime]) -> Table:
    """Return steps with their times."""
    rows = ((f"{step.began_ms:.1f}", _took(step), Code(step.step)) for step in steps)
    return Table(title, _STEPS, tuple(rows), names=2, kind="steps")


def slowest(steps: Sequence[StepTime]) -> Table:
    """Return the slowest steps, the slowest first."""
    took = [step for step in steps if step.duration_ms is not None]
    return steps_table("The slowest steps", sorted(took, key=lambda step: -(step.duration_ms or 0))[:_SLOWEST])


def _took(step: StepTime) -> str:
    return "never ended" if step.duration_ms is None else f"{step.duration_ms:.1f}"


def printed(run: Run, most: int | None = None) -> list[Lines]:
    """Return what the loader reported and what was printed, at most *most* different lines of each."""
    messages = (f"{message.severity}: {message.text}" for message in run.messages)
    told = (
        _lines("Messages of the loader", messages, most),
        _lines("Output of driver and layers", run.output.text.expandtabs().split("\n"), most),
    )
    return [each for each in told if each.lines]


def _lines(title: str, lines: Iterable[str], most: int | None) -> Lines:
    times = tuple(Counter(line.rstrip() for line in lines if line.strip()).items())
    return Lines(title, times[:most], len(times[most:]) if most is not None else 0)
