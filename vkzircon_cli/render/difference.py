# SPDX-License-Identifier: Apache-2.0
"""What differs between two reports, on a terminal."""

from collections.abc import Sequence

from rich.text import Text

from vkzircon_cli.diff import Difference, Side
from vkzircon_cli.render.change_rows import ChangeRow, Section, headline, milliseconds, sections
from vkzircon_cli.render.columns import Column
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.writer import Sheet

_STYLES = {"worse": "red", "better": "green", "gone": "red", "new": "green"}
_SIDE_WIDTH = 6
_MOST_CHARACTERS = 400  # of one value; the JSON has the rest
_TIME_COLUMNS = (
    Column("ms before", right=True),
    Column("ms after", right=True),
    Column("ratio", right=True),
    Column("step"),
)


def render_difference_terminal(difference: Difference, page: Page) -> str:
    """Write *difference* for people, the sentence that sums it up first."""
    sheet = Sheet(page)
    sheet.prose(sheet.text(headline(difference), "bold"))
    sheet.blank()
    _write_side(sheet, "before", difference.before)
    _write_side(sheet, "after", difference.after)
    for section in sections(difference):
        _write_section(sheet, section)
    _write_times(sheet, difference)
    return sheet.finish()


def _write_side(sheet: Sheet, label: str, side: Side) -> None:
    emulated = ", EMULATED RUN" if side.emulated else ""
    about = (
        f"{side.outcome.upper()}, exit code {side.exit_code}, vkzircon {side.tool_version}, {side.started}{emulated}"
    )
    sheet.field(label, _cut(about), _cut(side.sentence), label_width=_SIDE_WIDTH, prose=True)


def _write_section(sheet: Sheet, section: Section) -> None:
    sheet.heading(section.title)
    for row in section.rows:
        _write_row(sheet, row)
    if section.note:
        sheet.prose(section.note, indent=2)


def _write_row(sheet: Sheet, row: ChangeRow) -> None:
    word = sheet.text(f"{row.word}  " if row.word else "", _STYLES.get(row.word, ""))
    subject = _cut(row.subject)
    lines = _lines(row)
    if len(lines) == 1 and not row.word and not row.is_set:
        sign, words = lines[0]
        sheet.item(_sign(sheet, sign), sheet.join(f"{subject}: ", _cut(words)), indent=2)
        return
    flat = sheet.join(word, f"{subject}: {row.before} -> {row.after}")
    if not row.is_set and not row.word and flat.cell_len + 2 <= sheet.page.width:
        sheet.prose(flat, indent=2)
        return
    sheet.item(word, sheet.text(subject, "bold" if row.word else ""), indent=2)
    for sign, words in lines:
        sheet.item(_sign(sheet, sign), _cut(words), indent=4)


def _lines(row: ChangeRow) -> list[tuple[str, str]]:
    return [(sign, words) for sign, words in (("-", row.before), ("+", row.after)) if words is not None]


def _sign(sheet: Sheet, sign: str) -> Text:
    return sheet.text(f"{sign} ", "red" if sign == "-" else "green")


def _cut(words: str) -> str:
    left = len(words) - _MOST_CHARACTERS
    return words if left <= 0 else f"{words[:_MOST_CHARACTERS]}... ({left} more characters)"


def _write_times(sheet: Sheet, difference: Difference) -> None:
    timings = difference.timings
    sheet.heading("Times, which make no difference")
    sheet.prose(f"In all {milliseconds(timings.before_ms)} before, {milliseconds(timings.after_ms)} after.", indent=2)
    rows = [
        [f"{step.before_ms:.1f}", f"{step.after_ms:.1f}", f"{step.ratio:.2f}", _cut(step.step)]
        for step in timings.steps
    ]
    if rows:
        sheet.table(_TIME_COLUMNS, [_texts(sheet, row) for row in rows])


def _texts(sheet: Sheet, cells: Sequence[str]) -> list[Text]:
    return [sheet.text(cell) for cell in cells]
