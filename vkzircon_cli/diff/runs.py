# SPDX-License-Identifier: Apache-2.0
"""Compares two runs: which devices are the same, which verdicts differ (worse ones first), and which times.

Times never make two reports differ: they vary from run to run.
"""

import math
import re
from collections.abc import Iterator, Sequence

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome
from vkzircon_cli.diff.model import ChangeKind, Said, StepTiming, Timings, VerdictChange
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.queries import match_devices
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.document import Run

# The number of wrong bytes and a process's memory vary from run to run.
_VOLATILE = re.compile(r"[0-9]+(?= of [0-9]+ bytes)|(?<=the first at )[0-9]+|[0-9]+ KiB(?= more)")
_ORDER = (ChangeKind.WORSE, ChangeKind.BETTER, ChangeKind.CHANGED, ChangeKind.NEW, ChangeKind.GONE, ChangeKind.REWORDED)
_GOOD = (Outcome.PASS, Outcome.INFO)
_BAD = (Outcome.WARN, Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)
_MOST_STEPS = 5
_LEAST_MS = 1.0  # below this a step's time is noise
_LEAST_RATIO = 1.5


@record
class DevicePair:
    """A device of both reports, or of one."""

    before: Device | None
    after: Device | None
    matched_by: str | None


def pair_devices(before: Sequence[Device], after: Sequence[Device]) -> list[DevicePair]:
    """Pair each device with the same one of the other report; devices without a partner come last."""
    was, now = ({device.index: device for device in devices} for devices in (before, after))
    identities = ({index: device.identity.value for index, device in side.items()} for side in (was, now))
    matches = match_devices(*identities)
    pairs = [DevicePair(was[index], now[matches[index][0]], matches[index][1]) for index in sorted(matches)]
    taken = {match for match, _ in matches.values()}
    gone = [DevicePair(device, None, None) for device in before if device.index not in matches]
    return pairs + gone + [DevicePair(None, device, None) for device in after if device.index not in taken]


def compare_verdicts(before: Report, after: Report, pairs: list[DevicePair]) -> tuple[VerdictChange, ...]:
    """Return the verdicts on the same device that differ."""
    found = [change for number, pair in enumerate(pairs) for change in _of_pair(before, after, number, pair)]
    found.sort(key=lambda change: (_ORDER.index(change.kind), -_weight(change)))
    return (*_of_summary(before, after, has_changes=bool(found)), *found)


def _of_pair(before: Report, after: Report, number: int, pair: DevicePair) -> Iterator[VerdictChange]:
    if pair.before is None or pair.after is None or not (pair.before.selected and pair.after.selected):
        return  # that the device is missing, or was not selected, is a fact of its own
    sides = before.of_device(pair.before.index), after.of_device(pair.after.index)
    was, now = ({result.id: Said(result.outcome, result.sentence) for result in results} for results in sides)
    for check in dict.fromkeys((*was, *now)):
        kind = _kind(check, was.get(check), now.get(check))
        if kind is not None:
            yield VerdictChange(check, number, kind, was.get(check), now.get(check))


def _kind(check: str, before: Said | None, after: Said | None) -> ChangeKind | None:
    if before is None or after is None:
        return ChangeKind.NEW if after else ChangeKind.GONE
    if before.outcome is not after.outcome:
        unasked = _was_left_out(check, before) or _was_left_out(check, after)
        return ChangeKind.CHANGED if unasked else _direction(before.outcome, after.outcome)
    same = _VOLATILE.sub("", before.sentence) == _VOLATILE.sub("", after.sentence)
    return None if same else ChangeKind.REWORDED


def _was_left_out(check: str, said: Said) -> bool:
    """Whether the option that the check needs was not given: a run with fewer options is no worse a driver."""
    option = REGISTRY[check].option if check in REGISTRY else ""
    return said.outcome is Outcome.SKIP and bool(option) and option in said.sentence


def _direction(before: Outcome, after: Outcome) -> ChangeKind:
    # A skipped check is no proof that it got better.
    if (before in _BAD and after is Outcome.SKIP) or (before in _GOOD and after in _GOOD):
        return ChangeKind.CHANGED
    return ChangeKind.WORSE if SEVERITY[after] > SEVERITY[before] else ChangeKind.BETTER


def _weight(change: VerdictChange) -> int:
    """Return how bad the worse side is; a skipped check is the least."""
    outcomes = [said.outcome for said in (change.before, change.after) if said]
    bad = [1 + SEVERITY[outcome] for outcome in outcomes if outcome in _BAD]
    return max(bad, default=int(Outcome.SKIP not in outcomes))


def _of_summary(before: Report, after: Report, *, has_changes: bool) -> Iterator[VerdictChange]:
    """Yield the change of the whole report where no check shows it, as without a driver or without the extension."""
    causes = before.error and before.error.cause, after.error and after.error.cause
    was, now = before.summary, after.summary
    ended_otherwise = (was.outcome, was.exit_code) != (now.outcome, now.exit_code)
    if causes[0] != causes[1] or (ended_otherwise and not has_changes):
        same = was.outcome is now.outcome
        kind = ChangeKind.CHANGED if same else _direction(was.outcome, now.outcome)
        yield VerdictChange("conclusion", None, kind, Said(was.outcome, was.sentence), Said(now.outcome, now.sentence))


def compare_times(before: Run, after: Run, pairs: list[DevicePair]) -> Timings:
    """Return both totals and the few steps that became much faster or slower."""
    was, now = _times(before), _times(after)
    numbers = {
        f"device{pair.before.index}": f"device{pair.after.index}" for pair in pairs if pair.before and pair.after
    }
    shared = ((step, before_ms, now.get(_renamed(step, numbers))) for step, before_ms in was.items())
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
