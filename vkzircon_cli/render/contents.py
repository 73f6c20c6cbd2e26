# SPDX-License-Identifier: Apache-2.0
"""What went into a bundle, for whoever made it."""

from vkzircon_cli.bundle import Bundle
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.writer import Sheet


def render_contents(bundle: Bundle, name: str, page: Page) -> str:
    """Say where the zip is, what the report in it came to, what is missing and what was hidden."""
    sheet = Sheet(page)
    there = [part for part in bundle.parts if not part.missing]
    sheet.prose(f"{name}: {counted(len(there), 'file')}, {about(len(bundle.data))}.")
    summary = bundle.report.summary
    sheet.prose(f"The report in it: {summary.outcome.upper()}, exit code {summary.exit_code}. {summary.sentence}")
    for part in bundle.parts:
        if part.missing:
            sheet.prose(f"Missing: {part.about}: {part.missing}.")
    if bundle.hidden is not None:
        told = ", ".join(f"{each.what} ({each.count} times)" for each in bundle.hidden)
        sheet.prose(f"Hidden: {told or 'nothing had to be'}. --no-redact leaves everything in.")
    return sheet.finish()
