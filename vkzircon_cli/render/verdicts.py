# SPDX-License-Identifier: Apache-2.0
"""Verdicts on the page: the first line, what checks found, how many of each outcome."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from vkzircon_cli.checks import Outcome
from vkzircon_cli.offer import display_name
from vkzircon_cli.render.quantities import counted
from vkzircon_cli.render.sheet import Sheet
from vkzircon_cli.report import CheckResult, Report

_LOOKS = {
    Outcome.PASS: ("✓", "green"),
    Outcome.INFO: ("i", "cyan"),
    Outcome.SKIP: ("-", "dim"),
    Outcome.WARN: ("!", "yellow"),
    Outcome.FAIL: ("✗", "red"),
    Outcome.TIMEOUT: ("✗", "bold red"),
    Outcome.CRASH: ("✗", "bold red"),
}
_COUNTED = {
    Outcome.PASS: "passed",
    Outcome.INFO: "noted",
    Outcome.SKIP: "skipped",
    Outcome.WARN: "warned",
    Outcome.FAIL: "failed",
    Outcome.TIMEOUT: "timed out",
    Outcome.CRASH: "crashed",
}
_EXPLAINED = (Outcome.WARN, Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)
_WIDEST_WORD = max(len(outcome) for outcome in Outcome)
_MOST_IDS = 3


def write_opening(sheet: Sheet, report: Report) -> None:
    """Say first whether this is emulated, then what it came to, then what to do if nothing could be asked."""
    write_emulation(sheet, report)
    error = report.error
    sentence = error.message if error else report.summary.sentence
    label = outcome_label(sheet, report.summary.outcome)
    sheet.prose(sheet.join(label, "  ", sheet.text(sentence, "bold")), hang=label.cell_len + 2)
    if error and error.hint:
        sheet.prose(error.hint, indent=label.cell_len + 2)


def write_emulation(sheet: Sheet, report: Report) -> None:
    """Say that this is an emulated run, where it is one."""
    if report.emulation.active:
        settings = f" ({report.emulation.settings})" if report.emulation.settings else ""
        says = f"EMULATED by {report.emulation.layer}{settings}: this is not the driver's own."
        sheet.prose(sheet.text(says, "bold magenta"))


def outcome_label(sheet: Sheet, outcome: Outcome, width: int = 0) -> Text:
    """Write glyph and word of an outcome; the word alone says all."""
    glyph, style = _LOOKS[outcome]
    return sheet.text(f"{glyph} {outcome.upper():{width}}", style)


def write_checks(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write what the checks found, device by device: without *verbose* only what did not pass."""
    asked = [device for device in report.devices if device.selected]
    for device in asked:
        name = display_name(device.identity.value) if device.identity.value else "?"
        of = f" of device {device.index}, {name}" if len(report.devices) > 1 else ""
        results = report.of_device(device.index)
        if results:
            sheet.heading(f"Checks{of}")
            _write_results(sheet, results, verbose)


def _write_results(sheet: Sheet, results: Sequence[CheckResult], verbose: bool) -> None:
    skips = [result for result in results if result.outcome is Outcome.SKIP]
    for result in results:
        if verbose or result.outcome not in (Outcome.PASS, Outcome.SKIP):
            _write_result(sheet, result, verbose)
    if not verbose:
        _write_skips(sheet, skips)
    sheet.prose(_counts(results), indent=2)


def _write_result(sheet: Sheet, result: CheckResult, verbose: bool) -> None:
    label = outcome_label(sheet, result.outcome, _WIDEST_WORD)
    inner = 2 + label.cell_len + 2
    sheet.prose(sheet.join(label, "  ", sheet.text(result.id, "bold")), indent=2)
    sheet.prose(result.sentence, indent=inner)
    if result.outcome in _EXPLAINED:
        sheet.prose(sheet.join(sheet.text("rule: ", "dim"), result.rule), indent=inner, hang=6)
        sheet.prose(sheet.join(sheet.text("advice: ", "dim"), result.advice), indent=inner, hang=8)
    _ = verbose


def _write_skips(sheet: Sheet, skips: Iterable[CheckResult]) -> None:
    of_sentence: dict[str, list[str]] = {}
    for result in skips:
        of_sentence.setdefault(result.sentence, []).append(result.id)
    label = outcome_label(sheet, Outcome.SKIP, _WIDEST_WORD)
    for sentence, ids in of_sentence.items():
        named = ", ".join(ids) if len(ids) <= _MOST_IDS else counted(len(ids), "check")
        sheet.prose(sheet.join(label, "  ", sheet.text(named, "bold")), indent=2)
        sheet.prose(sentence, indent=2 + label.cell_len + 2)


def _counts(results: Iterable[CheckResult]) -> str:
    outcomes = [result.outcome for result in results]
    told = (f"{outcomes.count(outcome)} {word}" for outcome, word in _COUNTED.items() if outcome in outcomes)
    return ", ".join(told) + "."
