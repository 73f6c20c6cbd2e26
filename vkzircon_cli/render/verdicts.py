# SPDX-License-Identifier: Apache-2.0
"""Verdicts on the page: the first line, what checks found, how many of each outcome."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.report.summary import REQUIRED, CheckResult
from vkzircon_cli.stream.document import Document
from vkzircon_cli.stream.events import Culprit

_LOOKS = {
    Outcome.PASS: ("✓", "green"),
    Outcome.INFO: ("i", "cyan"),
    Outcome.SKIP: ("-", "dim"),
    Outcome.WARN: ("!", "yellow"),
    Outcome.FAIL: ("✗", "red"),
    Outcome.TIMEOUT: ("✗", "bold red"),
    Outcome.CRASH: ("✗", "bold red"),
    Outcome.ERROR: ("✗", "red"),
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
_MOST_IDS = 3


def write_opening(sheet: Sheet, report: Document) -> None:
    """Write first what is special about this run, then its verdict, then what to do if nothing could be asked."""
    write_circumstances(sheet, report)
    error = report.error
    sentence = error.message if error else report.summary.sentence
    label = outcome_label(sheet, report.summary.outcome)
    sheet.item(label, sheet.text(sentence, "bold"))
    if error and error.hint:
        sheet.prose(error.hint, indent=label.cell_len)


def write_culprits(sheet: Sheet, culprits: Iterable[Culprit]) -> None:
    """Say what was left out so that the rest could be asked, and how to mend it."""
    for culprit in culprits:
        if culprit.left_out:
            label = sheet.text("! LEFT OUT  ", "yellow")
            sheet.item(label, culprit.sentence)
            if culprit.command:
                sheet.value(culprit.command, indent=label.cell_len)


def write_circumstances(sheet: Sheet, report: Document) -> None:
    """Write that this is an emulated run, or one that no process of its own could be started for."""
    if report.emulation.active:
        settings = f" ({report.emulation.settings})" if report.emulation.settings else ""
        says = f"EMULATED RUN: {report.emulation.layer}{settings}"
        sheet.prose(sheet.text(says, "bold magenta"))
    for message in report.run.messages:
        if message.text.startswith(NOT_ISOLATED):
            sheet.item(sheet.text("! NOT ISOLATED  ", "yellow"), message.text)


def outcome_mark(outcome: Outcome) -> tuple[str, str]:
    """Give an outcome's glyph and style."""
    return _LOOKS[outcome]


def outcome_label(sheet: Sheet, outcome: Outcome, width: int = 0) -> Text:
    """Write glyph and word of an outcome; the word alone says all."""
    glyph, style = _LOOKS[outcome]
    return sheet.text(f"{glyph} {outcome.upper():{width}}  ", style)


def write_checks(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write what the checks found, device by device: without *verbose* only what did not pass."""
    asked = [device for device in report.devices if device.selected]
    for device in asked:
        name = display_name(device.identity.value) if device.identity.value else UNNAMED
        of = f" of device {device.index}, {name}" if len(report.devices) > 1 else ""
        results = report.of_device(device.index)
        if results:
            sheet.heading(f"Checks{of}")
            _write_results(sheet, results, verbose)


def _write_results(sheet: Sheet, results: Sequence[CheckResult], verbose: bool) -> None:
    rows = list(_rows(results, verbose))
    width = max((len(row.outcome) for row in rows), default=0)
    for row in rows:
        _write_row(sheet, row, width)
    sheet.prose(f"{counts_of(results)}.", indent=2)


@record
class _Row:
    """One verdict, or several skips for one reason."""

    outcome: Outcome
    subject: str
    sentence: str
    notes: tuple[tuple[str, str], ...] = ()


def _rows(results: Sequence[CheckResult], verbose: bool) -> Iterator[_Row]:
    for result in results:
        # A condition was asked for, and its answer is what the reader waits for.
        asked_for = verbose or result.id.startswith(REQUIRED)
        if asked_for or result.outcome not in (Outcome.PASS, Outcome.SKIP):
            explained = (("rule", result.rule), ("advice", result.advice)) if result.advice is not None else ()
            yield _Row(result.outcome, result.id, result.sentence, explained)
    if not verbose:
        yield from _skips(results)


def _skips(results: Iterable[CheckResult]) -> Iterator[_Row]:
    ids_of: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.SKIP:
            ids_of.setdefault(result.sentence, []).append(result.id)
    for sentence, ids in ids_of.items():
        yield _Row(Outcome.SKIP, ", ".join(ids) if len(ids) <= _MOST_IDS else counted(len(ids), "check"), sentence)


def _write_row(sheet: Sheet, row: _Row, width: int) -> None:
    label = outcome_label(sheet, row.outcome, width)
    subject = sheet.text(f"{row.subject}  ", "bold" if row.outcome in _EXPLAINED else "")
    sheet.item(label, sheet.join(subject, row.sentence), indent=2)
    for name, words in row.notes:
        sheet.item(sheet.text(f"{name:8}", "dim"), words, indent=2 + label.cell_len)


def counts_of(results: Iterable[CheckResult]) -> str:
    """Say how many results came to what."""
    outcomes = [result.outcome for result in results]
    return ", ".join(f"{outcomes.count(outcome)} {word}" for outcome, word in _COUNTED.items() if outcome in outcomes)
