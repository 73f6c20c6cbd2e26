# SPDX-License-Identifier: Apache-2.0
"""The timeline of a run as geometry: steps of one kind in one lane, with a description in words."""

import re
from collections.abc import Sequence

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.fold import StepTime

_LANE = 40
_TOP = 20
_MOST_LANES = 36
_TICKS = 4
_STEP = re.compile(r"device(\d{1,4})/(?:type\d+/)?([a-z]+)")
_OF_DEVICE = ("export", "properties", "import", "data", "stress", "negative")
_CAPABILITIES = ("buffer", "image", "semaphore", "requirements")


@record
class Moment:
    """One step; *x* and *width* are percents of the whole time."""

    x: float
    width: float
    is_bad: bool


@record
class Lane:
    """Steps of one kind; *words* are their number and their time."""

    name: str
    words: str
    y: int
    moments: tuple[Moment, ...]


@record
class Timeline:
    """The steps in lanes; *ticks* are percents and their times in words."""

    height: int
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]
    words: str


def timeline(report: Report) -> Timeline | None:
    """Return the timeline, None without steps."""
    steps = report.run.steps
    if not steps:
        return None
    total = max([report.run.duration_ms, *(step.began_ms + (step.duration_ms or 0) for step in steps)]) or 1.0
    bad = bad_steps(report)
    lanes = tuple(_lane(name, of, number, total, bad) for number, (name, of) in enumerate(_by_lane(steps).items()))
    return Timeline(
        height=_TOP + _LANE * len(lanes) + 4,
        ticks=tuple((100 * part / _TICKS, f"{total * part / _TICKS:.0f} ms") for part in range(_TICKS + 1)),
        lanes=lanes,
        words=" ".join(f"{lane.name}: {lane.words}." for lane in lanes),
    )


def bad_steps(report: Report) -> frozenset[str]:
    """Return the steps that never ended, and those that a check calls a crash or a timeout."""
    fatal = (Outcome.CRASH, Outcome.TIMEOUT)
    blamed = (step for result in report.checks if result.outcome in fatal for step in result.steps)
    return frozenset([*blamed, *(step.step for step in report.run.steps if step.duration_ms is None)])


def _by_lane(steps: Sequence[StepTime]) -> dict[str, list[StepTime]]:
    """Return lanes by the subject of the steps, or only by their device where there would be too many."""
    fine: dict[str, list[StepTime]] = {}
    coarse: dict[str, list[StepTime]] = {}
    for step in steps:
        device, kind = _place(step.step)
        fine.setdefault(f"{device}: {kind}" if kind else device, []).append(step)
        lane = device if device in coarse or len(coarse) < _MOST_LANES else "the other devices"
        coarse.setdefault(lane, []).append(step)
    return fine if len(fine) <= _MOST_LANES else coarse


def _place(step: str) -> tuple[str, str]:
    found = _STEP.match(step)
    if found is None:
        return "machine", ""
    device, word = f"device {found[1]}", found[2]
    if step.endswith("/trip"):
        return device, "images"
    if word in _CAPABILITIES:
        return device, "capabilities"
    return device, word if word in _OF_DEVICE else "identity and device"


def _lane(name: str, steps: Sequence[StepTime], number: int, total: float, bad: frozenset[str]) -> Lane:
    took = sum(step.duration_ms or 0 for step in steps)
    hurt = sum(step.step in bad for step in steps)
    gone = f", {hurt} did not end well" if hurt else ""
    return Lane(
        name=name,
        words=f"{counted(len(steps), 'step')}, {took:.0f} ms{gone}",
        y=_TOP + _LANE * number,
        moments=tuple(_moment(step, total, step.step in bad) for step in steps),
    )


def _moment(step: StepTime, total: float, is_bad: bool) -> Moment:
    """Return the place of a step; one that never ended lasts to the end."""
    x = min(max(100 * step.began_ms / total, 0.0), 100.0)
    width = 100 - x if step.duration_ms is None else 100 * step.duration_ms / total
    return Moment(round(x, 3), round(min(max(width, 0.0), 100 - x), 3), is_bad)
