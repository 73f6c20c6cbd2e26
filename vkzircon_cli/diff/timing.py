# SPDX-License-Identifier: Apache-2.0
"""Compares the times of two runs. Times never make two reports differ: they vary from run to run."""

import math

from vkzircon_cli.diff.devices import DevicePair
from vkzircon_cli.diff.model import StepTiming, Timings
from vkzircon_cli.stream.document import Run

_MOST_STEPS = 5
_LEAST_MS = 1.0  # below this a step's time is noise
_LEAST_RATIO = 1.5


def compare_times(before: Run, after: Run, pairs: list[DevicePair]) -> Timings:
    """Return both totals and the few steps that became much faster or slower."""
    was, now = _times(before), _times(after)
    numbers = {
        f"device{pair.before.index}": f"device{pair.after.index}" for pair in pairs if pair.before and pair.after
    }
    shared = ((step, was[step], now.get(_renamed(step, numbers))) for step in was)
    steps = [StepTiming(step, b, a, round(a / b, 2)) for step, b, a in shared if a is not None and _is_much(b, a)]
    steps.sort(key=lambda step: -abs(step.after_ms - step.before_ms))
    return Timings(_finite(before.duration_ms), _finite(after.duration_ms), tuple(steps[:_MOST_STEPS]))


def _times(run: Run) -> dict[str, float]:
    return {step.step: time for step in run.steps if (time := _finite(step.duration_ms))}


def _finite(ms: float | None) -> float | None:
    """Return a time that JSON can hold, or None; a file may say 1e999."""
    return ms if ms is not None and math.isfinite(ms) and ms >= 0 else None


def _renamed(step: str, numbers: dict[str, str]) -> str:
    """Return the step's name in the other report, where the device may have another index."""
    device, slash, rest = step.partition("/")
    return f"{numbers.get(device, device)}{slash}{rest}"


def _is_much(before: float, after: float) -> bool:
    ratio = after / before
    is_other = ratio >= _LEAST_RATIO or ratio <= 1 / _LEAST_RATIO
    return math.isfinite(ratio) and is_other and abs(after - before) >= _LEAST_MS
