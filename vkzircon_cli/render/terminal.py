# SPDX-License-Identifier: Apache-2.0
"""The report for people, as text for a terminal or a pipe."""

from vkzircon_cli.checks import Outcome
from vkzircon_cli.render.device import write_devices, write_extension, write_identity, write_title
from vkzircon_cli.render.driver_output import write_printed
from vkzircon_cli.render.machine import write_machine
from vkzircon_cli.render.next_steps import write_next_steps
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.steps import write_steps
from vkzircon_cli.render.verdicts import write_checks, write_circumstances, write_culprits, write_opening
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report

_BAD = (Outcome.FAIL, Outcome.TIMEOUT, Outcome.CRASH)


def render_report(report: Report, page: Page, verbose: bool = False) -> str:
    """Write the whole report: the verdict first, what to do next last."""
    sheet = Sheet(page)
    write_opening(sheet, report)
    write_culprits(sheet, report.culprits)
    write_machine(sheet, report, verbose)
    write_devices(sheet, report, verbose)
    _write_findings(sheet, report, verbose)
    write_next_steps(sheet, report, verbose)
    return sheet.finish()


def render_checks(report: Report, page: Page, verbose: bool = False) -> str:
    """Write the verdicts only."""
    sheet = Sheet(page)
    write_opening(sheet, report)
    write_culprits(sheet, report.culprits)
    _write_findings(sheet, report, verbose)
    return sheet.finish()


def render_devices(report: Report, page: Page, verbose: bool = False) -> str:
    """Write one record a device: who it is and whether it offers the extension."""
    sheet = Sheet(page)
    if report.error:
        write_opening(sheet, report)
    else:
        write_circumstances(sheet, report)
    write_culprits(sheet, report.culprits)
    for device in (device for device in report.devices if device.selected):
        write_title(sheet, device)
        write_identity(sheet, device, verbose)
        write_extension(sheet, report, device)
    return sheet.finish()


def _write_findings(sheet: Sheet, report: Report, verbose: bool) -> None:
    write_checks(sheet, report, verbose)
    if verbose:
        write_steps(sheet, report)
    complained = any(message.severity == "error" for message in report.run.messages)
    if verbose or complained or report.error or any(result.outcome in _BAD for result in report.checks):
        write_printed(sheet, report, verbose)
