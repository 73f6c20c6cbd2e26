# SPDX-License-Identifier: Apache-2.0
"""The contents of a bundle, for the person who made it."""

from collections.abc import Sequence

from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.render.opening import NOTHING_HIDDEN, hidden_words
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.stream.document import Summary


@record
class Contents:
    """A bundle in numbers: *missing* names each part that is not in it, and why; *hidden* is None without redaction."""

    size: int
    files: int
    missing: Sequence[tuple[str, str]]
    summary: Summary
    hidden: Sequence[Hidden] | None


def render_contents(contents: Contents, name: str, page: Page) -> str:
    """Write where the zip is, its report's outcome, what is missing and what was hidden."""
    sheet = Sheet(page)
    sheet.prose(f"{name}: {counted(contents.files, 'file')}, {about(contents.size)}.")
    summary = contents.summary
    sheet.prose(f"The report in it: {summary.outcome.upper()}, exit code {summary.exit_code}. {summary.sentence}")
    for part, why in contents.missing:
        sheet.prose(f"Missing: {part}: {why}.")
    if contents.hidden is not None:
        hidden = hidden_words(contents.hidden)
        sheet.prose(f"Hidden: {hidden}. --no-redact leaves everything in." if hidden else NOTHING_HIDDEN)
    return sheet.finish()
