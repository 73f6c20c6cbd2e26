# SPDX-License-Identifier: Apache-2.0
"""Compares the verdicts of two reports, worse ones first."""

import re
from collections.abc import Iterator

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome
from vkzircon_cli.diff.devices import DevicePair
from vkzircon_cli.diff.model import ChangeKind, Said, VerdictChange
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult

# The number of wrong bytes and a process's memory vary from run to run.
_VOLATILE = re.compile(r"[0-9]+(?= of [0-9]+ bytes)|(?<=the first at )[0-9]+|[0-9]+ KiB(?= more)")
_ORDER = (ChangeKind.WORSE, ChangeKind.BETTER, ChangeKind.CHANGED, ChangeKind.NEW, ChangeKind.GONE, ChangeKind.REWORDED)
_SUMMARY_ID = "conclusion"
_GOOD = (Outcome.PASS, Outcome.INFO)
_BAD = (Outcome.WARN, Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)


def compare_verdicts(before: Report, after: Report, pairs: list[DevicePair]) -> tuple[VerdictChange, ...]:
    """Return the verdicts on the same device that differ."""
    found = [change for number, pair in enumerate(pairs) for change in _of_pair(before, after, number, pair)]
    found.sort(key=lambda change: (_ORDER.index(change.kind), -_weight(change)))
    return (*_of_summary(before, after, has_changes=bool(found)), *found)


def _of_pair(before: Report, after: Report, number: int, pair: DevicePair) -> Iterator[VerdictChange]:
    if pair.before is None or pair.after is None or not (pair.before.selected and pair.after.selected):
        return  # that the device is missing, or was not selected, is a fact of its own
    was = {result.id: _said(result) for result in before.of_device(pair.before.index)}
    now = {result.id: _said(result) for result in after.of_device(pair.after.index)}
    for check in dict.fromkeys((*was, *now)):
        kind = _kind(check, was.get(check), now.get(check))
        if kind is not None:
            yield VerdictChange(check, number, kind, was.get(check), now.get(check))


def _said(result: CheckResult) -> Said:
    return Said(result.outcome, result.sentence)


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
    if before in _BAD and after is Outcome.SKIP:
        return ChangeKind.CHANGED  # a skipped check is no proof that it got better
    if before in _GOOD and after in _GOOD:
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
        yield VerdictChange(_SUMMARY_ID, None, kind, Said(was.outcome, was.sentence), Said(now.outcome, now.sentence))
