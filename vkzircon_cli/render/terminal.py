# SPDX-License-Identifier: Apache-2.0
"""The report for people."""

from vkzircon_cli.render.page import Page
from vkzircon_cli.report import Report


def render_report(report: Report, page: Page, verbose: bool = False) -> str:
    """Write the whole report."""
    return render_checks(report, page, verbose)


def render_checks(report: Report, page: Page, verbose: bool = False) -> str:
    """Write the verdicts only."""
    _ = page, verbose
    return f"{report.summary.outcome.upper()} {report.summary.sentence}\n"


def render_devices(report: Report, page: Page, verbose: bool = False) -> str:
    """Write one record a device."""
    return render_checks(report, page, verbose)
