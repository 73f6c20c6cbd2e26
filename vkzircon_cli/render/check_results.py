# SPDX-License-Identifier: Apache-2.0
"""The results of checks: each cause once, with the checks that it explains; the skipped checks; the counts."""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome, forgives_death
from vkzircon_cli.checks.registry import BAD, DEATHS
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import device_name
from vkzircon_cli.render.content import Code, Column, Mark, Table, outcome_mark
from vkzircon_cli.report.causes import Cause
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import REQUIRED, CheckResult

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
class Finding:
    """One thing that was found: its check, what happened, and *details*: rule, advice, and what follows from it."""

    device: int
    outcome: Outcome
    id: str
    sentence: str
    details: tuple[tuple[str, str], ...] = ()


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


def findings(report: Report) -> list[Finding]:
    """Return each cause, and each result without one that is worth reading, the worst first."""
    told = {(cause.device, check) for cause in report.causes for check in (cause.check, *cause.follows)}
    # The user asked for the conditions of --require, so their results are always shown.
    others = [result for result in report.checks if (result.device, result.id) not in told and _is_shown(result)]
    found = [*map(of_cause, report.causes), *map(of_result, others)]
    return sorted(found, key=_rank, reverse=True)


def _rank(found: Finding) -> int:
    """Return how bad a finding is; dying of a wrong input is as bad as a warning."""
    outcome = Outcome.WARN if found.outcome in DEATHS and forgives_death(found.id) else found.outcome
    return max(SEVERITY[outcome], SEVERITY[Outcome.SKIP])


def problems(report: Report) -> list[Finding]:
    """Return the findings that failed or warned, the worst first."""
    return [found for found in findings(report) if found.outcome in BAD]


def _is_shown(result: CheckResult) -> bool:
    return result.id.startswith(REQUIRED) or result.outcome not in (Outcome.PASS, Outcome.SKIP)


def of_cause(cause: Cause) -> Finding:
    """Return a cause with its rule, its advice, and what follows from it."""
    details = [("rule", cause.rule), *([("advice", cause.advice)] if cause.advice else [])]
    if cause.follows:
        also = f"{counted(len(cause.follows), 'check')}: {', '.join(cause.follows)}"
        details.append(("explains", also))
    return Finding(cause.device, cause.outcome, cause.check, " ".join((cause.sentence, *cause.also)), tuple(details))


def of_result(result: CheckResult) -> Finding:
    """Return a result that has no cause."""
    details = (("rule", result.rule), ("advice", result.advice)) if result.advice is not None else ()
    return Finding(result.device, result.outcome, result.id, result.sentence, details)


def of_device(report: Report) -> dict[int, str]:
    """Return " of device 0, NAME" for each device if a report has several, else an empty string."""
    several = len(report.devices) > 1
    return {each.index: f" of device {each.index}, {device_name(each)}" if several else "" for each in report.devices}


def device_checks(report: Report) -> Iterator[tuple[str, int, list[CheckResult]]]:
    """Yield the results of each device, with its index, and " of device 0, NAME" if there are several."""
    of = of_device(report)
    for device, results in report.of_devices():
        yield of[device.index], device.index, results


def counts_line(results: Sequence[CheckResult]) -> str:
    """Return how many results have each outcome, and how many were skipped only because an option is missing."""
    options: dict[str, int] = {}
    for result in results:
        check = REGISTRY.get(result.id)
        if result.outcome is Outcome.SKIP and check and check.option and check.option in result.sentence:
            options[check.option] = options.get(check.option, 0) + 1
    only = f" ({sum(options.values())} only with {', '.join(options)})" if options else ""
    return f"{counts_of(results)}{only}."


def check_tables(results: Sequence[CheckResult]) -> tuple[Table, Table, Table]:
    """Return tables of problems, of passed checks, and of skipped ones with a row for each reason."""
    rows = [result for result in results if result.outcome is not Outcome.SKIP]
    return (
        checks_table("Failed, warned and noted", [row for row in rows if row.outcome is not Outcome.PASS]),
        checks_table("Passed", [row for row in rows if row.outcome is Outcome.PASS]),
        _skips_table(results),
    )


def _skips_table(results: Iterable[CheckResult]) -> Table:
    """Return a table with a row for each reason to skip."""
    ids_of: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.SKIP:
            ids_of.setdefault(result.sentence, []).append(result.id)
    mark = outcome_mark(Outcome.SKIP)
    cells = ((mark, tuple(map(Code, ids)), sentence) for sentence, ids in ids_of.items())
    return Table("Skipped, with the reason", _COLUMNS, tuple(cells), names=1, kind="checks")


def checks_table(title: str, results: Sequence[CheckResult]) -> Table:
    """Return a table of results."""
    cells = ((outcome_mark(result.outcome), Code(result.id), result.sentence) for result in results)
    return Table(title, _COLUMNS, tuple(cells), names=1, kind="checks")
