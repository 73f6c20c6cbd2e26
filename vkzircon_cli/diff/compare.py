# SPDX-License-Identifier: Apache-2.0
"""Compares two documents: verdicts, facts of the machine, facts of each device, and times."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome
from vkzircon_cli.checks.registry import BAD, describe
from vkzircon_cli.diff import model
from vkzircon_cli.diff.differ import Differ, Mismatch, group_mismatches
from vkzircon_cli.diff.labels import FactPath
from vkzircon_cli.diff.measured import cells, figures
from vkzircon_cli.diff.model import Area, ChangeKind, Said, VerdictChange
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.bench import BenchDevice
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.matrix import MatrixDevice
from vkzircon_cli.model.queries import by_device, dependency_leg, device_name, match_devices
from vkzircon_cli.model.text import with_article
from vkzircon_cli.report.bench import BenchReport
from vkzircon_cli.report.causes import Cause
from vkzircon_cli.report.matrix import MatrixReport
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult
from vkzircon_cli.stream.document import Run

if TYPE_CHECKING:
    from vkzircon_cli.model.queries import AnyDevice

# Compared separately, or different in every run.
_ELSEWHERE = (
    "schema_version",
    "summary",
    "error",
    "device_count",
    "devices",
    "checks",
    "causes",
    "run",
    "seconds",
    "notes",
    "savings",
)
# What differs if the driver was called in another place. Culprits are searched for on this machine only.
_OF_PLACE = (
    *(f"report.environment.{name}" for name in ("agent", "isolated", "system", "machine", "python")),
    "report.loader.path",
    "report.kernel.path",
    "report.culprits",
)
_OF_ALL = ("index", "selected", "identity")
_AREAS = list(Area)
# The number of wrong bytes and a process's memory vary from run to run.
_VOLATILE = re.compile(r"[0-9]+(?= of [0-9]+ bytes)|(?<=the first at )[0-9]+|[0-9]+ KiB(?= more)")
_KINDS = (ChangeKind.WORSE, ChangeKind.BETTER, ChangeKind.CHANGED, ChangeKind.NEW, ChangeKind.GONE, ChangeKind.REWORDED)
_SUMMARY = "conclusion"
_ALIKE = "Pass two reports or traces, two matrices, or two benches."
_GOOD = (Outcome.PASS, Outcome.INFO)
_MOST_STEPS = 5
_LEAST_MS = 1.0  # below this a step's time is noise
_LEAST_RATIO = 1.5


Comparable = Report | MatrixReport | BenchReport


@record
class DevicePair:
    """A device of both documents, or of one."""

    before: "AnyDevice | None"
    after: "AnyDevice | None"
    matched_by: str | None


def _pairs(before: "Sequence[AnyDevice]", after: "Sequence[AnyDevice]") -> list[DevicePair]:
    """Pair each device with the same one of the other report; devices without a partner come last."""
    was, now = ({device.index: device for device in devices} for devices in (before, after))
    identities = ({index: device.identity.value for index, device in side.items()} for side in (was, now))
    matches = match_devices(*identities)
    pairs = [DevicePair(was[index], now[matches[index][0]], matches[index][1]) for index in sorted(matches)]
    taken = {match for match, _ in matches.values()}
    gone = [DevicePair(device, None, None) for device in before if device.index not in matches]
    return pairs + gone + [DevicePair(None, device, None) for device in after if device.index not in taken]


def compare(before: Comparable, after: Comparable) -> model.Difference:
    """Return what differs; times, koids, handle values and resident memory make no difference.

    Raises:
        Usage: the documents are of two kinds.
    """
    if before.kind != after.kind:
        raise Usage(
            f"{with_article(before.kind).capitalize()} and {with_article(after.kind)} cannot be compared.", _ALIKE
        )
    pairs = _pairs(before.devices, after.devices)
    facts = sorted(_facts(before, after, pairs), key=lambda change: _AREAS.index(change.area))
    if isinstance(before, Report) and isinstance(after, Report):
        verdicts = _verdicts(before, after, pairs)
    else:
        verdicts = tuple(_of_summary(before, after, has_changes=bool(facts)))
    areas = _areas(verdicts, facts)
    return model.Difference(
        schema_version=model.DIFFERENCE_SCHEMA_VERSION,
        differs=any(areas.values()),
        areas=areas,
        before=_side(before),
        after=_side(after),
        devices=tuple(_paired(pair) for pair in pairs),
        verdicts=verdicts,
        facts=tuple(facts),
        timings=_timings(before.run, after.run, pairs),
    )


def _areas(verdicts: tuple[VerdictChange, ...], facts: list[model.FactChange]) -> dict[str, int]:
    counts = {str(area): sum(change.area is area for change in facts) for area in Area}
    counts[Area.PLACE] = 0
    counts[Area.VERDICTS] = sum(change.kind is not ChangeKind.REWORDED for change in verdicts)
    return counts


def _side(report: Comparable) -> model.Side:
    return model.Side(
        outcome=report.summary.outcome,
        sentence=report.error.message if report.error else report.summary.sentence,
        exit_code=report.summary.exit_code,
        started=report.run.started,
        tool_version=report.tool.version,
        schema_version=report.schema_version,
        emulated=report.emulation.active,
        devices=tuple(device_name(device) for device in report.devices),
    )


def _paired(pair: DevicePair) -> model.PairedDevice:
    known = pair.after or pair.before
    was, now = (device.index if device else None for device in (pair.before, pair.after))
    return model.PairedDevice(device_name(known) if known else "", was, now, pair.matched_by)


def _facts(before: Comparable, after: Comparable, pairs: list[DevicePair]) -> Iterator[model.FactChange]:
    differ = Differ(same_version=before.schema_version == after.schema_version)
    yield from group_mismatches(_of_machine(differ, before, after))
    for number, pair in enumerate(pairs):
        yield from group_mismatches(_of_device(differ, before, after, number, pair))


def _of_machine(differ: Differ, before: Comparable, after: Comparable) -> Iterator[Mismatch]:
    root = FactPath("report", None)
    found = differ.records(before, after, root, leave=_ELSEWHERE)
    has_moved = before.environment.agent != after.environment.agent
    yield from map(_placed, found) if has_moved else found
    if before.schema_version != after.schema_version:
        path = root.into(Report, "schema_version")
        yield Mismatch(path, ChangeKind.CHANGED, before.schema_version, after.schema_version)
    if not (isinstance(before, Report) and isinstance(after, Report)):
        return
    counts = before.device_count, after.device_count
    if any(count.missing for count in counts) and counts[0] != counts[1]:
        was, now = (describe(count.missing) if count.missing else str(count.value) for count in counts)
        yield Mismatch(root.into(Report, "device_count"), ChangeKind.CHANGED, was, now)


def _placed(mismatch: Mismatch) -> Mismatch:
    """Return the mismatch in the area of the place, if it is one of those that another place causes."""
    is_of_place = mismatch.path.path.startswith(_OF_PLACE)
    return replace(mismatch, path=replace(mismatch.path, about=Area.PLACE)) if is_of_place else mismatch


def _of_device(
    differ: Differ, before: Comparable, after: Comparable, number: int, pair: DevicePair
) -> Iterator[Mismatch]:
    known = pair.before or pair.after
    if known is None:
        return
    path = FactPath(f"report.devices[{known.index}]", number)
    if pair.before is None or pair.after is None:
        name = device_name(known)
        was, now = (name, None) if pair.before else (None, name)
        here = path.labelled(f"device {known.index}", Area.DEVICE)
        yield Mismatch(here, ChangeKind.GONE if pair.before else ChangeKind.NEW, was, now)
        return
    is_selected = pair.before.selected and pair.after.selected
    # A device that one run did not select has only an identity there.
    of_selected = [field.name for field in fields(pair.before) if field.name not in _OF_ALL]
    is_of_report = isinstance(before, Report) and isinstance(after, Report)
    yield from differ.records(pair.before, pair.after, path, leave=() if is_selected and is_of_report else of_selected)
    if is_selected:
        yield from _of_selected(before, after, pair, path)


def _of_selected(before: Comparable, after: Comparable, pair: DevicePair, path: FactPath) -> Iterator[Mismatch]:
    """Yield what differs between two devices besides the fields of their records."""
    match before, after, pair.before, pair.after:
        case Report(), Report(), Device() as was, Device() as now:
            legs = _leg(before, was), _leg(after, now)
            if legs[0] != legs[1]:
                yield Mismatch(path.labelled("dependencies", Area.EXTENSION), ChangeKind.CHANGED, *legs)
        case _, _, MatrixDevice() as was, MatrixDevice() as now:
            yield from cells(was, now, path)
        case _, _, BenchDevice() as was, BenchDevice() as now:
            yield from figures(was, now, path)


def _leg(report: Report, device: Device) -> str:
    instance, who, extensions = report.instance.value, device.identity.value, device.extensions.value
    if instance is None or who is None or extensions is None:
        return "not known"
    return dependency_leg(instance, who, extensions) or "not there"


def _verdicts(before: Report, after: Report, pairs: list[DevicePair]) -> tuple[VerdictChange, ...]:
    """Return the verdicts on the same device that differ."""
    was, now = (_Verdicts(by_device(each.checks), by_device(each.causes)) for each in (before, after))
    found = [change for number, pair in enumerate(pairs) for change in _of_pair(was, now, number, pair)]
    found.sort(key=lambda change: (_KINDS.index(change.kind), -_weight(change)))
    return (*_of_summary(before, after, has_changes=bool(found)), *found)


@record
class _Verdicts:
    """A report's results and causes by their device."""

    results: dict[int | None, list[CheckResult]]
    causes: dict[int | None, list[Cause]]

    def said(self, device: int) -> dict[str, Said]:
        """Return each check's verdict on *device*."""
        return {result.id: Said(result.outcome, result.sentence) for result in self.results.get(device, ())}

    def because(self, device: int) -> dict[str, str]:
        """Return the cause of each check that follows from another."""
        mine = self.causes.get(device, ())
        return {check: cause.check for cause in mine for check in cause.follows if check != cause.check}


def _of_pair(before: _Verdicts, after: _Verdicts, number: int, pair: DevicePair) -> Iterator[VerdictChange]:
    if pair.before is None or pair.after is None or not (pair.before.selected and pair.after.selected):
        return  # that the device is missing, or was not selected, is a fact of its own
    was, now = before.said(pair.before.index), after.said(pair.after.index)
    before_causes, after_causes = before.because(pair.before.index), after.because(pair.after.index)
    for check in dict.fromkeys((*was, *now)):
        kind = _kind(check, was.get(check), now.get(check))
        if kind is not None:
            causes = before_causes if kind in (ChangeKind.BETTER, ChangeKind.GONE) else after_causes
            yield VerdictChange(check, number, kind, was.get(check), now.get(check), causes.get(check, ""))


def _kind(check: str, before: Said | None, after: Said | None) -> ChangeKind | None:
    if before is None or after is None:
        return ChangeKind.NEW if after else ChangeKind.GONE
    if before.outcome is not after.outcome:
        unasked = _was_left_out(check, before) or _was_left_out(check, after)
        return ChangeKind.CHANGED if unasked else _direction(before.outcome, after.outcome)
    same = _VOLATILE.sub("", before.sentence) == _VOLATILE.sub("", after.sentence)
    return None if same else ChangeKind.REWORDED


def _was_left_out(check: str, said: Said) -> bool:
    """Whether the option that the check needs was not given: fewer options do not mean a worse driver."""
    option = REGISTRY[check].option if check in REGISTRY else ""
    return said.outcome is Outcome.SKIP and bool(option) and option in said.sentence


def _direction(before: Outcome, after: Outcome) -> ChangeKind:
    if before in BAD and after is Outcome.SKIP:
        return ChangeKind.CHANGED  # a skipped check is no proof that it got better
    if before in _GOOD and after in _GOOD:
        return ChangeKind.CHANGED
    return ChangeKind.WORSE if SEVERITY[after] > SEVERITY[before] else ChangeKind.BETTER


def _weight(change: VerdictChange) -> int:
    """Return how bad the worse side is; a skipped check is the least."""
    outcomes = [said.outcome for said in (change.before, change.after) if said]
    bad = [1 + SEVERITY[outcome] for outcome in outcomes if outcome in BAD]
    return max(bad, default=int(Outcome.SKIP not in outcomes))


def _of_summary(before: Comparable, after: Comparable, *, has_changes: bool) -> Iterator[VerdictChange]:
    """Yield the change of the whole report if no check shows it, for example without a driver."""
    causes = before.error and before.error.cause, after.error and after.error.cause
    was, now = before.summary, after.summary
    ended_otherwise = (was.outcome, was.exit_code) != (now.outcome, now.exit_code)
    if causes[0] != causes[1] or (ended_otherwise and not has_changes):
        same = was.outcome is now.outcome
        kind = ChangeKind.CHANGED if same else _direction(was.outcome, now.outcome)
        yield VerdictChange(_SUMMARY, None, kind, Said(was.outcome, was.sentence), Said(now.outcome, now.sentence))


def _timings(before: Run, after: Run, pairs: list[DevicePair]) -> model.Timings:
    """Return both totals and the few steps that became much faster or slower."""
    was, now = _durations(before), _durations(after)
    both = ((pair.before.index, pair.after.index) for pair in pairs if pair.before and pair.after)
    numbers = {f"device{was}": f"device{now}" for was, now in both}
    shared = ((step, was[step], now.get(_renamed(step, numbers))) for step in was)
    steps = [model.StepTiming(step, b, a, round(a / b, 2)) for step, b, a in shared if a is not None and _is_much(b, a)]
    steps.sort(key=lambda step: -abs(step.after_ms - step.before_ms))
    return model.Timings(_finite(before.duration_ms), _finite(after.duration_ms), tuple(steps[:_MOST_STEPS]))


def _durations(run: Run) -> dict[str, float]:
    return {step.step: time for step in run.steps if (time := _finite(step.duration_ms))}


def _finite(ms: float | None) -> float | None:
    """Return a time that JSON can hold, or None; a file may say 1e999."""
    return ms if ms is not None and math.isfinite(ms) and ms >= 0 else None


def _renamed(step: str, numbers: dict[str, str]) -> str:
    """Return the step's name in the other report, in which the device may have another index."""
    device, slash, rest = step.partition("/")
    return f"{numbers.get(device, device)}{slash}{rest}"


def _is_much(before: float, after: float) -> bool:
    ratio = after / before
    is_other = ratio >= _LEAST_RATIO or ratio <= 1 / _LEAST_RATIO
    return math.isfinite(ratio) and is_other and abs(after - before) >= _LEAST_MS
