# SPDX-License-Identifier: Apache-2.0
"""Verdicts on the HTML page: what needs the reader's eye first, then everything, device by device."""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.render.html_marks import Mark, outcome_mark
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult

_COUNTED = {
    Outcome.CRASH: "crashed",
    Outcome.TIMEOUT: "timed out",
    Outcome.FAIL: "failed",
    Outcome.WARN: "warned",
    Outcome.PASS: "passed",
    Outcome.INFO: "noted",
    Outcome.SKIP: "skipped",
}
_FOLDED = (Outcome.PASS, Outcome.SKIP)


@record
class Count:
    """How many verdicts came to one outcome."""

    mark: Mark
    words: str


@record
class CheckRow:
    """One check's verdict, or several skips for one reason."""

    mark: Mark
    ids: tuple[str, ...]
    sentence: str


@record
class Finding:
    """A verdict that something is to be done about, with the name of the device where that is not plain."""

    mark: Mark
    of: str
    result: CheckResult


@record
class DeviceChecks:
    """One device's verdicts: those to read, and those that are folded away under their counts."""

    name: str
    shown: tuple[CheckRow, ...]
    passes: tuple[CheckRow, ...]
    passed: str
    skips: tuple[CheckRow, ...]
    skipped: str


def name_of(device: Device) -> str:
    """Name a device as in "device 0, NAME"."""
    name = display_name(device.identity.value) if device.identity.value else UNNAMED
    return f"device {device.index}, {name}"


def counts(results: Iterable[CheckResult]) -> Iterator[Count]:
    """Count the outcomes, the worst first."""
    outcomes = [result.outcome for result in results]
    for outcome, word in _COUNTED.items():
        if outcome in outcomes:
            yield Count(outcome_mark(outcome), f"{outcomes.count(outcome)} {word}")


def findings(report: Report) -> list[Finding]:
    """Give what failed or warned, the worst first."""
    several = len(report.devices) > 1
    names = {device.index: name_of(device) for device in report.devices}
    bad = [result for result in report.checks if SEVERITY[result.outcome] >= SEVERITY[Outcome.WARN]]
    bad.sort(key=lambda result: -SEVERITY[result.outcome])
    return [Finding(outcome_mark(r.outcome), names.get(r.device, "") if several else "", r) for r in bad]


def device_checks(report: Report) -> Iterator[DeviceChecks]:
    """Give all verdicts, device by device."""
    for device in report.devices:
        results = report.of_device(device.index)
        if results:
            yield _of_device(name_of(device), results)


def _of_device(name: str, results: Sequence[CheckResult]) -> DeviceChecks:
    passes = [result for result in results if result.outcome is Outcome.PASS]
    skips = [result for result in results if result.outcome is Outcome.SKIP]
    return DeviceChecks(
        name=name,
        shown=tuple(_row(result) for result in results if result.outcome not in _FOLDED),
        passes=tuple(map(_row, passes)),
        passed=f"{counted(len(passes), 'check')} passed",
        skips=tuple(_by_reason(skips)),
        skipped=f"{counted(len(skips), 'check')} skipped",
    )


def _row(result: CheckResult) -> CheckRow:
    return CheckRow(outcome_mark(result.outcome), (result.id,), result.sentence)


def _by_reason(skips: Iterable[CheckResult]) -> Iterator[CheckRow]:
    ids_of: dict[str, list[str]] = {}
    for result in skips:
        ids_of.setdefault(result.sentence, []).append(result.id)
    for sentence, ids in ids_of.items():
        yield CheckRow(outcome_mark(Outcome.SKIP), tuple(ids), sentence)
