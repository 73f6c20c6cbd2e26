# SPDX-License-Identifier: Apache-2.0
"""A diagnosis for people: a line for each part of the system, and below it the problems and notes."""

from rich.text import Text

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.diagnosis import Diagnosis
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.errors import Exit
from vkzircon_cli.render.content import outcome_mark
from vkzircon_cli.render.frame import opening_of, write_circumstances, write_printed
from vkzircon_cli.render.style import Page
from vkzircon_cli.render.writer import Sheet

_INDENT = 4
_MOST_NARROW = 2
_COMFORTABLE = 60
_MOST_DEEP = 8


def render_diagnosis_terminal(diagnosis: Diagnosis, page: Page, verbose: bool = False) -> str:
    """Write the whole diagnosis, its verdict first; *verbose* also shows the parts without problems."""
    sheet = Sheet(page)
    write_circumstances(sheet, opening_of(diagnosis))
    label = sheet.mark(outcome_mark(diagnosis.summary.outcome))
    sheet.item(label, sheet.text(diagnosis.summary.sentence, "bold"))
    if (error := diagnosis.error) and not diagnosis.devices and error.message not in diagnosis.summary.sentence:
        sheet.prose(error.message, indent=label.cell_len)
    sheet.blank()
    for finding in diagnosis.findings:
        _write_branch(sheet, finding, verbose)
    if verbose:
        write_printed(sheet, diagnosis, verbose)
    if diagnosis.exit_code is Exit.OK and any(device.offers for device in diagnosis.devices):
        sheet.commands([(f"vkzircon{diagnosis.options}", "test whether memory is really shared")])
    return sheet.finish()


def _write_branch(sheet: Sheet, finding: Finding, verbose: bool) -> None:
    title = f"{finding.id.capitalize()}: "
    sheet.item(_mark(sheet, finding), sheet.join(sheet.text(title, "bold"), finding.sentence))
    for child in finding.children:
        if verbose or _is_worth_showing(child):
            _write_finding(sheet, child, verbose, 1)


def _is_worth_showing(finding: Finding) -> bool:
    """Whether a finding, or one below it, is bad, has a cause, or has a command to run."""
    if any(_is_worth_showing(child) for child in finding.children):
        return True
    is_bad = finding.outcome not in (Outcome.PASS, Outcome.INFO, Outcome.SKIP)
    return finding.outcome is not Outcome.PASS and bool(finding.cause or finding.command or is_bad)


def _write_finding(sheet: Sheet, finding: Finding, verbose: bool, depth: int) -> None:
    step = _INDENT if sheet.page.width >= _COMFORTABLE else _MOST_NARROW
    indent = step * min(depth, _MOST_DEEP)
    below = indent + step
    sheet.item(_mark(sheet, finding, with_word=True), finding.sentence, indent)
    for line in finding.evidence:
        if line not in finding.sentence or verbose:
            sheet.value(sheet.text(line, "dim"), below)
    if finding.cause:
        sheet.item(sheet.text("why: ", "dim"), finding.cause, below)
    if finding.command:
        sheet.item(sheet.text("try: ", "dim"), sheet.text(finding.command, "bold"), below)
    for child in finding.children:
        if verbose or _is_worth_showing(child):
            _write_finding(sheet, child, verbose, depth + 1)


def _mark(sheet: Sheet, finding: Finding, *, with_word: bool = False) -> Text:
    mark = outcome_mark(finding.outcome)
    word = f" {mark.word}  " if with_word else " "
    return sheet.styled(f"[{mark.glyph}]{word}", mark.look)
