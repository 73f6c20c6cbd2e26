# SPDX-License-Identifier: Apache-2.0
"""The results of checks as rows: those that need attention, all of a device's, and how many there are of each."""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.render.content import Code, Column, Mark, Table, outcome_mark
from vkzircon_cli.render.fields import device_name
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
_COLUMNS = (Column("outcome"), Column("check"), Column("what was found", wraps=True))


@record
class CheckRow:
    """One check's result, or several skips for one reason."""

    outcome: Outcome
    ids: tuple[str, ...]
    sentence: str


def counts(results: Iterable[CheckResult]) -> Iterator[Mark]:
    """Yield how many results have each outcome, the worst first."""
    outcomes = [result.outcome for result in results]
    for outcome, word in _COUNTED.items():
        if outcome in outcomes:
            mark = outcome_mark(outcome)
            yield Mark(mark.glyph, f"{outcomes.count(outcome)} {word}", mark.look)


def counts_of(results: Iterable[CheckResult]) -> str:
    """Return how many results have each outcome, as words."""
    return ", ".join(mark.word for mark in counts(results))


def problems(report: Report) -> list[CheckResult]:
    """Return the results that failed or warned, the worst first."""
    bad = [result for result in report.checks if SEVERITY[result.outcome] >= SEVERITY[Outcome.WARN]]
    return sorted(bad, key=lambda result: -SEVERITY[result.outcome])


def of_device(report: Report, index: int) -> str:
    """Return " of device 0, NAME" if a report has several devices, else an empty string."""
    names = (device_name(device) for device in report.devices if device.index == index)
    return f" of device {index}, {next(names, '?')}" if len(report.devices) > 1 else ""


def device_checks(report: Report) -> Iterator[tuple[str, tuple[CheckResult, ...]]]:
    """Yield the results of each device, with " of device 0, NAME" if there are several."""
    for device in report.devices:
        if results := report.of_device(device.index):
            yield of_device(report, device.index), results


def rows_of(results: Iterable[CheckResult]) -> list[CheckRow]:
    """Return one row per result."""
    return [CheckRow(result.outcome, (result.id,), result.sentence) for result in results]


def skips_by_reason(results: Iterable[CheckResult]) -> list[CheckRow]:
    """Return a row for each reason to skip."""
    ids_of: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.SKIP:
            ids_of.setdefault(result.sentence, []).append(result.id)
    return [CheckRow(Outcome.SKIP, tuple(ids), sentence) for sentence, ids in ids_of.items()]


def check_tables(results: Sequence[CheckResult]) -> tuple[Table, Table, Table]:
    """Return tables of problems, of passed checks, and of skipped ones with a row for each reason."""
    rows = [row for row in rows_of(results) if row.outcome is not Outcome.SKIP]
    return (
        checks_table("Failed, warned and noted", [row for row in rows if row.outcome is not Outcome.PASS]),
        checks_table("Passed", [row for row in rows if row.outcome is Outcome.PASS]),
        checks_table("Skipped, with the reason", skips_by_reason(results)),
    )


def checks_table(title: str, rows: Sequence[CheckRow]) -> Table:
    """Return a table of results."""
    cells = ((outcome_mark(row.outcome), tuple(map(Code, row.ids)), row.sentence) for row in rows)
    return Table(title, _COLUMNS, tuple(cells), names=1, kind="checks")
