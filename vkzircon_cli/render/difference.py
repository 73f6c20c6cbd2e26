# SPDX-License-Identifier: Apache-2.0
"""What differs between two reports, on a terminal."""

from rich.text import Text

from vkzircon_cli.diff import Difference, Side
from vkzircon_cli.render.change_rows import ChangeRow, headline, parts, times_table, times_words
from vkzircon_cli.render.content import cut
from vkzircon_cli.render.style import Page
from vkzircon_cli.render.writer import Sheet

_STYLES = {"worse": "red", "better": "green", "gone": "red", "new": "green"}
_SIDE_WIDTH = 6
_MOST_CHARACTERS = 400  # of one value; the JSON has the rest


def render_difference_terminal(difference: Difference, page: Page) -> str:
    """Write *difference* for people, the sentence that sums it up first."""
    sheet = Sheet(page)
    sheet.prose(sheet.text(headline(difference), "bold"))
    sheet.blank()
    _write_side(sheet, "before", difference.before)
    _write_side(sheet, "after", difference.after)
    for part in parts(difference):
        sheet.heading(part.title)
        for row in part.rows:
            _write_row(sheet, row)
        if part.note:
            sheet.prose(part.note, indent=2)
    times = times_table(difference.timings)
    sheet.heading(times.title)
    sheet.prose(times_words(difference.timings), indent=2)
    if times.rows:
        sheet.table(times)
    return sheet.finish()


def _write_side(sheet: Sheet, label: str, side: Side) -> None:
    emulated = ", EMULATED RUN" if side.emulated else ""
    about = (
        f"{side.outcome.upper()}, exit code {side.exit_code}, vkzircon {side.tool_version}, {side.started}{emulated}"
    )
    sheet.field(label, _cut(about), _cut(side.sentence), label_width=_SIDE_WIDTH, prose=True)


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
    return cut(words, _MOST_CHARACTERS)
