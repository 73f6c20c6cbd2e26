# SPDX-License-Identifier: Apache-2.0
"""Which checks came to something else, worse ones first."""

import re
from collections.abc import Iterator

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome
from vkzircon_cli.diff.devices import Pair
from vkzircon_cli.diff.model import Kind, Said, VerdictChange
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult

# How many bytes are wrong, and how much memory a process has, is chance.
_VOLATILE = re.compile(r"[0-9]+(?= of [0-9]+ bytes)|(?<=the first at )[0-9]+|[0-9]+ KiB(?= more)")
_ORDER = (Kind.WORSE, Kind.BETTER, Kind.CHANGED, Kind.NEW, Kind.GONE, Kind.REWORDED)
_WHOLE = "conclusion"
_GOOD = (Outcome.PASS, Outcome.INFO)
_BAD = (Outcome.WARN, Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)


def compare_verdicts(before: Report, after: Report, pairs: list[Pair]) -> tuple[VerdictChange, ...]:
    """List what both reports' checks said of the same device otherwise."""
    found = [change for number, pair in enumerate(pairs) for change in _of_pair(before, after, number, pair)]
    found.sort(key=lambda change: (_ORDER.index(change.kind), -_weight(change)))
    return (*_conclusion(before, after, has_changes=bool(found)), *found)


def _of_pair(before: Report, after: Report, number: int, pair: Pair) -> Iterator[VerdictChange]:
    if pair.before is None or pair.after is None or not (pair.before.selected and pair.after.selected):
        return  # that the device is not there, or was not asked, says it all
    was = {result.id: _said(result) for result in before.of_device(pair.before.index)}
    now = {result.id: _said(result) for result in after.of_device(pair.after.index)}
    for check in dict.fromkeys((*was, *now)):
        kind = _kind(check, was.get(check), now.get(check))
        if kind is not None:
            yield VerdictChange(check, number, kind, was.get(check), now.get(check))


def _said(result: CheckResult) -> Said:
    return Said(result.outcome, result.sentence)


def _kind(check: str, before: Said | None, after: Said | None) -> Kind | None:
    if before is None or after is None:
        return Kind.NEW if after else Kind.GONE
    if before.outcome is not after.outcome:
        unasked = _was_left_out(check, before) or _was_left_out(check, after)
        return Kind.CHANGED if unasked else _direction(before.outcome, after.outcome)
    same = _VOLATILE.sub("", before.sentence) == _VOLATILE.sub("", after.sentence)
    return None if same else Kind.REWORDED


def _was_left_out(check: str, said: Said) -> bool:
    """Tell whether nobody asked for what the check looks at: a run with fewer options is no worse a driver."""
    option = REGISTRY[check].option if check in REGISTRY else ""
    return said.outcome is Outcome.SKIP and bool(option) and option in said.sentence


def _direction(before: Outcome, after: Outcome) -> Kind:
    if before in _BAD and after is Outcome.SKIP:
        return Kind.CHANGED  # nobody saw it get better
    if before in _GOOD and after in _GOOD:
        return Kind.CHANGED
    return Kind.WORSE if SEVERITY[after] > SEVERITY[before] else Kind.BETTER


def _weight(change: VerdictChange) -> int:
    """Tell how bad the worse side is; that a check was skipped is the least."""
    outcomes = [said.outcome for said in (change.before, change.after) if said]
    bad = [1 + SEVERITY[outcome] for outcome in outcomes if outcome in _BAD]
    return max(bad, default=int(Outcome.SKIP not in outcomes))


def _conclusion(before: Report, after: Report, *, has_changes: bool) -> Iterator[VerdictChange]:
    """Tell of the whole report where no check does: there was nobody to ask, or no device offers the extension."""
    causes = before.error and before.error.cause, after.error and after.error.cause
    was, now = before.summary, after.summary
    ended_otherwise = (was.outcome, was.exit_code) != (now.outcome, now.exit_code)
    if causes[0] != causes[1] or (ended_otherwise and not has_changes):
        same = was.outcome is now.outcome
        kind = Kind.CHANGED if same else _direction(was.outcome, now.outcome)
        yield VerdictChange(_WHOLE, None, kind, Said(was.outcome, was.sentence), Said(now.outcome, now.sentence))
