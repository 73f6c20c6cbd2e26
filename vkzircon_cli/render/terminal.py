# SPDX-License-Identifier: Apache-2.0
"""The report for people, as text for a terminal or a pipe."""

from vkzircon_cli.checks.registry import BAD
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.queries import by_device
from vkzircon_cli.render.check_results import Finding, checks_table, counts_line, device_checks, findings
from vkzircon_cli.render.content import outcome_mark, why_missing
from vkzircon_cli.render.fields import extension_field, extension_fields, identity_fields, machine_fields, title_of
from vkzircon_cli.render.frame import opening_of, steps_after, write_log, write_opening, write_result
from vkzircon_cli.render.shared_memory import heap_table, notes, type_table, vmo_table, ways
from vkzircon_cli.render.style import ANY_ADVICE, Advice, Page, View
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report

_CALM = (Exit.OK, Exit.NOT_OFFERED)


def render_report(
    report: Report, page: Page, verbose: bool = False, view: View = View.REPORT, advice: Advice = ANY_ADVICE
) -> str:
    """Write as much of *report* as *view* shows: the verdict first, what to do next last."""
    sheet = Sheet(page)
    # A list of devices has a result only if it is an error.
    write_opening(sheet, report, with_result=view is not View.DEVICES or report.error is not None)
    opening = sheet.height
    if view is View.REPORT:
        sheet.heading("Machine")
        sheet.fields(machine_fields(report), verbose)
    if view is not View.CHECKS:
        _write_devices(sheet, report, verbose, view)
    if view is not View.DEVICES:
        _write_findings(sheet, report, verbose, view)
    if view is View.REPORT:
        sheet.commands(steps_after(report, verbose, advice))
    if view is not View.DEVICES and report.exit_code not in _CALM and sheet.height > opening:
        sheet.blank()
        write_result(sheet, opening_of(report))
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
    tables = (heap_table(memory.heaps), type_table(device), *([vmos] if vmos.rows else []))
    for table in tables if verbose else (type_table(device),):
        sheet.blank()
        sheet.table(table)
    sheet.blank()
    sheet.fields((*notes(device), *ways(device)), verbose)


def _write_findings(sheet: Sheet, report: Report, verbose: bool, view: View) -> None:
    found_of = by_device(findings(report))
    for of, index, results in device_checks(report):
        found = found_of.get(index, [])
        if found or of or verbose:
            sheet.heading(f"Checks{of}")
        elif view is View.REPORT:
            sheet.blank()
        for each in found:
            _write_finding(sheet, each)
        if verbose:
            sheet.blank()
            sheet.table(checks_table("All checks", results))
        sheet.prose(counts_line(results), indent=2)
    complained = any(message.severity == "error" for message in report.run.messages)
    write_log(sheet, report, verbose, is_bad=complained or report.exit_code not in _CALM)


def _write_finding(sheet: Sheet, found: Finding) -> None:
    label = sheet.mark(outcome_mark(found.outcome))
    is_bad = found.outcome in BAD
    sheet.item(label, sheet.join(sheet.text(f"{found.id}  ", "bold" if is_bad else ""), found.sentence), indent=2)
    for name, words in found.details:
        sheet.item(sheet.text(f"{name:9}", "dim"), words, indent=2 + label.cell_len)
