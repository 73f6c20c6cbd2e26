# SPDX-License-Identifier: Apache-2.0
"""The beginning and the end that all pages on a terminal share."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vkzircon_cli.errors import Exit
from vkzircon_cli.render.next_steps import Step
from vkzircon_cli.render.opening import Opening, opening_of
from vkzircon_cli.render.run_log import printed, steps_table
from vkzircon_cli.render.writer import Sheet

if TYPE_CHECKING:
    from vkzircon_cli.report.bench import BenchReport
    from vkzircon_cli.report.matrix import MatrixReport
    from vkzircon_cli.report.report import Report
    from vkzircon_cli.stream.document import Document

    Probed = Report | BenchReport | MatrixReport

_MOST_LINES = 10
_FATAL = (Exit.CRASHED, Exit.CANNOT_ASK, Exit.OUR_FAULT)


def write_opening(sheet: Sheet, document: "Probed") -> None:
    """Write the emulation, the result with a hint, and the manifests that were left out."""
    opening = opening_of(document, document.culprits)
    write_circumstances(sheet, opening)
    label = sheet.mark(opening.mark)
    sheet.item(label, sheet.text(opening.sentence, "bold"))
    if opening.hint:
        sheet.prose(opening.hint, indent=label.cell_len)
    write_left_out(sheet, opening)


def write_circumstances(sheet: Sheet, opening: Opening) -> None:
    """Write whether a run is emulated, and whether the probe had no process of its own."""
    if opening.emulated_by:
        sheet.prose(sheet.text(f"EMULATED RUN: {opening.emulated_by}", "bold magenta"))
    if opening.not_isolated:
        sheet.item(sheet.text("! NOT ISOLATED  ", "yellow"), opening.not_isolated)


def write_left_out(sheet: Sheet, opening: Opening) -> None:
    """Write which manifests were left out so that the others could be asked, and how to repair them."""
    for culprit in opening.left_out:
        label = sheet.text("! LEFT OUT  ", "yellow")
        sheet.item(label, culprit.sentence)
        if culprit.command:
            sheet.value(culprit.command, indent=label.cell_len)


def write_log(sheet: Sheet, document: "Document", verbose: bool, *, is_bad: bool) -> None:
    """Write the steps if *verbose*, and what was printed if that, or *is_bad*."""
    if verbose and document.run.steps:
        sheet.heading(f"Steps ({document.run.duration_ms:.0f} ms in all)")
        sheet.table(steps_table("Steps", document.run.steps))
    if verbose or is_bad:
        write_printed(sheet, document, verbose)


def finished(sheet: Sheet, document: "Probed", verbose: bool, steps: Iterable[Step]) -> str:
    """Return the page with the log and what to do next at its end."""
    write_log(sheet, document, verbose, is_bad=document.exit_code in _FATAL)
    sheet.commands(steps)
    return sheet.finish()


def write_printed(sheet: Sheet, document: "Document", verbose: bool) -> None:
    """Write what the loader reported and what was printed."""
    for lines in printed(document.run, None if verbose else _MOST_LINES):
        sheet.lines(lines)
    if document.run.output.dropped:
        sheet.prose(f"{document.run.output.dropped} more bytes were not kept.", indent=2)
