# SPDX-License-Identifier: Apache-2.0
"""The report for people, as text for a terminal or a pipe, and the contents of a bundle."""

from collections.abc import Sequence

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.render.check_results import counts_of, device_checks, rows_of, skips_by_reason
from vkzircon_cli.render.content import outcome_mark, why_missing
from vkzircon_cli.render.fields import extension_field, extension_fields, identity_fields, machine_fields, title_of
from vkzircon_cli.render.frame import NOTHING_HIDDEN, hidden_words, steps_after, write_log, write_opening
from vkzircon_cli.render.shared_memory import heap_table, notes, type_table, vmo_table, ways
from vkzircon_cli.render.style import ANY_ADVICE, Advice, Page, View
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import REQUIRED, CheckResult

_BAD = (Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)
_EXPLAINED = (Outcome.WARN, *_BAD)
_QUIET = (Outcome.PASS, Outcome.SKIP)
_MOST_IDS = 3


def render_report(
    report: Report, page: Page, verbose: bool = False, view: View = View.REPORT, advice: Advice = ANY_ADVICE
) -> str:
    """Write as much of *report* as *view* shows: the verdict first, what to do next last."""
    sheet = Sheet(page)
    # A list of devices has a result only if it is an error.
    write_opening(sheet, report, with_result=view is not View.DEVICES or report.error is not None)
    if view is View.REPORT:
        sheet.heading("Machine")
        sheet.fields(machine_fields(report), verbose)
    if view is not View.CHECKS:
        _write_devices(sheet, report, verbose, view)
    if view is not View.DEVICES:
        _write_findings(sheet, report, verbose)
    if view is View.REPORT:
        sheet.commands(steps_after(report, verbose, advice))
    return sheet.finish()


def _write_devices(sheet: Sheet, report: Report, verbose: bool, view: View) -> None:
    for device in (device for device in report.devices if device.selected):
        sheet.blank()
        sheet.value(sheet.text(title_of(device), "bold"))
        sheet.fields(identity_fields(device), verbose)
        if view is View.DEVICES:
            sheet.fields([extension_field(report, device)])
        else:
            sheet.fields(extension_fields(report, device), verbose)
            _write_memory(sheet, device, verbose)
    if view is View.REPORT:
        sheet.blank()
        for device in (device for device in report.devices if not device.selected):
            sheet.value(sheet.join(sheet.text(title_of(device), "bold"), " (not selected)"))


def _write_memory(sheet: Sheet, device: Device, verbose: bool) -> None:
    memory = device.memory.value
    if memory is None:
        sheet.field("memory", why_missing(device.memory.missing), prose=True)
        return
    vmos = vmo_table(device)
    for table in (heap_table(memory.heaps), type_table(device), *([vmos] if verbose and vmos.rows else [])):
        sheet.blank()
        sheet.table(table)
    sheet.blank()
    sheet.fields((*notes(device), *ways(device)))


def _write_findings(sheet: Sheet, report: Report, verbose: bool) -> None:
    for of, results in device_checks(report):
        sheet.heading(f"Checks{of}")
        _write_results(sheet, results, verbose)
    complained = any(message.severity == "error" for message in report.run.messages)
    failed = report.error is not None or any(result.outcome in _BAD for result in report.checks)
    write_log(sheet, report, verbose, is_bad=complained or failed)


def _write_results(sheet: Sheet, results: Sequence[CheckResult], verbose: bool) -> None:
    """Write what a device's checks found: without *verbose* only what did not pass, and skips once per reason."""
    # A condition of --require was asked for, so its answer is shown in any case.
    shown = [each for each in results if verbose or each.id.startswith(REQUIRED) or each.outcome not in _QUIET]
    rows = [*zip(rows_of(shown), shown, strict=True), *((row, None) for row in skips_by_reason(results) if not verbose)]
    width = max((len(row.outcome) for row, _ in rows), default=0)
    for row, result in rows:
        label = sheet.mark(outcome_mark(row.outcome), width)
        ids = ", ".join(row.ids) if len(row.ids) <= _MOST_IDS else counted(len(row.ids), "check")
        subject = sheet.text(f"{ids}  ", "bold" if row.outcome in _EXPLAINED else "")
        sheet.item(label, sheet.join(subject, row.sentence), indent=2)
        if result is not None and result.advice is not None:
            for name, words in (("rule", result.rule), ("advice", result.advice)):
                sheet.item(sheet.text(f"{name:8}", "dim"), words, indent=2 + label.cell_len)
    sheet.prose(f"{counts_of(results)}.", indent=2)


@record
class Contents:
    """A bundle: *missing* names each part that is not in it, and why; *hidden* is None without redaction.

    *about* has the verdict, the emulation, the date and the command line, a line each.
    """

    size: int
    files: int
    missing: Sequence[tuple[str, str]]
    about: Sequence[str]
    hidden: Sequence[Hidden] | None


def render_contents(contents: Contents, name: str, page: Page) -> str:
    """Write what the bundle is about, where the zip is, what is missing and what was hidden."""
    sheet = Sheet(page)
    for line in contents.about:
        sheet.prose(line)
    sheet.prose(f"{name}: {counted(contents.files, 'file')}, {about(contents.size)}.")
    for part, why in contents.missing:
        sheet.prose(f"Missing: {part}: {why}.")
    if contents.hidden is not None:
        hidden = hidden_words(contents.hidden)
        sheet.prose(f"Hidden: {hidden}. --no-redact leaves everything in." if hidden else NOTHING_HIDDEN)
    return sheet.finish()
